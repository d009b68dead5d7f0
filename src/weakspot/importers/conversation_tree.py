"""A conversation as a tree of turns: it branches where an answer was regenerated or a question edited."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from weakspot.protocols.parts import StopReason
from weakspot.records import Message


@dataclass(frozen=True, slots=True)
class Turn:
    """One node of a conversation's tree; without ``messages`` it only links others.

    ``parent`` is the id of the turn before, None where the conversation begins. A user's message has a turn of
    its own. Pieces of the same message of a model share their ``reply``. ``broken_off`` says that the answer
    which ends here is incomplete; ``stop`` why a model stopped, where that is known. ``rating`` is above 0 for a
    thumbs-up and below for a thumbs-down, with the reader's ``comment``. ``odd`` is what a person should know of it.
    """

    id: str
    parent: str | None
    messages: tuple[Message, ...] = ()
    model: str | None = None
    moment: datetime | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    stop: StopReason | None = None
    broken_off: bool = False
    reply: str = ""
    rating: int = 0
    comment: str = ""
    odd: tuple[str, ...] = ()

    @property
    def question(self) -> str | None:
        """The user's text, None in a turn of somebody else."""
        return self.messages[0].content or "" if self.messages and self.messages[0].role == "user" else None

    @property
    def answers(self) -> bool:
        """Whether it is a turn of a model."""
        return any(message.role == "assistant" for message in self.messages)


@dataclass(frozen=True)
class Conversation:
    """The turns of one conversation in the order in which they were made, with the tools the models could call.

    ``number`` says where in its file it begins. ``by_text`` says that it was put together of requests, by their equal
    texts; ``who`` is the person or the session that all of them name, empty where they name none.
    """

    id: str
    number: int
    turns: list[Turn]
    tools: list[Any] = field(default_factory=list)
    by_text: bool = False
    who: str = ""


class Tree:
    """The turns of a conversation by their id; a turn whose parent is missing, or part of a circle, is a root."""

    def __init__(self, turns: list[Turn]) -> None:
        self._place: dict[str, int] = {}
        self.turns: list[Turn] = []
        for turn in turns:
            place = self._place.setdefault(turn.id, len(self.turns))
            if place == len(self.turns):
                self.turns.append(turn)
            # Some programs write a turn again: when they go on with a session, or as an answer grows.
            elif _is_more(turn, self.turns[place]):
                self.turns[place] = turn
        self._children: dict[str, list[Turn]] = {}
        for turn in self.turns:
            if (parent := self.parent(turn)) is not None:
                self._children.setdefault(parent.id, []).append(turn)

    def parent(self, turn: Turn) -> Turn | None:
        """Return the turn before, None at the beginning."""
        place = len(self.turns) if turn.parent is None else self._place.get(turn.parent, len(self.turns))
        return self.turns[place] if place < self._place[turn.id] else None

    def path(self, turn: Turn) -> list[Turn]:
        """Return the turns from the beginning to ``turn``."""
        found = [turn]
        while (parent := self.parent(found[-1])) is not None:
            found.append(parent)
        return found[::-1]

    def before(self, turn: Turn) -> str | None:
        """Return the id of the nearest earlier turn on the path that has messages."""
        parent = self.parent(turn)
        while parent is not None and not parent.messages:
            parent = self.parent(parent)
        return parent.id if parent else None

    def replies(self, turn: Turn) -> list[list[Turn]]:
        """Return every answer to a user's turn, oldest first: the turns from it to the answer's last message."""
        speakers = sorted((one for one in self.rest(turn) if one.answers), key=lambda one: self._place[one.id])
        spoke_before: set[str] = set()
        for speaker in speakers:
            above = self.parent(speaker)
            while above is not None and above.id != turn.id and not above.answers:
                above = self.parent(above)
            if above is not None:
                spoke_before.add(above.id)
        depth = len(self.path(turn))
        return [self.path(one)[depth:] for one in speakers if one.id not in spoke_before]

    def rest(self, turn: Turn) -> Iterator[Turn]:
        """Yield the turns after ``turn`` up to the user's next one, on every branch."""
        waiting = [turn]
        while waiting:
            for child in self._children.get(waiting.pop().id, ()):
                if child.question is None:
                    waiting.append(child)
                    yield child


def _is_more(turn: Turn, written: Turn) -> bool:
    """Return whether a turn says all that was written under its id before, and more."""
    said, before = ([message.text for message in one.messages] for one in (turn, written))
    same = len(said) >= len(before) and all(a.startswith(b) for a, b in zip(said, before, strict=False))
    return same and said != before and turn.parent == written.parent
