"""An answer on its way, in the pieces that every protocol streams it in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from weakspot.records.strict_json import decoded

StopReason = Literal["stop", "tool_calls", "length", "refused"]


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of what is said."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of what is thought before: passed on to the client, never kept."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A piece of the tool call number ``index``; ``id`` and ``name`` are set in its first piece only."""

    index: int
    arguments: str
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of the answer, why it ended, and what it cost in tokens where that is told."""

    reason: StopReason
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


Part = Text | Thought | Call | Finished


class StreamError(ValueError):
    """A stream that cannot be read on: the server reports an error, or does not keep to its protocol."""


@dataclass
class Answer:
    """An answer put together from its parts; ``finished`` is None until, or unless, it came to its end."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: dict[int, Call] = field(default_factory=dict)
    finished: Finished | None = None

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "Answer":
        """Put together what is there."""
        answer = cls()
        for part in parts:
            answer.add(part)
        return answer

    def add(self, part: Part) -> None:
        """Take in the next part."""
        match part:
            case Text(text):
                self.texts.append(text)
            case Thought(text):
                self.thoughts.append(text)
            case Call(index, arguments, identity, name):
                so_far = self.calls.get(index, Call(index, ""))
                self.calls[index] = Call(
                    index, so_far.arguments + arguments, so_far.id or identity, so_far.name or name
                )
            case Finished():
                self.finished = part

    @property
    def text(self) -> str:
        """What was said."""
        return _joined(self.texts)

    @property
    def thought(self) -> str:
        """What was thought before."""
        return _joined(self.thoughts)

    @property
    def empty(self) -> bool:
        """Whether nothing was said and no tool called."""
        return not self.text.strip() and not self.calls

    @property
    def complete(self) -> bool:
        """Whether the answer came to its own end: not cut by a limit, a refusal or a lost connection."""
        whole = self.finished is not None and self.finished.reason in ("stop", "tool_calls")
        return whole and all(read_arguments(call.arguments) is not None for call in self.calls.values())

    def message(self) -> dict[str, Any]:
        """Return the answer as an assistant's message of the OpenAI chat format."""
        if not self.calls:
            return {"role": "assistant", "content": self.text}
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
            for call in self.calls.values()
        ]
        return {"role": "assistant", "content": self.text or None, "tool_calls": calls}


def read_arguments(arguments: Any) -> dict[str, Any] | None:
    """Return a tool call's arguments, a mapping or its JSON; None for anything else, as for a call that was cut."""
    try:
        value = decoded(arguments or "{}") if isinstance(arguments, str) else arguments
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def shown_arguments(arguments: Any) -> dict[str, Any]:
    """Return a tool call's arguments, those that cannot be read as a text under a key of its own."""
    value = read_arguments(arguments)
    return {"unreadable": str(arguments)} if value is None else value


def _joined(pieces: list[str]) -> str:
    # Some servers cut a character in two, each half escaped for itself.
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
