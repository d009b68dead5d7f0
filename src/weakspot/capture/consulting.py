"""What a conversation asks of a teacher, and the record that comes of the answer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from weakspot.capture.escalation import Escalation, phrase, recognised, teacher_named
from weakspot.capture.keeping import Collected, keep
from weakspot.capture.teachers import Question, cost
from weakspot.config import Config
from weakspot.data.journal import Journal
from weakspot.protocols.parts import Answer
from weakspot.workspace import Workspace

Messages = list[dict[str, Any]]

MODEL_PREFIX = "expert/"
# The answer becomes what the local model is taught to say by itself: it must stand without the attempt.
_INSTRUCTION = (
    "The last answer above came from a smaller local model and may be wrong, incomplete or cut off. "
    "Answer my question before it yourself, in full, as if that attempt had not been made: "
    "do not mention the attempt, the other model or this request."
)


@dataclass(frozen=True)
class Wish:
    """A conversation parted into what a record needs: all messages are as the client sent them.

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


class UnknownTeacherError(ValueError):
    """A teacher was asked for by name that the settings do not have."""


def wish(config: Config, messages: Messages, named: str | None) -> Wish | None:
    """Return what ``messages`` ask of a teacher, None where they are for the local model.

    ``named`` is the teacher that a header or the model's name asks for. Without it the last user turn must
    be a trigger phrase, with a question and an attempt in front of it. With it, a last user turn that is
    no trigger phrase is the query itself.

    Raises :class:`UnknownTeacherError` for a name that is nobody's.
    """
    teacher = teacher_named(config, named) if named is not None else None
    if named is not None and teacher is None:
        raise UnknownTeacherError(f"there is no teacher {named[:80]}; there are {', '.join(config.teachers)}")
    users = [place for place, message in enumerate(messages) if message.get("role") == "user"]
    if not users:
        return None
    said = _spoken(messages[users[-1]])
    trigger = recognised(config, said)
    if trigger is not None:
        found = _after_an_attempt(config, messages, users, trigger, said)
        if found is not None:
            return replace(found, teacher=teacher or found.teacher)
    if teacher is None:
        return None
    before, own = messages[: users[-1] + 1], messages[users[-1] + 1 :]
    return Wish(teacher, before, [], phrase(config, teacher), own, attempt_from="missing")


def _after_an_attempt(
    config: Config, messages: Messages, users: Sequence[int], trigger: Escalation, said: str
) -> Wish | None:
    # Whoever consults a second teacher, or again, still means the question in front of the first trigger.
    first = len(users) - 1
    while first > 0 and recognised(config, _spoken(messages[users[first - 1]])):
        first -= 1
    if first == 0:
        return None
    query, end = users[first - 1], users[first]
    attempt = messages[query + 1 : end]
    if not any(message.get("role") == "assistant" for message in attempt):
        return None
    return Wish(trigger.teacher, messages[: query + 1], attempt, said, messages[users[-1] + 1 :], trigger.remark)


def question(one: Wish, tools: Sequence[dict[str, Any]], max_tokens: int | None) -> Question:
    """Return what the teacher is asked: the conversation up to the query, with the attempt as context."""
    messages = [*one.before]
    if one.attempt:
        remark = f"\n\n{one.remark}" if one.remark else ""
        messages += [*_answered_calls(one.attempt), {"role": "user", "content": _INSTRUCTION + remark}]
    return Question([*messages, *one.own], list(tools), max_tokens)


def _answered_calls(attempt: Messages) -> Messages:
    """Give each tool call a result: a teacher's API refuses calls that were broken off."""
    found: Messages = []
    answered = {message.get("tool_call_id") for message in attempt if message.get("role") == "tool"}
    for message in attempt:
        found.append(message)
        for call in message.get("tool_calls") or ():
            if call.get("id") not in answered:
                found.append({"role": "tool", "tool_call_id": call.get("id"), "content": "(the user broke in)"})
    return found


def kept(
    workspace: Workspace,
    config: Config,
    one: Wish,
    answer: Answer,
    *,
    seconds: float,
    source: str,
    complete: bool = True,
    tools: Sequence[dict[str, Any]] = (),
    conversation_id: str | None = None,
    into: Journal | None = None,
) -> Collected:
    """Store the consultation, marked as incomplete unless the answer came to its end; see ``keeping.keep``."""
    teacher = config.teachers[one.teacher]
    finished = answer.finished
    consultation = {
        "teacher": one.teacher,
        "model": (finished.model if finished else "") or teacher.model,
        "policy": teacher.policy,
        "terms": teacher.terms,
        "input_tokens": finished.input_tokens if finished else None,
        "output_tokens": finished.output_tokens if finished else None,
        "seconds": round(seconds, 3),
        "cost_usd": cost(teacher, finished) if finished else None,
        "stop_reason": finished.reason if finished else None,
    }
    # A record has a local answer, also where nobody had one: an empty one teaches as well.
    attempt = one.attempt or [{"role": "assistant", "content": ""}]
    turns = [*one.before, *attempt, {"role": "user", "content": one.escalation}, *one.own, answer.message()]
    metadata: dict[str, Any] = {
        "source": source,
        "attempt": one.attempt_from,
        "consultation": {key: value for key, value in consultation.items() if value is not None},
        **({"conversation_id": conversation_id} if conversation_id else {}),
        **({"tools": list(tools)} if tools else {}),
        **({} if complete and answer.complete else {"incomplete": True}),
    }
    return keep(workspace, config, [recorded(turn) for turn in turns], metadata, into)


def recorded(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chat message as it is kept: text instead of parts, an image as a word."""
    kept_as_it_is = {key: message[key] for key in ("tool_calls", "tool_call_id", "name") if message.get(key)}
    role = "system" if message.get("role") == "developer" else message.get("role")
    return {"role": role, "content": text_of(message.get("content")), **kept_as_it_is}


def text_of(content: Any) -> str | None:
    """Return the words of a message's content, None where it has none."""
    if content is None or isinstance(content, str):
        return content
    parts = [part if isinstance(part, dict) else {"type": "text", "text": str(part)} for part in content]
    return "\n".join(
        str(part.get("text", "")) if part.get("type") == "text" else f"[{part.get('type')}]" for part in parts
    )


def _spoken(message: Mapping[str, Any]) -> str:
    return text_of(message.get("content")) or ""


def conversation_key(messages: Sequence[Mapping[str, Any]]) -> bytes:
    """Return what tells one conversation from another: a hash of what was said, the system's words aside."""
    said = [
        (message.get("role"), " ".join(_spoken(message).split()), message.get("tool_call_id"))
        for message in messages
        if message.get("role") not in ("system", "developer")
    ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).digest()
