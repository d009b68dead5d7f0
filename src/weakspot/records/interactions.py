"""What is captured: the interaction, and what people decide about it."""

import hashlib
import json
import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from weakspot.records.strict_json import decoded

MULTI_DOMAIN = "multi-domain"
RESERVED_DOMAINS = frozenset({MULTI_DOMAIN, "all", "rejections"})

Policy = Literal["allow", "ask", "refuse"]

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SPACES = re.compile(r"\s+")


class Record(BaseModel):
    """Base of what is written as one JSON line: immutable, and exact when written back."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    def to_json(self) -> str:
        """Return the record as one line of JSON, fields in the order given, nothing added."""
        return json.dumps(self.model_dump(exclude_unset=True), ensure_ascii=False)

    def to_document(self) -> bytes:
        """Return the record as a JSON file for people to read: indented, every field."""
        return (self.model_dump_json(indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, line: str | bytes) -> Self:
        """Read one line; raise pydantic's ``ValidationError`` where it is not such a record."""
        return cls.model_validate_json(line)


def domain_name(name: str) -> str:
    """Return ``name`` if it can name a domain (and so a file); raise ``ValueError`` otherwise."""
    if not _DOMAIN.fullmatch(name):
        raise ValueError(f"{name!r} is not a domain name: use lower-case letters, digits, '-' and '_'")
    if name in RESERVED_DOMAINS:
        raise ValueError(f"{name!r} is a reserved name: choose another domain")
    return name


def _arguments(value: object) -> object:
    # Servers send a JSON string, templates want a mapping: one of the two must give way, once.
    if isinstance(value, str):
        try:
            return decoded(value or "{}")
        except ValueError as error:
            raise ValueError(f"arguments are not JSON: {error}") from None
    return value


def _timestamp(value: str) -> str:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("the time zone is missing: write 2025-10-31T14:30:00.000Z")
    return value


class Function(Record):
    """The function of a tool call; ``arguments`` is a mapping, also where a server sent a JSON string."""

    model_config = ConfigDict(extra="allow")

    name: str
    arguments: Annotated[dict[str, Any], BeforeValidator(_arguments)]


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
        """The turn's words, tool calls written out; empty when there is nothing at all."""
        calls = (
            f"{call.function.name} {json.dumps(call.function.arguments, sort_keys=True, ensure_ascii=False)}"
            for call in self.tool_calls or ()
        )
        return "\n".join(part for part in (self.content or "", *calls) if part)


class Consultation(Record):
    """Which teacher answered, under which terms, and what that cost.

    ``policy`` says whether the answer may be trained on, ``terms`` names the licence or the provider's
    terms behind it. Prices are US dollars; None is unknown.
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
    """Where an interaction comes from; more keys are allowed and kept.

    ``attempt`` says where the local answer is from: the conversation that the client sent, an answer
    given earlier, or one asked for when it was missing. ``scrubbed`` counts what was replaced, by kind.
    """

    model_config = ConfigDict(extra="allow")

    domain: Annotated[str, AfterValidator(domain_name)] | None = None
    adapter: str | None = None
    timestamp: Annotated[str, AfterValidator(_timestamp)]
    interaction_id: str = Field(min_length=1, max_length=200)
    source: str | None = None
    conversation_id: str | None = None
    incomplete: bool | None = None
    attempt: Literal["sent", "remembered", "asked", "missing"] | None = None
    consultation: Consultation | None = None
    scrubbed: dict[str, int] | None = None


class Interaction(Record):
    """A consultation: earlier turns, then query, local answer, escalation and expert answer.

    The user's two turns are one message each. A model's turn is one message, or where it used tools, its
    calls and their results before it; the record ends with a message of the expert.
    """

    messages: list[Message] = Field(min_length=4)
    metadata: Metadata

    @property
    def _places(self) -> tuple[int, int]:
        """Where query and escalation stand: the last two user turns."""
        users = [n for n, message in enumerate(self.messages) if message.role == "user"]
        return users[-2], users[-1]

    @property
    def context(self) -> list[Message]:
        """The turns before the query."""
        return self.messages[: self._places[0]]

    @property
    def query(self) -> Message:
        """The user's question that exposed the weakness."""
        return self.messages[self._places[0]]

    @property
    def attempt(self) -> list[Message]:
        """The local model's whole turn: its tool calls, their results, its answer."""
        return self.messages[self._places[0] + 1 : self._places[1]]

    @property
    def local(self) -> Message:
        """The local model's answer: the last that it said or did."""
        return next(message for message in reversed(self.attempt) if message.role == "assistant")

    @property
    def escalation(self) -> Message:
        """The user's turn that asked for the expert."""
        return self.messages[self._places[1]]

    @property
    def expert(self) -> Message:
        """The stronger model's answer."""
        return self.messages[-1]

    @property
    def prompt(self) -> list[Message]:
        """What the expert's answer is an answer to: the conversation up to the query, and what tools found.

        The local model's own words are no part of it; its tool calls are, as far as they have results,
        since the expert saw those results and the answer rests on them.
        """
        last = max((n for n, message in enumerate(self.attempt) if message.role == "tool"), default=-1)
        own_calls = self.messages[self._places[1] + 1 : -1]
        return [*self.context, self.query, *self.attempt[: last + 1], *own_calls]

    @property
    def tools(self) -> Any:
        """The descriptions of the tools that the models could call, as the client sent them."""
        return (self.metadata.model_extra or {}).get("tools")

    @property
    def id(self) -> str:
        """The interaction's identity, unique in a workspace."""
        return self.metadata.interaction_id

    @property
    def domain(self) -> str:
        """The domain; only examples that ``process`` has labelled are asked for it."""
        if self.metadata.domain is None:
            raise ValueError(f"{self.id}: the domain is not set yet")
        return self.metadata.domain

    def described(self, values: dict[str, Any]) -> "Interaction":
        """Return the same interaction with these keys of its metadata set."""
        metadata = {**self.metadata.model_dump(exclude_unset=True), **values}
        return self.model_copy(update={"metadata": Metadata.model_validate(metadata)})

    def reworded(self, query: str | None, expert: str | None) -> "Interaction":
        """Return the same interaction with another query or expert answer, where given; tool calls stay."""
        messages = list(self.messages)
        for place, words in ((self._places[0], query), (len(messages) - 1, expert)):
            if words is not None:
                messages[place] = messages[place].model_copy(update={"content": words})
        return self.model_copy(update={"messages": messages})

    def content_key(self) -> str:
        """Hash of the messages, alike for texts that differ in Unicode form or white space only."""
        turns = [(message.role, normalised(message.text)) for message in self.messages]
        return hashlib.sha256(json.dumps(turns).encode()).hexdigest()


def normalised(text: str) -> str:
    """Return ``text`` in Unicode form NFC with each run of white space as one blank."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


_Said = Annotated[str, Field(pattern=r"\S")]


class Decision(Record):
    """What a person decided about an interaction.

    Of allow, accept, refuse and reject the latest counts; so does, each for itself, the latest edit and the latest
    move. An ``undo`` takes back the latest of all that still stands, but forgetting is for ever.

    ``content`` is the hash of a forgotten interaction's messages, so that no import brings it back. ``query`` and
    ``expert`` are the texts of an edit, ``domain`` is that of a move; what is not there is as it was captured.
    """

    interaction_id: str
    action: Literal["allow", "refuse", "forget", "accept", "reject", "edit", "move", "undo"]
    timestamp: Annotated[str, AfterValidator(_timestamp)]
    content: str | None = None
    query: _Said | None = None
    expert: _Said | None = None
    domain: Annotated[str, AfterValidator(domain_name)] | None = None
