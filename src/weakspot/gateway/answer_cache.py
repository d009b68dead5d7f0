"""Cache of the local model's latest answers, for clients that leave them out when they consult."""

import json
from collections import OrderedDict
from typing import NamedTuple

from weakspot.capture.conversation import Conversation
from weakspot.protocols import openai_chat
from weakspot.protocols.parts import Answer, StreamError
from weakspot.protocols.turns import Messages


class _CachedAnswer(NamedTuple):
    """The messages between query and answer as JSON, and the answer as it was sent to the client."""

    steps: bytes
    answer: bytes


class AnswerCache:
    """Keeps answers as the bytes that were sent to the client, and parses one only when it is asked for.

    The oldest are dropped when all together are larger than ``most_bytes``.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._heard: OrderedDict[bytes, _CachedAnswer] = OrderedDict()

    def remember(self, conversation: Conversation, answer: bytes) -> None:
        """Keep the server's answer to a conversation: a whole body, or a recorded stream."""
        messages, query = conversation.messages, conversation.end_of_query
        asked = conversation if conversation.ends_in_query else Conversation(messages[:query])
        key, steps = asked.key, json.dumps(messages[query:]).encode()
        self._forget(key)
        self._heard[key] = _CachedAnswer(steps, answer)
        self._bytes += len(steps) + len(answer)
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._heard)))

    def recall(self, conversation: Conversation) -> Messages:
        """Return the local model's turn that followed a conversation, which ends in a query; empty if unknown."""
        heard = self._heard.get(conversation.key)
        if heard is None:
            return []
        try:
            answer = Answer.of(openai_chat.parts_of_answer(heard.answer))
        except StreamError:
            return []
        return [] if answer.empty else [*json.loads(heard.steps), answer.turn()]

    def _forget(self, key: bytes) -> None:
        if (gone := self._heard.pop(key, None)) is not None:
            self._bytes -= len(gone.steps) + len(gone.answer)
