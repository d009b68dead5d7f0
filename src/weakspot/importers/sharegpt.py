"""Imports conversations in the form of ShareGPT: ``{"conversations": [{"from", "value"}]}``, with preferences too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weakspot.importers import messages
from weakspot.importers.conversation_tree import Conversation, Turn
from weakspot.importers.json_stream import BadLine, LeftOut, parse_json_text, read_each
from weakspot.importers.messages import LoggedCall
from weakspot.importers.times import parse_time
from weakspot.records import Message
from weakspot.records.parsing import RecordError

Object = dict[str, Any]
_ROLES = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bing", "bard", "model", "bot"), "assistant"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
    **dict.fromkeys(("observation", "tool", "function_response", "tool_response", "function"), "tool"),
    "system": "system",
}
_LISTS = ("conversations", "conversation", "items")
_HTML = ("<div", "<p>", "<p ", "<html")


def claims(value: Object) -> bool:
    """Return whether an object is a conversation in this form."""
    return bool(_speech(value))


def conversations(file: Path) -> Iterator[Conversation | BadLine | LeftOut]:
    """Yield the conversations of a file; web pages instead of texts, and unknown speakers, are left out."""

    def convert(number: int, value: Object) -> Iterator[Conversation | LeftOut]:
        said = _speech(value)
        spoken = [*said, *(one for key in ("chosen", "rejected") if isinstance(one := value.get(key), dict))]
        if not said:
            yield LeftOut(number, "no-chat")
        elif any(_ROLES.get(str(one.get("from")).lower()) is None for one in spoken):
            yield LeftOut(number, "unknown-speaker")
        elif any(_text(one).lstrip().startswith(_HTML) and one.get("from") not in ("human", "user") for one in spoken):
            yield LeftOut(number, "html")
        else:
            tools = _parse_if_text(value.get("tools"))
            name = f"{value.get('id') or file.stem}/{number}"
            yield Conversation(name, number, list(_turns(value, said)), tools if isinstance(tools, list) else [])

    yield from read_each(file, convert)


def _speech(value: Object) -> list[Object]:
    for key in _LISTS:
        found = value.get(key)
        if isinstance(found, list) and found and all(isinstance(one, dict) and "from" in one for one in found):
            return found
    return []


def _turns(value: Object, said: list[Object]) -> Iterator[Turn]:
    model = messages.text_or_none(value.get("model"))
    moment = parse_time(value.get("timestamp") or value.get("create_time") or value.get("date"))
    last: str | None = None
    if system := messages.text_or_none(value.get("system")):
        last = "system"
        yield Turn(last, None, (messages.text_message("system", system),))
    calls = 0
    for number, one in enumerate(said):
        role = _ROLES[str(one.get("from")).lower()]
        calls += role == "call"
        yield Turn(
            str(number),
            last,
            _messages(role, _text(one), f"call_{calls}"),
            (messages.text_or_none(one.get("model")) or model) if role in ("assistant", "call") else None,
            parse_time(one.get("timestamp")) or moment,
        )
        last = str(number)
    for key, rating in (("rejected", -1), ("chosen", 0)):
        better = value.get(key)
        if isinstance(better, dict):
            role = _ROLES[str(better.get("from")).lower()]
            yield Turn(key, last, _messages(role, _text(better), key), model, moment, rating=rating)


def _messages(role: str, text: str, call: str) -> tuple[Message, ...]:
    if role == "assistant":
        return messages.answer(text)
    if role == "tool":
        return (messages.result(call, text),)
    if role != "call":
        return (messages.text_message(role, text),)
    called = _parse_if_text(text)
    if isinstance(called, dict) and isinstance(called.get("name"), str):
        return messages.answer("", [LoggedCall(call, called["name"], called.get("arguments"))])
    return messages.answer(text)


def _text(one: Object) -> str:
    found = one.get("value", one.get("content"))
    return messages.words(found)


def _parse_if_text(value: object) -> object:
    """Return a value, parsed where it is a text that holds JSON."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json_text(value)
    except RecordError:
        return None
