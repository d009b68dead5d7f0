"""The parts in which an answer is streamed, the same for every protocol, the answer made of them, and who writes it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from weakspot.records.strict_json import parse_strict_json

StopReason = Literal["stop", "tool_calls", "length", "refused"]


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of the reasoning before the answer: sent to the client, never stored."""

    text: str


@dataclass(frozen=True, slots=True)
class ThoughtsEnded:
    """All text so far was thoughts: a server that begins inside of them says so only at their end."""


@dataclass(frozen=True, slots=True)
class Call:
    """A piece of the tool call number ``index``; ``id`` and ``name`` are set in its first piece only."""

    index: int
    arguments: str
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of the answer: why it ended, and the numbers of tokens where the server gives them."""

    reason: StopReason
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


Part = Text | Thought | ThoughtsEnded | Call | Finished


class StreamError(ValueError):
    """A stream that cannot be read further: the server reports an error, or violates its protocol."""


@dataclass
class Answer:
    """An answer put together from its parts; ``finished`` is None as long as its end has not come."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: dict[int, Call] = field(default_factory=dict)
    finished: Finished | None = None

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "Answer":
        """Return the answer that consists of these parts."""
        answer = cls()
        for part in parts:
            answer.add(part)
        return answer

    def add(self, part: Part) -> None:
        """Add the next part."""
        match part:
            case Text(text):
                self.texts.append(text)
            case Thought(text):
                self.thoughts.append(text)
            case ThoughtsEnded():
                self.thoughts += self.texts
                self.texts.clear()
            case Call(index, arguments, identity, name):
                so_far = self.calls.get(index, Call(index, ""))
                self.calls[index] = Call(
                    index, so_far.arguments + arguments, so_far.id or identity, so_far.name or name
                )
            case Finished():
                self.finished = part

    @property
    def text(self) -> str:
        """The text of the answer."""
        return _join_pieces(self.texts)

    @property
    def thought(self) -> str:
        """The reasoning before the answer."""
        return _join_pieces(self.thoughts)

    @property
    def empty(self) -> bool:
        """Whether there is neither text nor a tool call."""
        return not self.text.strip() and not self.calls

    @property
    def complete(self) -> bool:
        """Whether the answer is complete: not cut by a limit, a refusal or a lost connection."""
        whole = self.finished is not None and self.finished.reason in ("stop", "tool_calls")
        return whole and all(parse_arguments(call.arguments) is not None for call in self.calls.values())

    def turn(self) -> dict[str, Any]:
        """Return the message with the reasoning before it, as local servers return it."""
        return {**self.message(), **({"reasoning_content": self.thought} if self.thought else {})}

    def message(self) -> dict[str, Any]:
        """Return the answer as an assistant's message of the OpenAI chat format."""
        if not self.calls:
            return {"role": "assistant", "content": self.text}
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
            for call in self.calls.values()
        ]
        return {"role": "assistant", "content": self.text or None, "tool_calls": calls}


class AnswerWriter(Protocol):
    """Writes one answer for a client: as a stream of events, or whole."""

    @property
    def id(self) -> str:
        """The answer's id, by which the client knows it."""

    def begin(self) -> bytes:
        """Return the events before the first part."""

    def write(self, part: Part) -> bytes:
        """Return the events of one part."""

    def end(self) -> bytes:
        """Return the events after the last part."""

    def error_event(self, status: int, message: str) -> bytes:
        """Return the events that end a stream early with an error."""

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Return the whole answer as one body."""


def parse_arguments(arguments: Any) -> dict[str, Any] | None:
    """Return a tool call's arguments, a mapping or its JSON; None for anything else, as for a call that was cut."""
    try:
        value = parse_strict_json(arguments or "{}") if isinstance(arguments, str) else arguments
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def readable_arguments(arguments: Any) -> dict[str, Any]:
    """Return a tool call's arguments; those that cannot be parsed become a text under the key ``unreadable``."""
    value = parse_arguments(arguments)
    return {"unreadable": str(arguments)} if value is None else value


def _join_pieces(pieces: list[str]) -> str:
    # Some servers split a character in two surrogates, each escaped by itself.
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
