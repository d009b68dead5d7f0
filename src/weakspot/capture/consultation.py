"""Parses a consultation request from a conversation, and builds the record from the answer."""

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from weakspot.capture import recorder
from weakspot.capture.conversation import Conversation
from weakspot.capture.frames import Unframed, bare_query, unframe
from weakspot.capture.recorder import Collected, Unfitted
from weakspot.capture.trigger_phrases import Trigger, find_teacher, parse_trigger, trigger_phrase
from weakspot.config import Config
from weakspot.protocols.parts import Answer, readable_arguments
from weakspot.protocols.turns import Messages, text_of, with_identities
from weakspot.records import UnfittedConsultation
from weakspot.records.parsing import RecordError, parse_interaction_object
from weakspot.redaction.redact import scrub
from weakspot.storage.append_log import Journal
from weakspot.teachers import Question
from weakspot.workspace import Workspace
from zddc.errors import UserError

MODEL_PREFIX = "expert/"
# The local model is trained to give this answer by itself: it must make sense without the attempt.
_INSTRUCTION = (
    "The last answer above came from a smaller local model and may be wrong, incomplete or cut off. "
    "Answer my question before it yourself, in full, as if that attempt had not been made: "
    "do not mention the attempt, the other model or this request."
)
# Clients may begin the answer themselves, which present models refuse.
_GO_ON = "Go on from there."
_BROKEN_IN = "(the user broke in)"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConsultationRequest:
    """A conversation split into the parts of a record; the messages are as the client sent them.

    ``before`` ends in the query; ``attempt`` is the local model's turn, empty where the client sent none;
    ``escalation`` is what the user said; ``own`` are the expert's tool calls so far, and their results.
    """

    teacher: str
    before: Messages
    attempt: Messages
    escalation: str
    own: Messages = field(default_factory=list)
    remark: str = ""
    attempt_from: str = "sent"

    @cached_property
    def query(self) -> Conversation:
        """The conversation up to the query."""
        return Conversation(self.before)


class UnknownTeacherError(ValueError):
    """A request names a teacher that is not in the settings."""


def parse_consultation_request(
    config: Config, conversation: Conversation, named: str | None
) -> ConsultationRequest | None:
    """Return what a conversation asks of a teacher, None where it is for the local model.

    ``named`` is the teacher that a header or the model's name asks for. Without it the last user turn must
    be a trigger phrase that follows a question, or brings one. With it, a last user turn that is no trigger phrase is
    the query itself, and an answer after it the attempt.

    Raises :class:`UnknownTeacherError` for a name that is no teacher's.
    """
    teacher = find_teacher(config, named) if named is not None else None
    if named is not None and teacher is None:
        raise UnknownTeacherError(f"there is no teacher {named[:80]}; there are {', '.join(config.teachers)}")
    messages, turns = conversation.messages, conversation.iter_user_turns()
    last, said = next(turns, (-1, ""))
    if last < 0:
        return None
    trigger = parse_trigger(config, said)
    if trigger is not None and conversation.is_client_request:
        trigger = None
    rest = _steps(messages[last + 1 :])
    while rest and _is_empty(rest[-1]):
        rest.pop()
    query = _find_query(config, last, trigger, turns) if trigger is not None else None
    if trigger is not None and query is not None:
        asked = teacher or trigger.teacher
        before = _up_to(messages, query.place, query.words)
        attempt = _steps(messages[query.place + 1 : query.answered_until])
        if not any(_says_something(one) for one in attempt):
            attempt = []
        return ConsultationRequest(
            asked,
            before=before,
            attempt=attempt,
            # What brings a question itself is no mere request for an expert.
            escalation=trigger_phrase(config, asked) if query.place == last else said,
            own=rest,
            remark=trigger.remark if query.place != last else "",
            attempt_from="sent" if attempt else "missing",
        )
    if teacher is None:
        return None
    before, escalation = messages[: last + 1], trigger_phrase(config, teacher)
    # Tool results at the end belong to the expert's own calls; an answer at the end is the attempt to improve.
    if rest and rest[-1].get("role") == "assistant" and _says_something(rest[-1]):
        return ConsultationRequest(teacher, before, rest, escalation)
    return ConsultationRequest(teacher, before, [], escalation, rest, attempt_from="missing")


class _Query(NamedTuple):
    """The place of the query, its words where they are not the whole turn, and where the local model's answer ends."""

    place: int
    words: str | None
    answered_until: int


def _find_query(config: Config, last: int, trigger: Trigger, earlier: Iterable[tuple[int, str]]) -> _Query | None:
    """Return the query that the trigger phrase at ``last`` is about, None where there is none."""
    if trigger.question:
        return _Query(last, trigger.question, last)
    first = last
    for place, words in earlier:
        before = parse_trigger(config, words)
        if before is None:
            return _Query(place, None, first)
        if before.question:
            return _Query(place, before.question, place)  # what answered it was an expert
        # A second consultation in a row is still about the question before the first trigger phrase.
        first = place
    return _Query(last, trigger.remark, last) if trigger.remark else None


def _up_to(messages: Messages, place: int, words: str | None) -> Messages:
    """Return the messages up to ``place``, the last one with other words, if given."""
    before = messages[: place + 1]
    if words is not None:
        content = before[-1].get("content")
        parts = [part for part in content if part.get("type") != "text"] if isinstance(content, list) else []
        before[-1] = {**before[-1], "content": [{"type": "text", "text": words}, *parts] if parts else words}
    return before


def _steps(messages: Messages) -> Messages:
    """Return a model's turn: what it said and the results of its tools, also those that an agent sends as text."""
    return [one for one in messages if one.get("role") != "user" or _unframed(one).is_tool_result]


def _unframed(message: dict[str, Any]) -> Unframed:
    return unframe(text_of(message.get("content")) or "")


def _says_something(message: dict[str, Any]) -> bool:
    return message.get("role") == "assistant" and not _is_empty(message)


def _is_empty(message: dict[str, Any]) -> bool:
    """Whether a message holds nothing; the result of a tool may be empty."""
    if message.get("role") == "tool" or message.get("tool_calls"):
        return False
    return not (text_of(message.get("content")) or "").strip()


def question(one: ConsultationRequest, tools: Sequence[dict[str, Any]], max_tokens: int | None) -> Question:
    """Return what the teacher is asked: the conversation up to the query, with the attempt as context."""
    messages = [*one.before]
    if one.attempt:
        remark = f"\n\n{one.remark}" if one.remark else ""
        messages += [*one.attempt, {"role": "user", "content": _INSTRUCTION + remark}]
    messages += one.own
    if messages[-1].get("role") == "assistant" and not messages[-1].get("tool_calls"):
        messages.append({"role": "user", "content": _GO_ON})
    # An attempt that was not sent may have the ids of earlier calls.
    return Question(_with_tool_results(list(with_identities(messages))), list(tools), max_tokens)


def _with_tool_results(messages: Messages) -> Messages:
    """Return the messages with readable arguments and one result for each tool call, as teachers' APIs require."""
    found: Messages = []
    waiting: list[str] = []
    stray: Messages = []
    for message in [*messages, {"role": "end"}]:
        if message.get("role") == "tool":
            if message.get("tool_call_id") in waiting:
                waiting.remove(message["tool_call_id"])
                found.append(message)
            else:  # its call is not in the conversation any more
                stray.append({"role": "user", "content": f"[result of a tool]\n{text_of(message.get('content'))}"})
            continue
        found += [{"role": "tool", "tool_call_id": one, "content": _BROKEN_IN} for one in waiting]
        found += [*stray, _with_arguments(message, json.dumps)]
        stray = []
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    return found[:-1]


def _with_arguments(message: dict[str, Any], form: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Return a message with ``form`` applied to the arguments of its tool calls, also where they were cut."""
    if not message.get("tool_calls"):
        return message
    calls = []
    for call in message["tool_calls"]:
        arguments = form(readable_arguments(call["function"].get("arguments")))
        calls.append({**call, "function": {**call["function"], "arguments": arguments}})
    return {**message, "tool_calls": calls}


def store_consultation(
    workspace: Workspace,
    config: Config,
    one: ConsultationRequest,
    answer: Answer,
    *,
    seconds: float,
    cost_usd: float | None,
    source: str,
    domain: str | None = None,
    conversation: Sequence[dict[str, Any]] = (),
    thinking: Mapping[str, str] = MappingProxyType({}),
    tools: Sequence[dict[str, Any]] = (),
    secrets: Sequence[str] = (),
    into: Journal | None = None,
    answer_id: str = "",
) -> Collected | Unfitted:
    """Store the consultation, marked as incomplete unless the answer is complete; see the module ``recorder``.

    What is no interaction is stored with ``conversation``, all that the client sent, to be tried again after an
    update. ``thinking`` is what the client asked of it. ``secrets`` are the client's own keys, which are replaced like
    those of the settings. ``answer_id`` is the id by which a client knows the answer.
    """
    finished = answer.finished
    teacher, now = config.teachers[one.teacher], datetime.now(UTC)
    consultation = {
        "teacher": one.teacher,
        "model": (finished.model if finished else "") or teacher.model,
        "policy": teacher.policy,
        "terms": teacher.terms,
        "input_tokens": finished.input_tokens if finished else None,
        "output_tokens": finished.output_tokens if finished else None,
        "seconds": round(seconds, 3),
        "cost_usd": cost_usd,
        "stop_reason": finished.reason if finished else None,
    }
    metadata: dict[str, Any] = {
        "timestamp": recorder.timestamp(now),
        "interaction_id": recorder.new_id(now),
        **({"domain": domain} if domain else {}),
        "source": source,
        "attempt": one.attempt_from,
        **thinking,
        "consultation": {key: value for key, value in consultation.items() if value is not None},
        **({"tools": list(tools)} if tools else {}),
        **({"answer_id": answer_id} if answer_id else {}),
        **({} if answer.complete else {"incomplete": True}),
    }
    kept = UnfittedConsultation(
        reason="",
        detail="",
        teacher=one.teacher,
        conversation=list(conversation),
        attempt=one.attempt,
        answer=answer.message(),
        metadata=metadata,
    )
    stored = _store(workspace, config, one, kept, secrets, into)
    if answer.thought:
        recorder.store_thoughts(workspace, config, kept.id, answer.thought, secrets)
    if own := next((str(turn["reasoning_content"]) for turn in one.attempt[::-1] if turn.get("reasoning_content")), ""):
        recorder.store_thoughts(workspace, config, kept.id, own, secrets, of="local")
    return stored


def retry_unfitted(workspace: Workspace, config: Config, kept: UnfittedConsultation) -> Collected:
    """Store a consultation that was no interaction when it was answered; raise :class:`RecordError` if it still is."""
    one = parse_consultation_request(config, Conversation.of(kept.conversation), kept.teacher)
    if one is None:
        raise RecordError("wrong-roles", "there is no question in it")
    found = replace(one, attempt=one.attempt or kept.attempt)
    messages, query = _record_messages(found, kept.answer)
    return recorder.store_interaction(workspace, config, messages, {**kept.metadata, **query})


def _store(
    workspace: Workspace,
    config: Config,
    one: ConsultationRequest,
    kept: UnfittedConsultation,
    secrets: Sequence[str],
    into: Journal | None,
) -> Collected | Unfitted:
    try:
        messages, query = _record_messages(one, kept.answer)
        said: Any = {"messages": messages, "metadata": {**kept.metadata, **query}}
        if secrets:
            said = scrub(said, secrets).value
        return recorder.store_interaction(workspace, config, said["messages"], said["metadata"], into)
    except RecordError as error:
        reason, detail = str(error.reason), error.detail
    except (OSError, UserError):
        raise  # the disk's, which a retry may mend
    except Exception as error:  # a bug of ours must not cost what was paid for
        # The error's text may quote the conversation.
        _log.error("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        reason, detail = "bug", f"{type(error).__name__} in weakspot itself; its log says where"
    told = kept.model_copy(update={"reason": reason, "detail": detail})
    return recorder.store_unfitted(workspace, config, told, secrets)


def find_misfit(one: ConsultationRequest) -> RecordError | None:
    """Return why a request cannot become an interaction, whatever its answer is; None where it can."""
    messages, query = _record_messages(one, {"role": "assistant", "content": "answer"})
    now = datetime.now(UTC)
    metadata = {"timestamp": recorder.timestamp(now), "interaction_id": recorder.new_id(now), **query}
    try:
        parse_interaction_object({"messages": messages, "metadata": metadata})
    except RecordError as error:
        return error
    return None


def _record_messages(one: ConsultationRequest, answer: dict[str, Any]) -> tuple[Messages, dict[str, str]]:
    """Return the messages of a record, and its metadata where the query is not all that stood in the user's turn."""
    sent = one.query.query
    bare = bare_query(sent)
    # A record always has a local answer: where none is known, an empty one. A result needs a call before it.
    attempt = one.attempt
    if not attempt or attempt[0].get("role") != "assistant":
        attempt = [{"role": "assistant", "content": ""}, *attempt]
    turns = [
        *one.before[:-1],
        {**one.before[-1], "content": bare},
        *attempt,
        {"role": "user", "content": one.escalation},
        *one.own,
        answer,
    ]
    return [message_for_record(turn) for turn in turns], {} if bare == sent else {"query_as_sent": sent}


def message_for_record(message: dict[str, Any]) -> dict[str, Any]:
    """Return a chat message as records hold it: text instead of parts, ``[image_url]`` instead of an image."""
    kept_as_it_is = {key: message[key] for key in ("tool_calls", "tool_call_id", "name") if message.get(key)}
    role, content = message.get("role"), text_of(message.get("content"))
    if role == "user" and _unframed(message).is_tool_result:
        role = "tool"
    return _with_arguments({"role": role, "content": content, **kept_as_it_is}, dict)
