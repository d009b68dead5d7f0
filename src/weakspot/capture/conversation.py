"""A conversation as a client sent it, which knows its user's turns, its query and its key: each is found once."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from weakspot.capture.trigger_phrases import user_text

Messages = list[dict[str, Any]]


@dataclass(frozen=True)
class Conversation:
    """The messages of a request, in the form of a chat completion's; empty where the request holds none."""

    messages: Messages

    def __bool__(self) -> bool:
        return bool(self.messages)

    @cached_property
    def user_turns(self) -> list[tuple[int, str]]:
        """Place and words of each turn of the user, the last first.

        What agents write in the user's name between tool calls has nothing of the user in it, and is left out.
        """
        return [
            (place, said)
            for place in reversed(range(len(self.messages)))
            if self.messages[place].get("role") == "user"
            and (said := user_text(text_of(self.messages[place].get("content")) or ""))
        ]

    @property
    def end_of_query(self) -> int:
        """How many messages there are up to the user's last turn, with it; all where there is none."""
        return self.user_turns[0][0] + 1 if self.user_turns else len(self.messages)

    @property
    def ends_in_query(self) -> bool:
        """Whether nothing follows the user's last turn."""
        return self.end_of_query == len(self.messages)

    @property
    def query(self) -> str:
        """The text of the user's last turn as it was sent; empty where there is none."""
        asked = self.messages[self.end_of_query - 1] if self.messages else {}
        return text_of(asked.get("content")) or "" if asked.get("role") == "user" else ""

    @property
    def words(self) -> str:
        """The words of the last turn up to the query, without what programs write around them."""
        return user_text(text_of(self.messages[self.end_of_query - 1].get("content")) or "") if self.messages else ""

    @cached_property
    def key(self) -> bytes:
        """What tells one conversation from another: a hash of what was said, the system's words aside."""
        said = [
            (
                message.get("role"),
                " ".join((text_of(message.get("content")) or "").split()),
                message.get("tool_call_id"),
            )
            for message in self.messages
            if message.get("role") not in ("system", "developer")
        ]
        return hashlib.sha256(json.dumps(said).encode()).digest()

    @cached_property
    def first_question(self) -> "Conversation":
        """The same up to the user's first turn."""
        users = (place for place, message in enumerate(self.messages) if message.get("role") == "user")
        return Conversation(self.messages[: next(users, 0) + 1])


def text_of(content: Any) -> str | None:
    """Return the text of a message's content, None where it has none."""
    if content is None or isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "\n".join(str(part.get("text")) if part.get("type") == "text" else f"[{part.get('type')}]" for part in parts)
