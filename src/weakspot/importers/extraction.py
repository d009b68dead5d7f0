"""Finds the consultations in a conversation: requests for a teacher, and questions asked again of a teacher's model."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from weakspot.capture.frames import bare_query, user_text
from weakspot.capture.recorder import timestamp
from weakspot.capture.trigger_phrases import Trigger, parse_trigger, trigger_phrase
from weakspot.config import Config
from weakspot.importers.conversation_tree import Conversation, Tree, Turn
from weakspot.importers.model_names import teacher_of
from weakspot.protocols.parts import Finished
from weakspot.records import Interaction, Message, normalise_text
from weakspot.records.parsing import RecordError, parse_interaction_object
from weakspot.teachers import cost

IMPORTED_ID_PREFIX = "imp_"
# "continue" and "yes, go on" are said twice without being one question. In bytes: a Chinese word has six.
_SHORTEST_QUESTION_BYTES = 16
_GREETING = re.compile(
    r"(?:(?:hi|hey|hello|hallo|hola|yo|there|good|morning|afternoon|evening|day|how|are|is|it|going|you|today|doing|nice"
    r"|to|meet|what|who|can|do|for|me|help|with|please|test|testing|ping|warm|up|warmup|say|ok|thanks|thank|just|this"
    r"|a|claude|gpt|assistant|everyone|all)\b\W*)+",
    re.IGNORECASE,
)
# Whoever is not content with an answer asks the teacher soon; equal words on another day are another person's.
_SOON = timedelta(hours=1)
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
# What programs write in the place of a text, or of its middle.
_REDACTED = re.compile(r"redacted-by-litellm|\s*[\[<(*]{0,3}redacted[\])>*]{0,3}\s*\Z", re.IGNORECASE)
_CUT = re.compile(r"\(litellm_truncated\b|(?:\.{3}|…)\s{0,2}[\[(<]?(?:\w+ )?truncated\b[^\n]{0,80}\s*\Z", re.IGNORECASE)


def consultations(config: Config, conversation: Conversation, source: str) -> Iterator[Interaction | RecordError]:
    """Yield each consultation of a conversation as an interaction, or the error why it cannot be one.

    There are three kinds. A turn of the user is a trigger phrase after a question and an attempt: the answer to it is
    the expert's. Or a question was answered by a local model and by a teacher's model: regenerated, asked again
    from the same place, or sent again as the next turn. Or an answer was rated down, and a better one followed.
    Every model that is no teacher's is a local one.
    """
    finder = _Finder(config, conversation, source)
    for turn in finder.tree.turns:
        if turn.question is not None:
            yield from finder.find_escalation(turn) if finder.trigger(turn) else finder.find_better_answer(turn)


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
        yield from self._record(path[: query + 1], attempt, turn.question or "", reply, wish.teacher)

    def find_better_answer(self, turn: Turn) -> Iterator[Interaction | RecordError]:
        """Yield the consultation of a question that a local model answered, and then a teacher's or a better one."""
        twins = self._twins[self.tree.before(turn), normalise_text(turn.question or "")]
        if turn is not twins[0]:
            return
        replies = [(twin, reply) for twin in twins for reply in self.tree.replies(twin)]
        experts = [one for one in replies if self._teacher(one[1])]
        if not experts:
            yield from self._find_better(turn, replies)
            return
        asked, expert = next((one for one in reversed(experts) if _rating(one[1]) >= 0), experts[-1])
        path = self.tree.path(asked)
        attempts = [reply for _, reply in replies if self._is_local(reply)]
        if not attempts:
            # Sent again as the next turn: the attempt stands between the two.
            earlier = self._question_before(path)
            if earlier is None or not self._is_local(path[earlier + 1 : -1]):
                return
            attempts = [path[earlier + 1 : -1]]
            if not _same_question(path[earlier], asked):
                if _rating(attempts[0]) < 0:
                    yield from self._record(path[: earlier + 1], attempts[0], asked.question or "", expert)
                return
            path = path[: earlier + 1]
        elif self._conversation.by_text and not self._is_one_question(turn, attempts[-1], expert):
            return
        yield from self._record(path, attempts[-1], "", expert)

    def _find_better(
        self, turn: Turn, replies: Sequence[tuple[Turn, list[Turn]]]
    ) -> Iterator[Interaction | RecordError]:
        """Yield the better answer that followed one with a thumbs-down, whoever gave it."""
        bad = next((n for n, (_, reply) in enumerate(replies) if _rating(reply) < 0), None)
        if bad is None:
            return
        rated = [one for one in replies if _rating(one[1]) > 0]
        better = rated or [one for one in replies[bad + 1 :] if _rating(one[1]) >= 0]
        if better:
            yield from self._record(self.tree.path(turn), replies[bad][1], "", better[-1][1])

    def _question_before(self, path: Sequence[Turn]) -> int | None:
        return next((n for n in range(len(path) - 2, -1, -1) if path[n].question is not None), None)

    def _is_one_question(self, turn: Turn, attempt: Sequence[Turn], expert: Sequence[Turn]) -> bool:
        """Return whether two answers to equal words are to one question, where only the words can tell.

        With earlier turns that are equal as well, they are. Else the words must be more than a greeting, and the
        answers no more than an hour apart where their times are known.
        """
        if any(one.answers for one in self.tree.path(turn)):
            return True
        words = user_text(turn.question or "")
        if len(words.encode()) < _SHORTEST_QUESTION_BYTES or _GREETING.fullmatch(words.strip()):
            return False
        times = [_moment(one) for one in (attempt, expert)]
        return None in times or abs(times[0] - times[1]) <= _SOON  # type: ignore[operator]

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
        self,
        before: Sequence[Turn],
        attempt: Sequence[Turn],
        escalation: str,
        reply: Sequence[Turn],
        asked_for: str = "",
    ) -> Iterator[Interaction | RecordError]:
        """Yield a consultation; without the user's words for it, ``escalation`` is a trigger phrase."""
        expert = self._messages(reply)
        while expert and expert[-1].role == "tool":  # the answer was broken off before the next step
            expert.pop()
        asked, tried = self._messages(before), self._messages(attempt)
        if any(_REDACTED.match(one.content or "") for one in (*asked, *tried, *expert) if one.role != "tool"):
            yield RecordError("redacted", "its texts are not in the log")
            return
        named = self._teacher(reply)
        teacher = named or asked_for
        if not teacher and [one.text for one in expert] == [one.text for one in tried]:
            yield RecordError("same-answer", "the better answer is the same as the other one")
            return
        phrase = trigger_phrase(self._config, teacher) if teacher else self._config.collect.escalation
        sent = asked[-1].content or ""
        bare = bare_query(sent)
        asked[-1] = asked[-1].model_copy(update={"content": bare})
        cut = any(_CUT.search(one.content or "") for one in (*asked, *tried, *expert) if one.role != "tool")
        messages = [*asked, *tried, Message(role="user", content=bare_query(escalation or phrase)), *expert]
        metadata = self._metadata(before[-1], attempt, reply, teacher, cut=cut)
        doubts = self._doubts(before[-1], attempt, reply, named, asked_for)
        odd = [*self._oddities(before[-1], attempt, reply, cut=cut), *doubts]
        metadata |= {**({"odd": odd} if odd else {}), **({"policy": "ask"} if doubts else {})}
        value = {
            "messages": [message.model_dump(exclude_unset=True) for message in messages],
            "metadata": metadata if bare == sent else {**metadata, "query_as_sent": sent},
        }
        try:
            yield parse_interaction_object(value, whole=False)
        except RecordError as error:
            yield error

    def _metadata(
        self, query: Turn, attempt: Sequence[Turn], reply: Sequence[Turn], teacher: str, *, cut: bool
    ) -> dict[str, Any]:
        end = reply[-1]
        key = "\0".join((self._source, self._conversation.id, query.id, end.id))
        local_model = next((one.model for one in reversed(attempt) if one.answers and one.model), None)
        tools, rating = self._conversation.tools, _rating(reply)
        comment = next((one.comment for one in reversed(reply) if one.rating), "")
        return {
            "timestamp": timestamp(_moment([query, *attempt, *reply]) or UNKNOWN_TIME),
            "interaction_id": f"{IMPORTED_ID_PREFIX}{hashlib.sha256(key.encode()).hexdigest()[:24]}",
            "source": self._source,
            "conversation_id": self._conversation.id,
            **({"incomplete": True} if cut or self._is_broken_off(end) else {}),
            "attempt": "sent",
            **({"local_model": local_model} if local_model else {}),
            **({"consultation": self._consultation(reply, teacher)} if teacher else {}),
            **({"rated": {"up": rating > 0, "comment": comment}} if rating else {}),
            **({"tools": tools} if tools else {}),
        }

    def _is_broken_off(self, end: Turn) -> bool:
        return end.stop in ("length", "refused") or any(one.broken_off for one in (end, *self.tree.rest(end)))

    def _oddities(self, query: Turn, attempt: Sequence[Turn], reply: Sequence[Turn], *, cut: bool) -> list[str]:
        """Return what a person should know of a consultation before it is imported."""
        found = [one for turn in (query, *attempt, *reply) for one in turn.odd]
        if cut or self._is_broken_off(reply[-1]):
            found.append("a text was cut when it was logged" if cut else "the answer was cut, interrupted or refused")
        if _moment([query, *attempt, *reply]) is None:
            found.append("no time in it can be read: stored as of 1970")
        return list(dict.fromkeys(found))

    def _doubts(
        self, query: Turn, attempt: Sequence[Turn], reply: Sequence[Turn], named: str | None, asked_for: str
    ) -> list[str]:
        """Return what is assumed of a consultation; it then waits for a person's permission."""
        found = []
        model = next((one.model for one in reversed(reply) if one.answers and one.model), None)
        if named is None and asked_for:
            found.append(f"that {asked_for} answered is assumed: the log names {model or 'no model'}")
        elif named is None:
            other = f"but {model}" if model else "nor any model"
            found.append(f"only a rating says that the answer is better: no teacher is named, {other}")
        elif (
            not asked_for
            and self._conversation.by_text
            and not self._conversation.who
            and None in (_moment(attempt), _moment(reply))
            and not any(one.answers for one in self.tree.path(query))
        ):
            found.append("that one person asked both models is assumed: only the words are the same")
        return found

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
        pieces: dict[str, tuple[int, list[Message]]] = {}
        for turn in turns:
            for message in turn.messages:
                if not turn.reply or message.role != "assistant":
                    found.append(message)
                    continue
                place, so_far = pieces.setdefault(turn.reply, (len(found), []))
                if not so_far:
                    found.append(message)
                _add_piece(so_far, message)
                found[place] = _join_messages(so_far)
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


def _rating(reply: Sequence[Turn]) -> int:
    return next((one.rating for one in reversed(reply) if one.rating), 0)


def _moment(reply: Sequence[Turn]) -> datetime | None:
    """Return when turns ended, as far as they tell."""
    return next((one.moment for one in reversed(reply) if one.moment), None)


def _same_question(one: Turn, other: Turn) -> bool:
    text = normalise_text(one.question or "")
    return text == normalise_text(other.question or "") and len(text.encode()) >= _SHORTEST_QUESTION_BYTES


def _call_id(message: Message) -> str:
    return str((message.model_extra or {}).get("tool_call_id") or "")


def _calls(message: Message) -> list[str]:
    return [str((call.model_extra or {}).get("id") or "") for call in message.tool_calls or ()]


def _add_piece(pieces: list[Message], message: Message) -> None:
    """Add a piece of a message; some programs write it again as it grows, from its beginning."""
    known = {call for one in pieces for call in _calls(one) if call}
    calls = [call for call in message.tool_calls or () if str((call.model_extra or {}).get("id")) not in known]
    text = message.content or ""
    for place, one in enumerate(pieces):
        written = one.content or ""
        if text and (text.startswith(written) or written.startswith(text)) and written:
            longer = max(text, written, key=len)
            pieces[place] = one.model_copy(update={"content": longer, "tool_calls": [*(one.tool_calls or ()), *calls]})
            return
    pieces.append(message.model_copy(update={"tool_calls": calls}))


def _join_messages(pieces: Sequence[Message]) -> Message:
    calls = [call for piece in pieces for call in piece.tool_calls or ()]
    text = "\n\n".join(piece.content for piece in pieces if piece.content)
    value = {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}
    return Message.model_validate(value)


def _sum(counts: tuple[int | None, ...]) -> int | None:
    return sum(n for n in counts if n is not None) if any(n is not None for n in counts) else None
