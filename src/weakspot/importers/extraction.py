"""Finds the consultations in a conversation: requests for a teacher, and questions asked again of a teacher's model."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from weakspot.capture.frames import user_text
from weakspot.capture.recorder import timestamp
from weakspot.capture.trigger_phrases import Trigger, parse_trigger, trigger_phrase
from weakspot.config import Config
from weakspot.importers.conversation_tree import Conversation, Tree, Turn
from weakspot.protocols.parts import Finished
from weakspot.records import Interaction, Message, normalise_text
from weakspot.records.parsing import RecordError, parse_interaction_object
from weakspot.teachers import cost

IMPORTED_ID_PREFIX = "imp_"
# "continue" and "yes, go on" are said twice without being one question. In bytes: a Chinese word has six.
_SHORTEST_QUESTION_BYTES = 16


def consultations(config: Config, conversation: Conversation, source: str) -> Iterator[Interaction | RecordError]:
    """Yield each consultation of a conversation as an interaction, or the error why it cannot be one.

    There are two kinds. A turn of the user is a trigger phrase after a question and an attempt: the answer to it is
    the expert's. Or a question was answered by a local model and by a teacher's model: regenerated, asked again
    from the same place, or sent again as the next turn. Every model that is no teacher's is a local one.
    """
    finder = _Finder(config, conversation, source)
    for turn in finder.tree.turns:
        if turn.question is not None:
            yield from (
                finder.find_escalation(turn)
                if parse_trigger(config, user_text(turn.question))
                else finder.find_model_switch(turn)
            )


def teacher_of(config: Config, model: str | None) -> str | None:
    """Return the teacher whose name, model or other name occurs in a model's id, the longest one of several."""
    parts = _parts(model or "")
    names = (
        (name, teacher)
        for teacher, table in config.teachers.items()
        for name in (teacher, table.model, *table.names)
        if _parts(name) in parts
    )
    return max(names, key=lambda one: len(one[0]), default=("", None))[1]


def _parts(name: str) -> str:
    return f"-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-"


class _Finder:
    def __init__(self, config: Config, conversation: Conversation, source: str) -> None:
        self._config, self._conversation, self._source = config, conversation, source
        self.tree = Tree(conversation.turns)
        self._results = {
            _call_id(message): message
            for turn in self.tree.turns
            for message in turn.messages
            if message.role == "tool" and _call_id(message)
        }
        self._twins: dict[tuple[str | None, str], list[Turn]] = {}
        for turn in self.tree.turns:
            if turn.question is not None:
                self._twins.setdefault((self.tree.before(turn), normalise_text(turn.question)), []).append(turn)

    def find_escalation(self, turn: Turn) -> Iterator[Interaction | RecordError]:
        """Yield the consultation that the trigger phrase in ``turn`` started."""
        path = self.tree.path(turn)
        users = [place for place, one in enumerate(path) if one.question is not None]
        # A second consultation in a row is still about the question before the first trigger phrase.
        first = next((n for n in range(len(users) - 1, -1, -1) if self.trigger(path[users[n]]) is None), None)
        if first is None:
            return
        query, attempt = users[first], path[users[first] + 1 : users[first + 1]]
        if not any(one.answers for one in attempt):
            return
        replies = self.tree.replies(turn)
        wish = self.trigger(turn)
        if not replies or wish is None:
            yield RecordError("empty-expert", "nobody answered")
            return
        reply = next((one for one in reversed(replies) if self._teacher(one)), replies[-1])
        teacher = self._teacher(reply) or wish.teacher
        yield from self._record(path[: query + 1], attempt, turn.question or "", reply, teacher)

    def find_model_switch(self, turn: Turn) -> Iterator[Interaction | RecordError]:
        """Yield the consultation of a question that both a local and a teacher's model answered."""
        twins = self._twins[self.tree.before(turn), normalise_text(turn.question or "")]
        if turn is not twins[0]:
            return
        replies = [(twin, reply) for twin in twins for reply in self.tree.replies(twin)]
        experts = [(twin, reply) for twin, reply in replies if self._teacher(reply)]
        if not experts:
            return
        asked, expert = experts[-1]
        path = self.tree.path(asked)
        attempts = [reply for _, reply in replies if self._is_local(reply)]
        if not attempts:
            # Sent again as the next turn: the attempt stands between the two.
            earlier = next((n for n in range(len(path) - 2, -1, -1) if path[n].question is not None), None)
            if earlier is None or not _same_question(path[earlier], asked):
                return
            attempts, path = [path[earlier + 1 : -1]], path[: earlier + 1]
            if not self._is_local(attempts[-1]):
                return
        teacher = self._teacher(expert) or ""
        yield from self._record(path, attempts[-1], trigger_phrase(self._config, teacher), expert, teacher)

    def trigger(self, turn: Turn) -> Trigger | None:
        """Return what a turn asks of a teacher, None where it is any other turn."""
        return parse_trigger(self._config, user_text(turn.question or ""))

    def _teacher(self, reply: Sequence[Turn]) -> str | None:
        """Return the teacher whose model gave all of an answer."""
        teachers = {teacher_of(self._config, one.model) for one in reply if one.answers}
        return teachers.pop() if len(teachers) == 1 else None

    def _is_local(self, reply: Sequence[Turn]) -> bool:
        models = [one.model for one in reply if one.answers]
        return bool(models) and all(model and not teacher_of(self._config, model) for model in models)

    def _record(
        self, before: Sequence[Turn], attempt: Sequence[Turn], escalation: str, reply: Sequence[Turn], teacher: str
    ) -> Iterator[Interaction | RecordError]:
        expert = self._messages(reply)
        while expert and expert[-1].role == "tool":  # the answer was broken off before the next step
            expert.pop()
        messages = [*self._messages(before), *self._messages(attempt), Message(role="user", content=escalation)]
        value = {
            "messages": [message.model_dump(exclude_unset=True) for message in (*messages, *expert)],
            "metadata": self._metadata(before[-1], attempt, reply, teacher),
        }
        try:
            yield parse_interaction_object(value, whole=False)
        except RecordError as error:
            yield error

    def _metadata(self, query: Turn, attempt: Sequence[Turn], reply: Sequence[Turn], teacher: str) -> dict[str, Any]:
        end = reply[-1]
        key = "\0".join((self._source, self._conversation.id, query.id, end.id))
        broken_off = end.stop in ("length", "refused") or any(one.broken_off for one in (end, *self.tree.rest(end)))
        local_model = next((one.model for one in reversed(attempt) if one.answers and one.model), None)
        tools = self._conversation.tools
        return {
            "timestamp": timestamp(end.moment or datetime.now(UTC)),
            "interaction_id": f"{IMPORTED_ID_PREFIX}{hashlib.sha256(key.encode()).hexdigest()[:24]}",
            "source": self._source,
            "conversation_id": self._conversation.id,
            **({"incomplete": True} if broken_off else {}),
            "attempt": "sent",
            **({"local_model": local_model} if local_model else {}),
            "consultation": self._consultation(reply, teacher),
            **({"tools": tools} if tools else {}),
        }

    def _consultation(self, reply: Sequence[Turn], teacher: str) -> dict[str, Any]:
        table, end = self._config.teachers[teacher], reply[-1]
        # The log of an answer that came through a gateway names the model that was asked for, not who answered.
        model = end.model if end.model and teacher_of(self._config, end.model) == teacher else table.model
        counted = {one.reply or one.id: (one.input_tokens, one.output_tokens) for one in reply if one.answers}
        read, written = (_sum(counts) for counts in zip(*counted.values(), strict=True))
        found = {
            "teacher": teacher,
            "model": model,
            "policy": table.policy,
            "terms": table.terms,
            "input_tokens": read,
            "output_tokens": written,
            "cost_usd": cost(table, Finished("stop", model, read, written)),
            "stop_reason": end.stop,
        }
        return {key: value for key, value in found.items() if value is not None}

    def _messages(self, turns: Sequence[Turn]) -> list[Message]:
        """Return the messages of turns: pieces of a message joined, each tool call followed by its result."""
        found: list[Message] = []
        places: dict[str, int] = {}
        for turn in turns:
            for message in turn.messages:
                if turn.reply and message.role == "assistant" and turn.reply in places:
                    found[places[turn.reply]] = _join_messages(found[places[turn.reply]], message)
                    continue
                if turn.reply and message.role == "assistant":
                    places[turn.reply] = len(found)
                found.append(message)
        # Of parallel tool calls, only one result is on the path through the tree.
        there = {_call_id(message) for message in found if message.role == "tool"}
        return [
            one
            for message in found
            for one in (
                message,
                *(self._results[call] for call in _calls(message) if call not in there and call in self._results),
            )
        ]


def _same_question(one: Turn, other: Turn) -> bool:
    text = normalise_text(one.question or "")
    return text == normalise_text(other.question or "") and len(text.encode()) >= _SHORTEST_QUESTION_BYTES


def _call_id(message: Message) -> str:
    return str((message.model_extra or {}).get("tool_call_id") or "")


def _calls(message: Message) -> list[str]:
    return [str((call.model_extra or {}).get("id") or "") for call in message.tool_calls or ()]


def _join_messages(first: Message, more: Message) -> Message:
    calls = [*(first.tool_calls or ()), *(more.tool_calls or ())]
    text = "\n\n".join(part for part in (first.content, more.content) if part)
    value: Mapping[str, Any] = {"content": text or None, **({"tool_calls": calls} if calls else {})}
    return first.model_copy(update=dict(value))


def _sum(counts: tuple[int | None, ...]) -> int | None:
    return sum(n for n in counts if n is not None) if any(n is not None for n in counts) else None
