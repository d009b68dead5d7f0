"""Converts items of OpenAI's Responses API to messages: logs of it, Codex and Open WebUI store them."""

from collections.abc import Iterator, Sequence
from typing import Any

from weakspot.importers import messages
from weakspot.importers.messages import LoggedCall
from weakspot.records import Message

_CALLS = ("function_call", "custom_tool_call", "local_shell_call")
_RESULTS = tuple(f"{call}_output" for call in _CALLS)


def are_items(value: object) -> bool:
    """Return whether a value is a list of items, of which at least one is an answer's."""
    return isinstance(value, list) and any(
        isinstance(item, dict) and item.get("type") in ("message", *_CALLS) for item in value
    )


def call_of(item: dict[str, Any]) -> LoggedCall | None:
    """Return the tool call that an item is, None for another item."""
    kind = item.get("type")
    if kind not in _CALLS:
        return None
    identity = str(item.get("call_id") or item.get("id") or "")
    if kind == "custom_tool_call":
        return LoggedCall(identity, str(item.get("name") or ""), {"input": item.get("input")})
    if kind == "local_shell_call":
        return LoggedCall(identity, "local_shell", item.get("action"))
    return LoggedCall(identity, str(item.get("name") or ""), item.get("arguments"))


def result_of(item: dict[str, Any]) -> Message | None:
    """Return the result of a tool that an item is, None for another item."""
    if item.get("type") not in _RESULTS:
        return None
    output = item.get("output")
    if isinstance(output, dict):  # older versions of Codex
        output = output.get("content")
    return messages.result(str(item.get("call_id") or item.get("id") or ""), messages.words(output))


def messages_of_answer(items: Sequence[Any]) -> Iterator[Message]:
    """Yield the messages of an answer's items: text and calls belong together until a result ends a message."""
    text, calls, results = "", list[LoggedCall](), list[Message]()
    for item in (*items, None):
        found = item if isinstance(item, dict) else {}
        if (result := result_of(found)) is not None:
            results.append(result)
            continue
        call, said = call_of(found), found.get("type") == "message"
        if item is None or (results and (call or said)):
            yield from messages.answer(text, calls)
            yield from results
            text, calls, results = "", [], []
        if said:
            text = "\n\n".join(part for part in (text, messages.words(found.get("content"))) if part)
        elif call:
            calls.append(call)


def messages_of_input(items: object) -> Iterator[Message]:
    """Yield the messages of a request's input, a text or a list of items; what is no message is left out."""
    if isinstance(items, str):
        yield messages.text_message("user", items)
    waiting: list[Any] = []
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, dict):
            continue
        if item.get("role") in ("user", "system", "developer"):
            yield from messages_of_answer(waiting)
            waiting = []
            yield from messages.messages_of(item)
        else:
            waiting.append({"type": "message", **item} if item.get("role") == "assistant" else item)
    yield from messages_of_answer(waiting)
