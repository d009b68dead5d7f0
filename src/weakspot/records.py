"""Every record that crosses a stage boundary, in the order in which they flow."""

import hashlib
import json
import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
MULTI_DOMAIN = "multi-domain"
RESERVED_DOMAINS = frozenset({MULTI_DOMAIN, "all", "rejections"})

# A reason is a key that programs count by; the detail beside it is the sentence a person reads.
Reason = Literal[
    "too-large",
    "not-json",
    "bad-schema",
    "wrong-roles",
    "empty-query",
    "empty-expert",
    "truncated",
    "duplicate-id",
    "exact-duplicate",
    "links-splits",
]

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SPACES = re.compile(r"\s+")
# Past it Python's own limit would decide, which depends on how deep the caller stands.
_DEEPEST_NESTING = 100


class RecordError(ValueError):
    """A line that is not a usable interaction: ``reason`` to count by, ``detail`` to read."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Record(BaseModel):
    """Base of what is written as one JSON line: immutable, and exact when written back."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    def to_json(self) -> str:
        """Return the record as one line of JSON, fields in the order given, nothing added."""
        return json.dumps(self.model_dump(exclude_unset=True), ensure_ascii=False)

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
            return _decoded(value or "{}")
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


class Metadata(Record):
    """Where an interaction comes from; more keys are allowed and kept."""

    model_config = ConfigDict(extra="allow")

    domain: Annotated[str, AfterValidator(domain_name)] | None = None
    adapter: str | None = None
    timestamp: Annotated[str, AfterValidator(_timestamp)]
    interaction_id: str = Field(min_length=1, max_length=200)
    source: str | None = None
    conversation_id: str | None = None
    incomplete: bool | None = None


class Interaction(Record):
    """A consultation: earlier turns, then query, local answer, escalation and expert answer."""

    messages: list[Message] = Field(min_length=4)
    metadata: Metadata

    @property
    def context(self) -> list[Message]:
        """The turns before the query."""
        return self.messages[:-4]

    @property
    def query(self) -> Message:
        """The user's question that exposed the weakness."""
        return self.messages[-4]

    @property
    def local(self) -> Message:
        """The local model's answer."""
        return self.messages[-3]

    @property
    def expert(self) -> Message:
        """The stronger model's answer."""
        return self.messages[-1]

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

    def labelled(self, domain: str) -> "Interaction":
        """Return the same interaction with its domain set."""
        metadata = {"domain": domain, **self.metadata.model_dump(exclude_unset=True)}
        return self.model_copy(update={"metadata": Metadata.model_validate({**metadata, "domain": domain})})

    def content_key(self) -> str:
        """Hash of the messages, alike for texts that differ in Unicode form or white space only."""
        turns = [(message.role, normalised(message.text)) for message in self.messages]
        return hashlib.sha256(json.dumps(turns).encode()).hexdigest()


def normalised(text: str) -> str:
    """Return ``text`` in Unicode form NFC with each run of white space as one blank."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _decoded(text: str) -> Any:
    """Decode JSON that can be written back as it is; raise ``ValueError`` for anything else."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_nesting(value, _DEEPEST_NESTING)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate, which is no character") from None
    return value


def _check_nesting(value: object, levels: int) -> None:
    if levels == 0:
        raise ValueError("nested too deeply")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        _check_nesting(item, levels - 1)


def parse_json_object(line: bytes) -> dict[str, Any]:
    """Read one line as a JSON object of sound Unicode text.

    Raises :class:`RecordError` (``not-json``) for anything else: broken UTF-8, NaN and infinities, lone
    surrogates, half a line, more than 100 levels, a list.
    """
    try:
        value = _decoded(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RecordError("not-json", f"not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise RecordError("not-json", str(error)) from None
    if not isinstance(value, dict):
        raise RecordError("not-json", f"a JSON {type(value).__name__}, not an object")
    return value


def parse_interaction(line: bytes) -> Interaction:
    """Read one raw line as a complete interaction.

    Raises :class:`RecordError` with the reason: ``not-json``, ``bad-schema``, ``wrong-roles``,
    ``empty-query``, ``empty-expert`` or ``truncated``.
    """
    return interaction(parse_json_object(line))


def interaction(value: dict[str, Any]) -> Interaction:
    """Check a decoded JSON object as :func:`parse_interaction` does a line."""
    try:
        record = Interaction.model_validate(value)
    except ValidationError as error:
        raise RecordError("bad-schema", explain(error)) from None
    roles = [message.role for message in record.messages[-4:]]
    if roles != ["user", "assistant", "user", "assistant"]:
        raise RecordError(
            "wrong-roles", f"the last four turns are {', '.join(roles)}, not user, assistant, user, assistant"
        )
    if not record.query.text.strip():
        raise RecordError("empty-query", "the query has no text")
    if not record.expert.text.strip():
        raise RecordError("empty-expert", "the expert's answer has no text")
    if record.metadata.incomplete:
        raise RecordError("truncated", "the capture marked this answer as incomplete")
    return record


def explain(error: ValidationError) -> str:
    """Return the first of pydantic's complaints as one sentence that names the place."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "record"
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message[:1].lower()}{message[1:]}"


class Rejection(Record):
    """A raw line that was left out: where it stands, and why."""

    line: int
    reason: Reason
    detail: str
    interaction_id: str | None = None


class Assignment(Record):
    """An example's group and the split that the group is in, for ever."""

    interaction_id: str
    group: str
    split: Split
    domain: str


class Snapshot(Record):
    """The manifest of an immutable copy of the dataset: SHA-256 by file, and the counts."""

    files: dict[str, str]
    counts: dict[str, int]
    near_duplicate_threshold: float


class BaseReference(Record):
    """Which base an adapter belongs to; ``identity`` is a hash of its configuration."""

    name: str
    location: str
    revision: str | None
    identity: str


class AdapterManifest(Record):
    """What an adapter was made of and what came of it; written last: where it is, the adapter is whole."""

    name: str
    domain: str
    version: int
    base: BaseReference
    snapshot: str
    examples: int
    domain_examples: int
    settings: dict[str, dict[str, Any]]
    seed: int
    steps: int
    best_step: int
    train_loss: float
    val_loss: float | None
    seconds: float
    created: str
    versions: dict[str, str]
    files: dict[str, str]


class Row(Record):
    """One test example under base and adapter.

    Losses are nats a token on the expert's answer; margins are the mean log-probability of a token of
    the expert's answer less that of the local one's; exact is None where the expert's answer is not JSON.
    """

    interaction_id: str
    domain: str
    query: str
    local: str
    expert: str
    tokens: int
    base_loss: float
    adapter_loss: float
    base_margin: float
    adapter_margin: float
    base_answer: str | None = None
    adapter_answer: str | None = None
    base_exact: bool | None = None
    adapter_exact: bool | None = None


Outcome = Literal["better", "worse", "undecided"]


class Comparison(Record):
    """Adapter and base compared in pairs: means, their difference with its 95 % interval, p, the outcome.

    ``needed`` is about how many test examples would decide, None where it cannot be told.
    """

    metric: str
    n: int
    base: float
    adapter: float
    difference: float
    low: float
    high: float
    p: float
    outcome: Outcome
    needed: int | None = None


Verdict = Literal["accept", "reject", "not enough evidence"]


class Scorecard(Record):
    """The gate's verdict on an adapter, with everything that it rests on."""

    adapter: str
    adapter_sha256: str
    base: BaseReference
    verdict: Verdict
    reasons: list[str]
    comparisons: list[Comparison]
    harm: list[Comparison]
    rows: list[Row]
    created: str


class MergedManifest(Record):
    """What a merged model was made of and how it was proved; written last."""

    name: str
    adapter: str
    adapter_sha256: str
    base: BaseReference
    verdict: Verdict
    largest_logit_difference: float
    prompts: int
    sample: dict[str, str]
    created: str
    files: dict[str, str]
