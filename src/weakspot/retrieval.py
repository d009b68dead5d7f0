"""Past expert answers to similar questions, put in front of a question: what a weak model can do without training."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from weakspot.capture.conversation import Conversation, Messages
from weakspot.capture.decisions import Decisions, read_decisions
from weakspot.capture.trigger_phrases import spoken
from weakspot.config import Config
from weakspot.dataset.bm25 import Ranking, compared
from weakspot.dataset.near_duplicates import grams, jaccard
from weakspot.records import Interaction, Message, normalised
from weakspot.records.parsing import RecordError, parse_interaction
from weakspot.settings import Retrieval
from weakspot.storage import append_log
from weakspot.storage.atomic import FileState
from weakspot.workspace import Workspace

# Similarity picks from the best ranked: a text of rare words may rank first and be less alike.
_CANDIDATES = 20
_SYSTEM = ("system", "developer")


@dataclass(frozen=True)
class Found:
    """A past question with the expert's answer; ``similarity`` to the question asked is 0 to 1."""

    interaction_id: str
    question: str
    answer: str
    similarity: float


class Examples:
    """Questions that stand by themselves, with the expert's answers, searchable as they are added."""

    def __init__(self, settings: Retrieval) -> None:
        self._settings = settings
        self._ranking = Ranking()
        self._pairs: list[tuple[str, str, str]] = []
        self._numbers: dict[str, int] = {}

    def add(self, example: Interaction) -> None:
        """Add an example; it replaces one of the same id or the same question, since the latest answer counts.

        Left out is what shows the model nothing to do alike: a question that refers to what was said before it,
        an answer that calls tools or rests on what they found, and what is longer than may ever be shown.
        """
        question, answer = spoken(example.query.text), example.expert
        for key in _keys(example.id, question):
            if (old := self._numbers.pop(key, None)) is not None:
                self._ranking.remove(old)
        if len(example.prompt) > 1 + len([m for m in example.context if m.role == "system"]):
            return
        if answer.tool_calls or not question or len(question) + len(answer.text) > self._settings.max_characters:
            return
        number = self._ranking.add(question)
        self._pairs.append((example.id, question, answer.text))
        self._numbers.update(dict.fromkeys(_keys(example.id, question), number))

    def search(self, question: str) -> list[Found]:
        """Return the most similar questions that the settings let in, the most similar first."""
        question = spoken(question)
        if not question:
            return []
        own = grams(compared(question))
        candidates = [self._pairs[number] for number in self._ranking.best(question, _CANDIDATES)]
        alike = [Found(*pair, jaccard(own, grams(compared(pair[1])))) for pair in candidates]
        found: list[Found] = []
        room = self._settings.max_characters
        for one in sorted(alike, key=lambda one: -one.similarity):
            size = len(one.question) + len(one.answer)
            if one.similarity >= self._settings.min_similarity and size <= room:
                found.append(one)
                room -= size
        return found[: self._settings.examples]


def _keys(identity: str, question: str) -> tuple[str, str]:
    return f"id {identity}", f"question {normalised(question).casefold()}"


class Index:
    """The captured interactions that may be trained on, as examples; may be used by several threads at once."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self._workspace, self._settings = workspace, config.retrieval
        self._examples, self._decisions = Examples(self._settings), Decisions()
        self._raw, self._decided, self._last_offset = FileState(), FileState(), -1
        self._mended: set[str] = set()
        self._refreshing, self._using = threading.Lock(), threading.Lock()

    def refresh(self) -> None:
        """Take in what was captured since the last call, and everything anew after a decision of a person.

        Returns at once where another thread is at it. Raises :class:`UserError` for a damaged decision until it is
        mended: it may forbid something.
        """
        if not self._refreshing.acquire(blocking=False):
            return
        try:
            raw, decided = FileState.of(self._workspace.raw), FileState.of(self._workspace.decisions)
            if decided != self._decided or raw.inode != self._raw.inode or raw.size < self._raw.size:
                self._take_in_all()
            elif raw != self._raw:
                self._take_in(self._examples, self._using)
            self._raw, self._decided = raw, decided
        finally:
            self._refreshing.release()

    def search(self, conversation: Conversation) -> list[Found]:
        """Return the examples for the last question of a conversation, the most similar first."""
        with self._using:
            return self._examples.search(conversation.query)

    def _take_in_all(self) -> None:
        self._decisions, self._last_offset = read_decisions(self._workspace), -1
        self._mended = set()
        fresh = Examples(self._settings)
        self._take_in(fresh, threading.Lock())
        with self._using:
            self._examples = fresh

    def _take_in(self, examples: Examples, lock: threading.Lock) -> None:
        for line in append_log.read_lines(self._workspace.raw):
            if line.offset <= self._last_offset:
                continue
            self._last_offset = line.offset
            try:
                captured = parse_interaction(line.data)
                self._decisions.require_allowed(captured)
            except RecordError:
                continue  # process reports it, with its line number
            revised = self._decisions.revised(captured)
            if revised is not captured:
                self._mended.add(captured.content_key())
            elif self._mended and captured.content_key() in self._mended:
                continue  # what a person mended does not come back by a copy
            with lock:  # for one at a time, so that no question waits for all of them
                examples.add(revised)


def augmented(index: Index, conversation: Conversation) -> Messages:
    """Return a conversation with what ``index`` has for its last question; reads what is new first.

    Found pairs stand as earlier turns behind the system's own, the most similar last. Raises :class:`UserError`
    as :meth:`Index.refresh` does.
    """
    index.refresh()
    messages = conversation.messages
    place = _behind_system([str(message.get("role")) for message in messages])
    return [*messages[:place], *_turns(index.search(conversation)), *messages[place:]]


def with_examples(example: Interaction, found: Sequence[Found]) -> Interaction:
    """Return an interaction with found pairs in its context, as :func:`augmented` puts them into a conversation."""
    turns = [Message.model_validate(turn) for turn in _turns(found)]
    place = _behind_system([message.role for message in example.messages])
    return example.model_copy(update={"messages": [*example.messages[:place], *turns, *example.messages[place:]]})


def _turns(found: Sequence[Found]) -> Messages:
    pairs = [(("user", one.question), ("assistant", one.answer)) for one in reversed(found)]
    return [{"role": role, "content": text} for pair in pairs for role, text in pair]


def _behind_system(roles: Sequence[str]) -> int:
    return next((place for place, role in enumerate(roles) if role not in _SYSTEM), len(roles))
