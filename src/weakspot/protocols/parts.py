"""An answer on its way, in the pieces that every protocol streams it in."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

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


@dataclass
class Answer:
    """An answer put together from its parts; ``finished`` is None until, or unless, it came to its end."""

    text: str = ""
    thoughts: str = ""
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
                self.text += text
            case Thought(text):
                self.thoughts += text
            case Call(index, arguments, identity, name):
                so_far = self.calls.get(index, Call(index, ""))
                self.calls[index] = Call(
                    index, so_far.arguments + arguments, so_far.id or identity, so_far.name or name
                )
            case Finished():
                self.finished = part

    @property
    def empty(self) -> bool:
        """Whether nothing was said and no tool called."""
        return not self.text.strip() and not self.calls

    @property
    def complete(self) -> bool:
        """Whether the answer came to its own end: not cut by a limit, a refusal or a lost connection."""
        return self.finished is not None and self.finished.reason in ("stop", "tool_calls") and not self._broken()

    def message(self) -> dict[str, Any]:
        """Return the answer as an assistant's message of the OpenAI chat format."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments or "{}"},
                }
                for call in self.calls.values()
            ]
        elif not self.text:
            message["content"] = ""
        return message

    def _broken(self) -> bool:
        """Whether a tool call's arguments are no JSON, as they are when a stream was cut inside them."""
        for call in self.calls.values():
            try:
                json.loads(call.arguments or "{}")
            except ValueError:
                return True
        return False
