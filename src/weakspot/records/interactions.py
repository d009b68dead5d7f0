"""Records of capture: the interaction (a consultation with its conversation), and people's decisions about it."""

import hashlib
import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from weakspot.records.strict_json import parse_strict_json
from weakspot.records.white_space import normalise_prose, normalise_text

MULTI_DOMAIN = "multi-domain"
RESERVED_DOMAINS = frozenset({MULTI_DOMAIN, "all", "rejections"})

Policy = Literal["allow", "ask", "refuse"]
_FROM_LAX_TO_STRICT: tuple[Policy, ...] = ("allow", "ask", "refuse")

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Record(BaseModel):
    """Base class of everything that is stored as one JSON line; immutable, and written back exactly as it was read."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    def to_json(self) -> str:
        """Return the record as one line of JSON, with the fields that were set, in that order."""
        return json.dumps(self.model_dump(exclude_unset=True), ensure_ascii=False)

    def to_document(self) -> bytes:
        """Return the record as a JSON file for people to read: indented, every field."""
        return (self.model_dump_json(indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, line: str | bytes) -> Self:
        """Parse one line; raise pydantic's ``ValidationError`` if it is not such a record."""
        return cls.model_validate_json(line)


def parse_domain_name(name: str) -> str:
    """Return ``name`` if it can name a domain (and so a file); raise ``ValueError`` otherwise."""
    if not _DOMAIN.fullmatch(name):
        raise ValueError(f"{name!r} is not a domain name: use lower-case letters, digits, '-' and '_'")
    if name in RESERVED_DOMAINS:
        raise ValueError(f"{name!r} is a reserved name: choose another domain")
    return name


def strictest(*policies: Policy | None) -> Policy:
    """Return the strictest of policies; "allow" where none is given."""
    return max((one for one in policies if one), key=_FROM_LAX_TO_STRICT.index, default="allow")


def _parse_arguments(value: object) -> object:
    # Servers send a JSON string, chat templates expect a mapping: converted here, once.
    if isinstance(value, str):
        try:
            return parse_strict_json(value or "{}")
        except ValueError as error:
            raise ValueError(f"arguments are not JSON: {error}") from None
    return value


def _check_timestamp(value: str) -> str:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("the time zone is missing: write 2025-10-31T14:30:00.000Z")
    return value


class Function(Record):
    """The function of a tool call; ``arguments`` is always a mapping, even if a server sent a JSON string."""

    model_config = ConfigDict(extra="allow")

    name: str
    arguments: Annotated[dict[str, Any], BeforeValidator(_parse_arguments)]


class ToolCall(Record):
    """One tool call of an assistant's turn, as in the OpenAI format."""

    model_config = ConfigDict(extra="allow")

    function: Function


class Message(Record):
    """One turn of a conversation; unknown keys are kept."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    tool_calls: list[ToolCall] | None = None

    @property
    def text(self) -> str:
        """The content and the tool calls of the turn as text; may be empty."""
        return self._with_calls(self.content or "")

    @property
    def comparable_text(self) -> str:
        """The same text, with its white space folded where that means nothing."""
        return self._with_calls(normalise_prose(self.content or ""))

    def _with_calls(self, content: str) -> str:
        calls = (
            f"{call.function.name} {json.dumps(call.function.arguments, sort_keys=True, ensure_ascii=False)}"
            for call in self.tool_calls or ()
        )
        return "\n".join(part for part in (content, *calls) if part)


class Consultation(Record):
    """The teacher that answered, the terms of its answer, and the cost.

    ``policy`` says whether the answer may be used for training, ``terms`` names the licence or the provider's terms
    behind it. The cost is in US dollars; None is unknown.
    """

    model_config = ConfigDict(extra="allow")

    teacher: str
    model: str
    policy: Policy
    terms: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    seconds: float | None = None
    cost_usd: float | None = None
    stop_reason: str | None = None


class Metadata(Record):
    """Origin of an interaction; unknown keys are allowed and kept.

    ``attempt`` says where the local answer comes from: "sent" by the client in the conversation, "remembered" from an
    earlier answer, "asked" for because it was missing, or "missing". ``query_as_sent`` is the query with what a program
    put around the user's words, where it did. ``thinking`` and ``reasoning_effort`` are what the client asked for, None
    where it left that to the model. ``scrubbed`` counts replacements by kind. ``source`` is the entrance by which the
    record came in, and ``policy`` is that entrance's own.
    """

    model_config = ConfigDict(extra="allow")

    domain: Annotated[str, AfterValidator(parse_domain_name)] | None = None
    adapter: str | None = None
    timestamp: Annotated[str, AfterValidator(_check_timestamp)]
    interaction_id: str = Field(min_length=1, max_length=200)
    source: str | None = None
    policy: Policy | None = None
    conversation_id: str | None = None
    incomplete: bool | None = None
    attempt: Literal["sent", "remembered", "asked", "missing"] | None = None
    consultation: Consultation | None = None
    query_as_sent: str | None = None
    thinking: Literal["on", "off"] | None = None
    reasoning_effort: str | None = None
    scrubbed: dict[str, int] | None = None


class Interaction(Record):
    """A consultation: earlier turns, then query, local answer, escalation and expert answer.

    Query and escalation are one user message each. A model's turn is one message; if it used tools, its calls and
    their results come first. The last message is the expert's answer.
    """

    messages: list[Message] = Field(min_length=4)
    metadata: Metadata

    @property
    def _places(self) -> tuple[int, int]:
        """The indices of query and escalation: the last two user turns."""
        users = [n for n, message in enumerate(self.messages) if message.role == "user"]
        return users[-2], users[-1]

    @property
    def context(self) -> list[Message]:
        """The turns before the query."""
        return self.messages[: self._places[0]]

    @property
    def query(self) -> Message:
        """The user's question that led to the consultation."""
        return self.messages[self._places[0]]

    @property
    def attempt(self) -> list[Message]:
        """The local model's whole turn: its tool calls, their results, its answer."""
        return self.messages[self._places[0] + 1 : self._places[1]]

    @property
    def local(self) -> Message:
        """The local model's answer: the last assistant message of its turn."""
        return next(message for message in reversed(self.attempt) if message.role == "assistant")

    @property
    def escalation(self) -> Message:
        """The user's turn that asked for the expert."""
        return self.messages[self._places[1]]

    @property
    def expert(self) -> Message:
        """The answer of the stronger model (the teacher)."""
        return self.messages[-1]

    @property
    def prompt(self) -> list[Message]:
        """The prompt of the expert's answer: the conversation up to the query, and tool calls with their results.

        The local model's own answer is not part of it. Its tool calls are, up to the last one that has a result: the
        expert saw these results, and its answer depends on them. The query stands in what a program put around it,
        as models get it.
        """
        last = max((n for n, message in enumerate(self.attempt) if message.role == "tool"), default=-1)
        own_calls = self.messages[self._places[1] + 1 : -1]
        as_sent = self.metadata.query_as_sent
        query = self.query if as_sent is None else self.query.model_copy(update={"content": as_sent})
        return [*self.context, query, *self.attempt[: last + 1], *own_calls]

    @property
    def tools(self) -> Any:
        """The descriptions of the tools that the models could call, as the client sent them."""
        return (self.metadata.model_extra or {}).get("tools")

    @property
    def id(self) -> str:
        """The interaction's id, unique in a workspace."""
        return self.metadata.interaction_id

    @property
    def domain(self) -> str:
        """The domain, which ``process`` sets; raises ValueError before that."""
        if self.metadata.domain is None:
            raise ValueError(f"{self.id}: the domain is not set yet")
        return self.metadata.domain

    @property
    def policy(self) -> Policy:
        """Whether it may be trained on: the stricter of the policies of its entrance and its teacher."""
        consultation = self.metadata.consultation
        return strictest(self.metadata.policy, consultation.policy if consultation else None)

    @property
    def policy_reason(self) -> str:
        """Whose policy that is, and the terms behind it, as a sentence."""
        consultation, policy = self.metadata.consultation, self.policy
        if consultation is None or consultation.policy != policy:
            return f"the policy for what comes in by {self.metadata.source} is {policy}"
        terms = f" ({consultation.terms})" if consultation.terms else ""
        return f"the policy for {consultation.teacher} is {policy}{terms}"

    def with_metadata(self, values: dict[str, Any]) -> "Interaction":
        """Return a copy with these keys of its metadata set."""
        metadata = {**self.metadata.model_dump(exclude_unset=True), **values}
        return self.model_copy(update={"metadata": Metadata.model_validate(metadata)})

    def with_texts(self, query: str | None, expert: str | None) -> "Interaction":
        """Return a copy with another query or expert answer, if given; tool calls stay."""
        messages = list(self.messages)
        for place, words in ((self._places[0], query), (len(messages) - 1, expert)):
            if words is not None:
                messages[place] = messages[place].model_copy(update={"content": words})
        changed = self.model_copy(update={"messages": messages})
        sent = self.metadata.query_as_sent
        return changed if query is None or sent is None else changed.with_metadata({"query_as_sent": None})

    def content_key(self) -> str:
        """Return a hash of the messages; Unicode form and white space in prose do not change it."""
        return _hash([(message.role, message.comparable_text) for message in self.messages])

    def content_keys(self) -> set[str]:
        """Return the hashes by which a decision may know the messages; earlier ones had all white space folded."""
        return {self.content_key(), _hash([(one.role, normalise_text(one.text)) for one in self.messages])}


def _hash(turns: list[tuple[str, str]]) -> str:
    return hashlib.sha256(json.dumps(turns).encode()).hexdigest()


class UnfittedConsultation(Record):
    """A consultation that was answered and is no :class:`Interaction`; it is tried again after an update.

    ``conversation`` is what the client sent, ``attempt`` the local model's turn where it is not part of that,
    ``answer`` the expert's message. ``metadata`` is that of the interaction, with its id.
    """

    reason: str
    detail: str
    teacher: str
    conversation: list[dict[str, Any]]
    attempt: list[dict[str, Any]]
    answer: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def id(self) -> str:
        """The id of the interaction that it may become."""
        return str(self.metadata["interaction_id"])


class Thoughts(Record):
    """What a model wrote before its answer in a consultation; it is kept apart, and never learned.

    Those of the ``local`` model may stand in front of the expert's answer: see ``[train] no_thoughts``.
    """

    interaction_id: str
    thoughts: str
    of: Literal["expert", "local"] = "expert"


class UnheardWish(Record):
    """A user's message that looks like a request for an expert, and was not taken for one.

    ``client`` is the program that sent it, ``words`` is the beginning of what the user said.
    """

    timestamp: str
    client: str
    words: str


_NonBlank = Annotated[str, Field(pattern=r"\S")]


# In characters: what a reader writes beside a thumb.
LONGEST_COMMENT = 4000


class Decision(Record):
    """A person's decision about an interaction.

    Among allow, accept, refuse and reject the latest one counts. The latest edit and the latest move count as well,
    independently. An ``undo`` cancels the latest decision that is still in force; forgetting cannot be undone.

    ``content`` is the hash of a forgotten interaction's messages, so that no import brings it back. ``query`` and
    ``expert`` are the texts of an edit, ``domain`` is the new domain of a move; None means: as captured.

    "thumbs-up" and "thumbs-down" are what a reader thought of the expert's answer, with a ``comment``. A thumb gives no
    permission: it counts until a person decides.
    """

    interaction_id: str
    action: Literal["allow", "refuse", "forget", "accept", "reject", "edit", "move", "undo", "thumbs-up", "thumbs-down"]
    timestamp: Annotated[str, AfterValidator(_check_timestamp)]
    content: str | None = None
    query: _NonBlank | None = None
    expert: _NonBlank | None = None
    domain: Annotated[str, AfterValidator(parse_domain_name)] | None = None
    comment: str | None = Field(None, max_length=LONGEST_COMMENT)
