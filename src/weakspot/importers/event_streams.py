"""Decodes answers that a log holds as the text of a stream's events, in each of the three protocols."""

from typing import Any

from weakspot.protocols import anthropic_messages, openai_chat
from weakspot.protocols.parts import Answer, StreamError
from weakspot.protocols.sse import Decoder
from weakspot.records.parsing import RecordError, parse_json_object

_BEGINNINGS = ("data:", "event:", "id:", "retry:", ":")
_STOPS = {"stop": "stop", "tool_calls": "tool_calls", "length": "length", "refused": "content_filter"}


def is_stream(text: str) -> bool:
    """Return whether a text is that of a stream's events."""
    start = text[:2000].lstrip("\ufeff \r\n")
    return start.startswith(_BEGINNINGS) and ("data:" in text)


def body_of_stream(text: str) -> dict[str, Any] | None:
    """Return the body of the answer that a stream holds; None where it cannot be decoded.

    One whose end did not come has ``"incomplete": True`` beside it.
    """
    events = _events(text)
    kinds = {str(event.get("type") or "") for event in events}
    if any(kind.startswith("response.") for kind in kinds):
        return _response(events)
    reader = anthropic_messages.Reader() if "message_start" in kinds else openai_chat.Reader()
    answer = Answer()
    try:
        for part in (*reader.feed(text.encode("utf-8", "replace")), *reader.end()):
            answer.add(part)
    except StreamError:
        return None
    if answer.empty:
        return None
    end = answer.finished
    body: dict[str, Any] = {
        "choices": [{"message": answer.message(), "finish_reason": _STOPS[end.reason] if end else None}],
        "model": end.model if end else _model(events),
        **({} if end and answer.complete else {"incomplete": True}),
    }
    if end:
        body["usage"] = {"prompt_tokens": end.input_tokens, "completion_tokens": end.output_tokens}
    return body


def _events(text: str) -> list[dict[str, Any]]:
    found = []
    for data in Decoder().feed(text.encode("utf-8", "replace"), last=True):
        try:
            found.append(parse_json_object(data.encode()))
        except RecordError:
            continue  # "[DONE]", or the event in which the stream was cut
    return found


def _response(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the response that the last event holds, else what items were done until the stream was cut."""
    whole = next((one["response"] for one in reversed(events) if _ends(one)), None)
    items = [one["item"] for one in events if one.get("type") == "response.output_item.done" and "item" in one]
    if whole is not None and (whole.get("output") or not items):
        return dict(whole)
    started: dict[str, Any] = next((one["response"] for one in events if isinstance(one.get("response"), dict)), {})
    return {**started, **(whole or {"incomplete": True}), "output": items} if items else None


def _ends(event: dict[str, Any]) -> bool:
    kinds = ("response.completed", "response.incomplete", "response.failed")
    return event.get("type") in kinds and isinstance(event.get("response"), dict)


def _model(events: list[dict[str, Any]]) -> str | None:
    said = (one.get("model") or (one.get("message") if isinstance(one.get("message"), dict) else {}) for one in events)
    names = (one.get("model") if isinstance(one, dict) else one for one in said)
    return next((name for name in names if isinstance(name, str) and name), None)
