"""Parses a consultation request from a conversation, and builds the record from the answer."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from weakspot.capture.conversation import Conversation, Messages, text_of
from weakspot.capture.recorder import Collected, store_interaction
from weakspot.capture.trigger_phrases import find_teacher, parse_trigger, trigger_phrase
from weakspot.config import Config
from weakspot.protocols.parts import Answer, readable_arguments
from weakspot.redaction.redact import scrub
from weakspot.storage.append_log import Journal
from weakspot.teachers import Question
from weakspot.workspace import Workspace

MODEL_PREFIX = "expert/"
# The local model is trained to give this answer by itself: it must make sense without the attempt.
_INSTRUCTION = (
    "The last answer above came from a smaller local model and may be wrong, incomplete or cut off. "
    "Answer my question before it yourself, in full, as if that attempt had not been made: "
    "do not mention the attempt, the other model or this request."
)
_BROKEN_IN = "(the user broke in)"


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
    be a trigger phrase that follows a question. With it, a last user turn that is no trigger phrase is the
    query itself, and an answer after it the attempt.

    Raises :class:`UnknownTeacherError` for a name that is no teacher's.
    """
    teacher = find_teacher(config, named) if named is not None else None
    if named is not None and teacher is None:
        raise UnknownTeacherError(f"there is no teacher {named[:80]}; there are {', '.join(config.teachers)}")
    messages, turns = conversation.messages, iter(conversation.user_turns)
    last, said = next(turns, (-1, ""))
    if last < 0:
        return None
    rest, trigger = _steps(messages[last + 1 :]), parse_trigger(config, said)
    if trigger is not None:
        first = last
        for place, words in turns:
            if parse_trigger(config, words) is None:
                attempt = _steps(messages[place + 1 : first])
                answered = any(one.get("role") == "assistant" for one in attempt)
                return ConsultationRequest(
                    teacher or trigger.teacher,
                    before=messages[: place + 1],
                    attempt=attempt if answered else [],
                    escalation=said,
                    own=rest,
                    remark=trigger.remark,
                    attempt_from="sent" if answered else "missing",
                )
            # A second consultation in a row is still about the question before the first trigger phrase.
            first = place
    if teacher is None:
        return None
    before, escalation = messages[: last + 1], trigger_phrase(config, teacher)
    # Tool results at the end belong to the expert's own calls; an answer at the end is the attempt to improve.
    if rest and rest[-1].get("role") == "assistant":
        return ConsultationRequest(teacher, before, rest, escalation)
    return ConsultationRequest(teacher, before, [], escalation, rest, attempt_from="missing")


def _steps(messages: Messages) -> Messages:
    return [message for message in messages if message.get("role") != "user"]


def question(one: ConsultationRequest, tools: Sequence[dict[str, Any]], max_tokens: int | None) -> Question:
    """Return what the teacher is asked: the conversation up to the query, with the attempt as context."""
    messages = [*one.before]
    if one.attempt:
        remark = f"\n\n{one.remark}" if one.remark else ""
        messages += [*one.attempt, {"role": "user", "content": _INSTRUCTION + remark}]
    return Question(_with_tool_results([*messages, *one.own]), list(tools), max_tokens)


def _with_tool_results(messages: Messages) -> Messages:
    """Return the messages with readable arguments and one result for each tool call, as teachers' APIs require."""
    found: Messages = []
    waiting: list[str] = []
    for message in [*messages, {"role": "end"}]:
        if message["role"] == "tool":
            if message.get("tool_call_id") in waiting:
                waiting.remove(message["tool_call_id"])
                found.append(message)
            continue
        found += [{"role": "tool", "tool_call_id": one, "content": _BROKEN_IN} for one in waiting]
        found.append(_with_arguments(message, json.dumps))
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
    tools: Sequence[dict[str, Any]] = (),
    secrets: Sequence[str] = (),
    into: Journal | None = None,
) -> Collected:
    """Store the consultation, marked as incomplete unless the answer is complete; see the module ``recorder``.

    ``secrets`` are the client's own keys, which are replaced like those of the settings.
    """
    teacher, finished = config.teachers[one.teacher], answer.finished
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
    # A record always has a local answer: where none is known, an empty one.
    attempt = one.attempt or [{"role": "assistant", "content": ""}]
    turns = [*one.before, *attempt, {"role": "user", "content": one.escalation}, *one.own, answer.message()]
    said: Any = {"messages": [message_for_record(turn) for turn in turns], "tools": list(tools)}
    if secrets:
        said = scrub(said, secrets).value
    metadata: dict[str, Any] = {
        "source": source,
        "attempt": one.attempt_from,
        "consultation": {key: value for key, value in consultation.items() if value is not None},
        **({"tools": said["tools"]} if tools else {}),
        **({} if answer.complete else {"incomplete": True}),
    }
    return store_interaction(workspace, config, said["messages"], metadata, into)


def message_for_record(message: dict[str, Any]) -> dict[str, Any]:
    """Return a chat message as records hold it: text instead of parts, ``[image_url]`` instead of an image."""
    kept_as_it_is = {key: message[key] for key in ("tool_calls", "tool_call_id", "name") if message.get(key)}
    role = "system" if message["role"] == "developer" else message["role"]
    return _with_arguments({"role": role, "content": text_of(message.get("content")), **kept_as_it_is}, dict)
