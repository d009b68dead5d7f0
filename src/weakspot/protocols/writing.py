"""What a writer of answers does, the same for every protocol."""

from typing import Any, Protocol

from weakspot.protocols.parts import Answer, Part


class AnswerWriter(Protocol):
    """Writes one answer for a client: as a stream of events, or whole."""

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
