"""Imports the tasks of Cline and Roo Code: ``api_conversation_history.json``, else ``ui_messages.json``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from weakspot.importers import messages
from weakspot.importers.conversation_tree import Conversation, Turn
from weakspot.importers.json_stream import BadLine, LeftOut, entries, parse_json_text
from weakspot.importers.times import parse_time
from weakspot.records.parsing import RecordError

Object = dict[str, Any]
_HISTORY, _SHOWN = "api_conversation_history.json", "ui_messages.json"
_BROKEN_OFF = ("[Response interrupted", "Response interrupted by", "Failure: I did not provide a response")
_BY_USER = ("task", "user_feedback")
_BY_MODEL = ("text", "completion_result", "plan_mode_respond", "followup")


class _Note(NamedTuple):
    """What the one file tells of a message in the other: when, and by which model."""

    moment: Any
    model: str | None


def claims(value: Object) -> bool:
    """Return whether an object is a message of a task, as the model got it or as the user saw it."""
    if "messages" in value:
        return False
    return _is_visible(value) or (
        value.get("role") in ("user", "assistant") and isinstance(value.get("content"), list | str)
    )


def conversations(file: Path) -> Iterator[Conversation | BadLine | LeftOut]:
    """Yield the task that a file holds; what the user saw of it only where the model's own messages are missing."""
    if file.name == _SHOWN and file.with_name(_HISTORY).is_file():
        yield LeftOut(1, "in-the-other-file")
        return
    found: list[tuple[int, Object]] = []
    for entry in entries(file):
        try:
            found.append((entry.number, entry.value()))
        except RecordError as error:
            yield BadLine(entry.number, error.reason, error.detail, str(file))
    # The folder's name is the task's id.
    name = file.parent.name if file.name in (_HISTORY, _SHOWN) else file.stem
    if any(_is_visible(value) for _, value in found):
        turns = list(_visible_turns(found))
    else:
        turns = list(_turns(found, _notes(file.with_name(_SHOWN)) if file.name == _HISTORY else {}))
    if turns:
        yield Conversation(name, 1, turns)


def _is_visible(value: Object) -> bool:
    return value.get("type") in ("say", "ask") and "ts" in value


def _turns(found: list[tuple[int, Object]], notes: dict[int, _Note]) -> Iterator[Turn]:
    last: str | None = None
    for place, (number, value) in enumerate(found):
        note = notes.get(place, _Note(None, None))
        moment = parse_time(value.get("ts")) or note.moment
        for part, message in enumerate(messages.messages_of(value)):
            identity = f"{number}/{part}"
            text = message.content or ""
            answered = message.role == "assistant"
            cut = answered and any(mark in text for mark in _BROKEN_OFF)
            model = (_model(value.get("modelInfo")) or note.model) if answered else None
            read, written = messages.token_counts(value.get("metrics")) if answered else (None, None)
            yield Turn(identity, last, (message,), model, moment, read, written, broken_off=cut)
            last = identity


def _visible_turns(found: list[tuple[int, Object]]) -> Iterator[Turn]:
    """Yield what the user saw: what they typed, and what the model said; its tools are not among it."""
    last: str | None = None
    for number, value in found:
        kind, text = value.get("say") or value.get("ask"), messages.words(value.get("text"))
        first = last is None
        by_user = kind in _BY_USER or (first and kind == "text" and value.get("type") == "say")
        if kind == "api_req_started" and last is not None and _is_cancelled(text):
            yield Turn(str(number), last, broken_off=True)
        elif not text.strip() or value.get("partial"):
            continue
        elif by_user:
            yield Turn(str(number), last, (messages.text_message("user", text),), moment=parse_time(value.get("ts")))
        elif kind in _BY_MODEL:
            said, model = messages.answer(_question_text(text)), _model(value.get("modelInfo"))
            yield Turn(str(number), last, said, model, parse_time(value.get("ts")))
        else:
            continue
        last = str(number)


def _question_text(text: str) -> str:
    """Return the question that a model put to the user, which is stored with its options as JSON."""
    try:
        value = parse_json_text(text) if text.lstrip().startswith("{") else None
    except RecordError:
        return text
    said = (value.get("question") or value.get("response")) if isinstance(value, dict) else None
    return said if isinstance(said, str) else text


def _is_cancelled(text: str) -> bool:
    try:
        value = parse_json_text(text) if text.lstrip().startswith("{") else None
    except RecordError:
        return False
    return isinstance(value, dict) and bool(value.get("cancelReason"))


def _model(info: object) -> str | None:
    """Return the model of a message; what stands in its text is the client's setting, and often wrong."""
    return messages.text_or_none(info.get("modelId")) if isinstance(info, dict) else None


def _notes(file: Path) -> dict[int, _Note]:
    """Return times and models by the place of a message among the model's own, as far as the other file tells."""
    found: dict[int, _Note] = {}
    if not file.is_file():
        return found
    for entry in entries(file):
        try:
            value = entry.value()
        except RecordError:
            continue  # it is no part of what is imported
        place = value.get("conversationHistoryIndex")
        if type(place) is int and value.get("say") == "api_req_started":
            # A request is noted with the place of the message before it: the user's is next, then the answer.
            note = _Note(parse_time(value.get("ts")), _model(value.get("modelInfo")))
            found[place + 1] = found[place + 2] = note
    return found
