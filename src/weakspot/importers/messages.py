"""Converts logged messages of OpenAI's and Anthropic's protocols to messages of our records."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from weakspot.protocols.notice import without_notice
from weakspot.protocols.parts import StopReason
from weakspot.protocols.thoughts import split_thoughts
from weakspot.records import Message
from weakspot.records.strict_json import parse_strict_json

_STOPS: dict[str, StopReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    "tool_calls": "tool_calls",
    "tool-calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    **dict.fromkeys(
        (
            *("max_output_tokens", "max_new_tokens", "pause_turn", "incomplete", "timeout", "error"),
            *("abort", "aborted", "cancelled", "canceled", "interrupted"),
        ),
        "length",
    ),
    "content_filter": "refused",
    "content-filter": "refused",
    "refusal": "refused",
}
# Kinds of content that are no text: stored elsewhere, or not at all.
_UNSPOKEN = frozenset({"thinking", "redacted_thinking", "reasoning", "tool_use", "tool_result"})
_CACHES = ("cache_creation_input_tokens", "cache_read_input_tokens")


class LoggedCall(NamedTuple):
    """A tool call; ``arguments`` is an object, or the JSON text of one."""

    id: str
    name: str
    arguments: Any


def text_message(role: str, text: str) -> Message:
    """Return a message that has only text."""
    return Message.model_validate({"role": role, "content": text})


def answer(text: str, calls: Sequence[LoggedCall] = ()) -> tuple[Message, ...]:
    """Return text and tool calls of a model as one message, without its thoughts; none where it has neither."""
    text = without_notice(split_thoughts(text)[1])
    if not calls:
        return (text_message("assistant", text),) if text.strip() else ()
    written = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call.arguments)}}
        for call in calls
    ]
    return (Message.model_validate({"role": "assistant", "content": text or None, "tool_calls": written}),)


def result(call: str, text: str) -> Message:
    """Return the result of a tool as a message."""
    return Message.model_validate({"role": "tool", "tool_call_id": call, "content": text})


def messages_of(value: Mapping[str, Any]) -> Iterator[Message]:
    """Yield the records' messages in one logged message: Anthropic's may hold several results of tools.

    An unknown role yields nothing.
    """
    role, content = value.get("role"), value.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    if role in ("system", "developer"):
        yield text_message("system", words(content))
    elif role in ("tool", "function"):
        yield result(str(value.get("tool_call_id") or value.get("name") or ""), words(content))
    elif role == "user":
        for block in blocks:
            if block.get("type") == "tool_result":
                yield result(str(block.get("tool_use_id") or ""), words(block.get("content")))
        text = words(content)
        if text or not any(block.get("type") == "tool_result" for block in blocks):
            yield text_message("user", text)
    elif role == "assistant":
        yield from answer(words(content), [*_chat_calls(value), *_block_calls(blocks)])


def words(content: object) -> str:
    """Return the text of a message's content; an image becomes ``[image]``, reasoning is left out."""
    if isinstance(content, str):
        return content
    found = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, dict):
            kind = str(part.get("type") or "")
            if kind in _UNSPOKEN:
                continue
            text = part.get("text")
            if isinstance(text, str):
                found.append(text)
            elif kind:
                found.append(f"[{kind.removeprefix('input_').removesuffix('_url')}]")
    return "\n".join(found)


def attachment_marks(kinds: Iterable[object]) -> tuple[str, tuple[str, ...]]:
    """Return the marks of files that were sent with a message, by their kinds, and what is odd about them."""
    marks = ["image" if str(kind).startswith("image") else "file" for kind in kinds]
    odd = tuple(f"{'a picture' if mark == 'image' else 'a file'} that was sent is not in the record" for mark in marks)
    return "".join(f"[{mark}]\n" for mark in marks), tuple(dict.fromkeys(odd))


def stop_reason(value: object) -> StopReason | None:
    """Return why a model stopped, None where the reason is missing or unknown."""
    return _STOPS.get(value.lower()) if isinstance(value, str) else None


def token_counts(usage: object) -> tuple[int | None, int | None]:
    """Return the tokens read and written, as OpenAI, Anthropic or Ollama count them."""
    if not isinstance(usage, dict):
        return None, None
    read = _first_count(usage, "prompt_tokens", "input_tokens", "prompt_eval_count")
    if read is not None and "input_tokens" in usage and "prompt_tokens" not in usage:
        # Anthropic counts cached tokens separately.
        read += sum(_first_count(usage, key) or 0 for key in _CACHES)
    return read, _first_count(usage, "completion_tokens", "output_tokens", "eval_count")


def text_or_none(value: object) -> str | None:
    """Return ``value`` if it is a text that is not blank, else None."""
    return value if isinstance(value, str) and value.strip() else None


def _first_count(usage: Mapping[str, Any], *keys: str) -> int | None:
    return next((n for key in keys if type(n := usage.get(key)) is int and n >= 0), None)


def _chat_calls(value: Mapping[str, Any]) -> Iterator[LoggedCall]:
    calls = value.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield LoggedCall(str(call.get("id") or ""), str(function.get("name") or ""), function.get("arguments"))


def _block_calls(blocks: Sequence[Mapping[str, Any]]) -> Iterator[LoggedCall]:
    for block in blocks:
        if block.get("type") == "tool_use":
            yield LoggedCall(str(block.get("id") or ""), str(block.get("name") or ""), block.get("input"))


def _arguments(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = parse_strict_json(value or "{}")
        except ValueError:
            return {"unreadable": value}  # a call that was cut off
    if isinstance(value, dict):
        return value
    return {} if value is None else {"value": json.loads(json.dumps(value))}
