"""A conversation as a client sent it, which knows its user's turns, its query and its key: each is found once."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from weakspot.capture.frames import Unframed, unframe
from weakspot.protocols.turns import Messages, canonical_turns, text_of


@dataclass(frozen=True)
class Conversation:
    """The messages of a request as :func:`canonical_turns` returns them; empty where the request holds none."""

    messages: Messages

    @classmethod
    def of(cls, messages: Any) -> "Conversation":
        """Return the conversation that a request's ``messages`` are, an empty one where they are none."""
        sound = isinstance(messages, list) and all(isinstance(message, dict) for message in messages)
        return cls(canonical_turns(messages) if sound else [])

    def __bool__(self) -> bool:
        return bool(self.messages)

    def iter_user_turns(self) -> Iterator[tuple[int, str]]:
        """Yield place and words of each turn of the user, the last first.

        What agents write in the user's name between tool calls has nothing of the user in it, and is left out.
        """
        for place in reversed(range(len(self.messages))):
            if said := self._words(place):
                yield place, said

    @cached_property
    def _query(self) -> tuple[int, str]:
        """Place and words of the user's last turn; -1 where there is none."""
        return next(self.iter_user_turns(), (-1, ""))

    @property
    def end_of_query(self) -> int:
        """How many messages there are up to the user's last turn, with it; all where there is none."""
        return self._query[0] + 1 or len(self.messages)

    @property
    def ends_in_query(self) -> bool:
        """Whether nothing follows the user's last turn."""
        return self.end_of_query == len(self.messages)

    @property
    def query(self) -> str:
        """The text of the user's last turn as it was sent; empty where there is none."""
        place = self._query[0]
        return text_of(self.messages[place].get("content")) or "" if place >= 0 else ""

    @property
    def words(self) -> str:
        """The words of the user's last turn, without what programs write around them; empty where there is none."""
        return self._query[1]

    def remember(self) -> None:
        """Find out now what is found once: words, key and kind, which takes time for a long conversation."""
        _ = self._query, self.key, self.is_client_request

    @cached_property
    def is_client_request(self) -> bool:
        """Whether it is a request of the client for itself, such as one for a title; it may repeat the user's words."""
        users = [place for place, one in enumerate(self.messages) if one.get("role") == "user"]
        return any(self._unframed(place).is_client_request for place in (*users[:1], *users[-1:]))

    @cached_property
    def key(self) -> bytes:
        """What tells one conversation from another: a hash of what was said, programs' and the system's words aside."""
        said = [
            (
                message.get("role"),
                " ".join((self._words(place) or text_of(message.get("content")) or "").split()),
                message.get("tool_call_id"),
            )
            for place, message in enumerate(self.messages)
            if message.get("role") != "system"
        ]
        return hashlib.sha256(json.dumps(said).encode()).digest()

    @cached_property
    def first_question(self) -> "Conversation":
        """The same up to the user's first turn."""
        users = (place for place, message in enumerate(self.messages) if message.get("role") == "user")
        return Conversation(self.messages[: next(users, 0) + 1])

    @cached_property
    def _found(self) -> dict[int, Unframed]:
        """What was found in the user's messages so far."""
        return {}

    def _unframed(self, place: int) -> Unframed:
        """Return what a message of the user holds; it is found once."""
        if place not in self._found:
            self._found[place] = unframe(text_of(self.messages[place].get("content")) or "")
        return self._found[place]

    def _words(self, place: int) -> str:
        """Return what the user said in a message, empty where it is another's or nothing of it is the user's."""
        return self._unframed(place).words if self.messages[place].get("role") == "user" else ""
