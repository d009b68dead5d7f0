"""The local model's latest answers, for clients that leave them out when they consult."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from weakspot.capture.consulting import conversation_key
from weakspot.protocols import openai_chat
from weakspot.protocols.parts import Answer
from weakspot.strict_json import decoded


class Attempts:
    """Remembers answers as the bytes that were passed on, and reads them only when one is asked for.

    The oldest are forgotten when all together are larger than ``most_bytes``.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._answers: OrderedDict[bytes, tuple[list[dict[str, Any]], bytes, bool]] = OrderedDict()

    def remember(self, messages: Sequence[dict[str, Any]], answer: bytes, *, streamed: bool) -> None:
        """Keep the server's answer to ``messages``: a whole body, or a recorded stream."""
        if len(answer) > self._most_bytes:
            return
        query = _after_query(messages)
        key = conversation_key(messages[:query])
        self._forget(key)
        self._answers[key] = (list(messages[query:]), answer, streamed)
        self._bytes += len(answer)
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._answers)))

    def recall(self, messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the local model's turn that followed ``messages``, which end in a query; empty if unknown."""
        steps, data, streamed = self._answers.get(conversation_key(messages), ([], b"", False))
        if not data:
            return []
        try:
            parts = openai_chat.parts_of_stream(data) if streamed else openai_chat.parts_of_completion(_body(data))
            answer = Answer.of(parts)
        except ValueError:
            return []
        return [] if answer.empty else [*steps, answer.message()]

    def _forget(self, key: bytes) -> None:
        gone = self._answers.pop(key, None)
        self._bytes -= len(gone[1]) if gone else 0


def _after_query(messages: Sequence[dict[str, Any]]) -> int:
    return max((n + 1 for n, message in enumerate(messages) if message.get("role") == "user"), default=len(messages))


def _body(data: bytes) -> dict[str, Any]:
    value = decoded(data.decode("utf-8", "replace"))
    return value if isinstance(value, dict) else {}
