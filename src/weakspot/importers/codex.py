"""Imports Codex's sessions: one event per line, ``rollout-….jsonl`` below ``~/.codex/sessions``."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from weakspot.capture.frames import user_text
from weakspot.importers import messages
from weakspot.importers.conversation_tree import Conversation, Turn
from weakspot.importers.json_stream import BadLine, LeftOut, entries
from weakspot.importers.response_items import call_of, result_of
from weakspot.importers.times import parse_time
from weakspot.records import Message
from weakspot.records.parsing import RecordError

Object = dict[str, Any]
_KINDS = ("session_meta", "response_item", "event_msg", "turn_context", "compacted")


def claims(value: Object) -> bool:
    """Return whether an object is a line of a session; the first versions wrote its items bare."""
    if isinstance(value.get("payload"), dict):
        return value.get("type") in _KINDS
    return "instructions" in value and isinstance(value.get("timestamp"), str) and isinstance(value.get("id"), str)


def conversations(file: Path) -> Iterator[Conversation | BadLine | LeftOut]:
    """Yield the session of a file, behind the lines of it that could not be read; one of a subagent is left out.

    A compaction's summary stands for the turns before it, as it did for the model. Turns that the user took back are
    a branch of their own.
    """
    session = _Session()
    for entry in entries(file):
        try:
            session.add(entry.number, entry.value())
        except RecordError as error:
            yield BadLine(entry.number, error.reason, error.detail, str(file))
    if session.is_subagents:
        yield LeftOut(1, "subagent")
    elif turns := session.turns():
        yield Conversation(session.id or file.stem, 1, turns)


class _Session:
    """Collects the turns twice, as many versions write them: the model's items, and what the user saw of them."""

    def __init__(self) -> None:
        self.id, self.is_subagents = "", False
        self._model: str | None = None
        self._items, self._shown = _Thread(), _Thread()

    def turns(self) -> list[Turn]:
        """Return the turns; those of the model's items, unless nobody asks anything in them."""
        asked = any(turn.question is not None for turn in self._items.turns)
        return self._items.turns if asked else self._shown.turns

    def add(self, number: int, value: Object) -> None:
        """Add what a line holds."""
        payload, moment = value.get("payload"), parse_time(value.get("timestamp"))
        line = Turn(str(number), None, model=self._model, moment=moment)
        if not isinstance(payload, dict):
            if "instructions" in value and not self.id:
                self.id = str(value.get("id") or "")
            self._add_item(line, value)
        elif value.get("type") == "session_meta":
            self._begin(payload)
        elif value.get("type") == "turn_context":
            self._model = messages.text_or_none(payload.get("model")) or self._model
        elif value.get("type") == "response_item":
            self._add_item(line, payload)
        elif value.get("type") == "event_msg":
            self._add_event(line, payload)
        elif value.get("type") == "compacted":
            summary = messages.words(payload.get("message"))
            said = (messages.text_message("system", summary),) if summary.strip() else ()
            for thread in (self._items, self._shown):
                thread.restart(replace(line, messages=said))

    def _begin(self, meta: Object) -> None:
        if self.id:  # a copy of the session that this one goes on from
            return
        self.id = str(meta.get("id") or meta.get("session_id") or "")
        source = meta.get("source")
        by_agent = isinstance(source, dict) and "subagent" in source
        self.is_subagents = by_agent or meta.get("thread_source") == "subagent"
        self._model = messages.text_or_none(meta.get("model"))

    def _add_item(self, line: Turn, item: Object) -> None:
        said: tuple[Message, ...] = ()
        if (result := result_of(item)) is not None:
            said = (result,)
        elif (call := call_of(item)) is not None:
            said = messages.answer("", [call])
        elif item.get("type") == "message" and item.get("role") in ("user", "assistant"):
            said = tuple(messages.messages_of(item))
        if said and said[0].role == "user" and not user_text(said[0].content or ""):
            return  # what Codex itself writes in the user's name: instructions, the environment
        if said:
            self._items.add(
                replace(line, messages=said, reply=self._items.reply if said[0].role == "assistant" else "")
            )

    def _add_event(self, line: Turn, event: Object) -> None:
        kind, text = event.get("type"), messages.words(event.get("message"))
        if kind == "item_completed" and isinstance(item := event.get("item"), dict):  # in newer versions
            kind = {"UserMessage": "user_message", "AgentMessage": "agent_message"}.get(str(item.get("type")))
            text = messages.words(item.get("content")) or messages.words(item.get("text"))
        if kind == "user_message" and user_text(text):
            self._shown.add(replace(line, messages=(messages.text_message("user", text),)))
        elif kind == "agent_message" and text.strip():
            self._shown.add(replace(line, messages=messages.answer(text)))
        elif kind == "turn_aborted":
            for thread in (self._items, self._shown):
                thread.add(replace(line, broken_off=True))
        elif kind == "thread_rolled_back" and type(count := event.get("num_turns")) is int:
            for thread in (self._items, self._shown):
                thread.take_back(count)
        elif kind == "token_count" and isinstance(info := event.get("info"), dict):
            counts = info.get("last_token_usage")
            read, written = messages.token_counts(counts if isinstance(counts, dict) else {})
            for thread in (self._items, self._shown):
                thread.count(read, written)


class _Thread:
    """Turns one after the other; what the user took back stays as a branch."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._last: str | None = None
        # Where each turn of the user begins, as far as it was not taken back: the id of the turn before it.
        self._before: list[str | None] = []

    @property
    def reply(self) -> str:
        """What the calls and the words of one answer of the model share: the place behind the last result."""
        last = self.turns[-1] if self.turns else None
        return last.reply or last.id if last else ""

    def add(self, turn: Turn) -> None:
        if turn.question is not None:
            self._before.append(self._last)
        self.turns.append(replace(turn, parent=self._last))
        self._last = turn.id

    def restart(self, turn: Turn) -> None:
        self._last = None
        self._before.clear()
        self.add(turn)

    def take_back(self, count: int) -> None:
        for _ in range(min(count, len(self._before))):
            self._last = self._before.pop()

    def count(self, read: int | None, written: int | None) -> None:
        place = next((n for n in range(len(self.turns) - 1, -1, -1) if self.turns[n].answers), None)
        if place is not None and place > len(self.turns) - 3 and self.turns[place].input_tokens is None:
            self.turns[place] = replace(self.turns[place], input_tokens=read, output_tokens=written)
