"""Retrieval: puts past expert answers to similar questions in front of a question, for models without training."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from weakspot.capture.conversation import Conversation
from weakspot.capture.decisions import Decisions, load_decisions
from weakspot.capture.frames import user_text
from weakspot.config import Config
from weakspot.dataset.bm25 import Ranking, head_and_tail
from weakspot.dataset.near_duplicates import grams, jaccard
from weakspot.protocols.turns import Messages
from weakspot.records import Interaction, Message, normalise_text
from weakspot.records.parsing import RecordError, parse_interaction
from weakspot.settings import Retrieval
from weakspot.storage import append_log
from weakspot.storage.atomic import FileState
from weakspot.workspace import Workspace

# The most similar of the best ranked are taken: a text with rare words may rank first and be less similar.
_CANDIDATES = 20
_SYSTEM = ("system", "developer")


@dataclass(frozen=True)
class RetrievedExample:
    """A past question with the expert's answer; ``similarity`` to the current question is 0 to 1."""

    interaction_id: str
    question: str
    answer: str
    similarity: float


class Examples:
    """Self-contained questions with the expert's answers; each can be searched as soon as it is added."""

    def __init__(self, settings: Retrieval) -> None:
        self._settings = settings
        self._ranking = Ranking()
        self._pairs: list[tuple[str, str, str]] = []
        self._numbers: dict[str, int] = {}

    def add(self, example: Interaction) -> None:
        """Add an example; it replaces one of the same id or the same question, since the latest answer counts.

        Left out is what the model cannot imitate: a question that refers to earlier turns, an answer that calls
        tools or rests on their results, and what is longer than ``max_characters``.
        """
        question, answer = user_text(example.query.text), example.expert
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

    def search(self, question: str) -> list[RetrievedExample]:
        """Return similar questions within the limits of the settings, the most similar first."""
        question = user_text(question)
        if not question:
            return []
        own = grams(head_and_tail(question))
        candidates = [self._pairs[number] for number in self._ranking.best(question, _CANDIDATES)]
        alike = [RetrievedExample(*pair, jaccard(own, grams(head_and_tail(pair[1])))) for pair in candidates]
        found: list[RetrievedExample] = []
        room = self._settings.max_characters
        for one in sorted(alike, key=lambda one: -one.similarity):
            size = len(one.question) + len(one.answer)
            if one.similarity >= self._settings.min_similarity and size <= room:
                found.append(one)
                room -= size
        return found[: self._settings.examples]


def _keys(identity: str, question: str) -> tuple[str, str]:
    return f"id {identity}", f"question {normalise_text(question).casefold()}"


class ExampleIndex:
    """Index of the captured interactions that may be trained on; several threads may use it at once."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self._workspace, self._settings = workspace, config.retrieval
        self._examples, self._decisions = Examples(self._settings), Decisions()
        self._raw, self._decided, self._last_offset = FileState(), FileState(), -1
        self._mended: set[str] = set()
        self._refreshing, self._using = threading.Lock(), threading.Lock()

    def refresh(self) -> None:
        """Add what was captured since the last call; after a person's decision, read everything again.

        Returns at once if another thread is refreshing. Raises :class:`UserError` for a damaged decision until it is
        mended, since it may forbid something.
        """
        if not self._refreshing.acquire(blocking=False):
            return
        try:
            raw, decided = FileState.of(self._workspace.raw), FileState.of(self._workspace.decisions)
            if decided != self._decided or raw.inode != self._raw.inode or raw.size < self._raw.size:
                self._reload()
            elif raw != self._raw:
                self._add_new_examples(self._examples, self._using)
            self._raw, self._decided = raw, decided
        finally:
            self._refreshing.release()

    def search(self, conversation: Conversation) -> list[RetrievedExample]:
        """Return the examples for the last question of a conversation, the most similar first."""
        with self._using:
            return self._examples.search(conversation.query)

    def _reload(self) -> None:
        self._decisions, self._last_offset = load_decisions(self._workspace), -1
        self._mended = set()
        fresh = Examples(self._settings)
        self._add_new_examples(fresh, threading.Lock())
        with self._using:
            self._examples = fresh

    def _add_new_examples(self, examples: Examples, lock: threading.Lock) -> None:
        for line in append_log.read_lines(self._workspace.raw):
            if line.offset <= self._last_offset:
                continue
            self._last_offset = line.offset
            try:
                captured = parse_interaction(line.data)
                self._decisions.require_permission(captured)
            except RecordError:
                continue  # process reports it, with its line number
            revised = self._decisions.with_edits(captured)
            if revised is not captured:
                self._mended.add(captured.content_key())
            elif self._mended and captured.content_key() in self._mended:
                continue  # an unedited copy of an edited interaction is left out
            with lock:  # for one example at a time, so that no search waits for all of them
                examples.add(revised)


def augment_messages(index: ExampleIndex, conversation: Conversation) -> Messages:
    """Return a conversation with examples for its last question; refreshes ``index`` first.

    The examples are earlier turns, after the system's messages, the most similar last. Raises :class:`UserError`
    for a damaged decision.
    """
    index.refresh()
    messages = conversation.messages
    place = _behind_system([str(message.get("role")) for message in messages])
    return [*messages[:place], *_turns(index.search(conversation)), *messages[place:]]


def with_examples(example: Interaction, found: Sequence[RetrievedExample]) -> Interaction:
    """Return an interaction with the examples as earlier turns, after the system's messages."""
    turns = [Message.model_validate(turn) for turn in _turns(found)]
    place = _behind_system([message.role for message in example.messages])
    return example.model_copy(update={"messages": [*example.messages[:place], *turns, *example.messages[place:]]})


def _turns(found: Sequence[RetrievedExample]) -> Messages:
    pairs = [(("user", one.question), ("assistant", one.answer)) for one in reversed(found)]
    return [{"role": role, "content": text} for pair in pairs for role, text in pair]


def _behind_system(roles: Sequence[str]) -> int:
    return next((place for place, role in enumerate(roles) if role not in _SYSTEM), len(roles))
