"""Anthropic's Messages API: reads a server's answer, and writes one for a client."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from weakspot.protocols.parts import (
    Answer,
    Call,
    Finished,
    Part,
    StopReason,
    StreamError,
    Text,
    Thought,
    ThoughtsEnded,
    readable_arguments,
)
from weakspot.protocols.reading import StreamReader, error_text, token_count
from weakspot.protocols.sse import event

VERSION = "2023-06-01"
# Any other reason means that the answer was cut.
_REASONS: dict[str, StopReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "refusal": "refused",
}
_WRITTEN = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "refused": "refusal"}
_READ_TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Reader(StreamReader):
    """Reads a message from its stream of events, or whole."""

    def __init__(self) -> None:
        super().__init__()
        self._usage: dict[str, Any] = {}
        self._calls: dict[int, int] = {}

    def _event(self, event: dict[str, Any]) -> Iterator[Part]:
        if event.get("error"):
            raise StreamError(error_text(event["error"]))
        match event["type"]:
            case "message_start":
                self._note_envelope(event["message"])
            case "content_block_start":
                yield from self._block(event["index"], event["content_block"])
            case "content_block_delta":
                yield from self._delta(event["index"], event["delta"])
            case "message_delta":
                self._reason = event["delta"].get("stop_reason") or self._reason
                self._usage |= {key: value for key, value in (event.get("usage") or {}).items() if value is not None}
            case "message_stop":
                self.ended = True

    def _body(self, body: dict[str, Any]) -> Iterator[Part]:
        if body.get("error"):
            raise StreamError(error_text(body["error"]))
        self._note_envelope(body)
        self._reason = body.get("stop_reason") or ""
        for index, block in enumerate(body["content"]):
            yield from self._block(index, block)

    def _note_envelope(self, message: dict[str, Any]) -> None:
        self._model = str(message.get("model") or "")
        self._usage |= message.get("usage") or {}

    def _block(self, index: int, block: dict[str, Any]) -> Iterator[Part]:
        match block["type"]:
            case "tool_use":
                self._calls[index] = len(self._calls)
                arguments = json.dumps(block["input"], ensure_ascii=False) if block.get("input") else ""
                yield Call(self._calls[index], arguments, block["id"], block["name"])
            case "text" if block.get("text"):
                yield Text(str(block["text"]))
            case "thinking" if block.get("thinking"):
                yield Thought(str(block["thinking"]))

    def _delta(self, index: int, delta: dict[str, Any]) -> Iterator[Part]:
        match delta["type"]:
            case "text_delta":
                yield Text(str(delta["text"] or ""))
            case "thinking_delta":
                yield Thought(str(delta["thinking"] or ""))
            case "input_json_delta" if index in self._calls:
                yield Call(self._calls[index], str(delta["partial_json"] or ""))

    def _final_part(self) -> Finished | None:
        if not self._reason:
            return None
        read = [tokens for key in _READ_TOKENS if (tokens := token_count(self._usage.get(key))) is not None]
        written = token_count(self._usage.get("output_tokens"))
        return Finished(_REASONS.get(self._reason, "length"), self._model, sum(read) if read else None, written)


class Writer:
    """Writes an answer for a client of the Messages API: as a stream of events, or whole.

    Blocks do not overlap in this protocol: once a tool call has begun, all other parts wait until the end.
    """

    def __init__(self, model: str) -> None:
        self.id = f"msg_{uuid.uuid4().hex}"
        self._envelope = {"id": self.id, "type": "message", "role": "assistant", "model": model}
        self._count = 0
        self._open = ""
        self._call: int | None = None
        self._waiting = Answer()

    def begin(self) -> bytes:
        """Return the events before the first part."""
        reason = {"stop_reason": None, "stop_sequence": None}
        usage = {"input_tokens": 0, "output_tokens": 0}
        return _event("message_start", message={**self._envelope, "content": [], **reason, "usage": usage})

    def write(self, part: Part) -> bytes:
        """Return the events of one part."""
        match part:
            case Finished():
                data = self._close_block() + b"".join(self._block(block) for block in _blocks(self._waiting))
                delta = {"stop_reason": _WRITTEN[part.reason], "stop_sequence": None}
                return data + _event("message_delta", delta=delta, usage=_usage(part))
            case Call(index, arguments, identity, name) if self._call in (None, index):
                start = b"" if self._call == index else self._open_block(_use(identity, name))
                self._call = index
                return start + self._delta("input_json_delta", partial_json=arguments)
            case ThoughtsEnded():
                return _event("ping")
            case _ if self._call is not None:
                self._waiting.add(part)
                return _event("ping")
            case Text(text):
                start = b"" if self._open == "text" else self._open_block({"type": "text", "text": ""})
                return start + self._delta("text_delta", text=text)
            case Thought(text):
                start = b"" if self._open == "thinking" else self._open_block(_thinking(""))
                return start + self._delta("thinking_delta", thinking=text)
        raise TypeError(part)

    def end(self) -> bytes:
        """Return the events after the last part."""
        return _event("message_stop")

    def error_event(self, status: int, message: str) -> bytes:
        """Return the event that ends a stream early with an error."""
        return event(json.dumps(error(status, message)), "error")

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Return the whole answer as one body."""
        finished = answer.finished or Finished("length")
        reason = {"stop_reason": _WRITTEN[finished.reason], "stop_sequence": None}
        return {**self._envelope, "content": _blocks(answer), **reason, "usage": _usage(finished)}

    def _open_block(self, block: dict[str, Any]) -> bytes:
        data = self._close_block()
        self._open = block["type"]
        return data + _event("content_block_start", index=self._count, content_block=block)

    def _close_block(self) -> bytes:
        if not self._open:
            return b""
        self._open, self._count = "", self._count + 1
        return _event("content_block_stop", index=self._count - 1)

    def _delta(self, kind: str, **fields: str) -> bytes:
        return _event("content_block_delta", index=self._count, delta={"type": kind, **fields})

    def _block(self, block: dict[str, Any]) -> bytes:
        """Return a whole block as the events of a stream."""
        match block["type"]:
            case "text":
                data = self._open_block({**block, "text": ""}) + self._delta("text_delta", text=block["text"])
            case "thinking":
                data = self._open_block(_thinking("")) + self._delta("thinking_delta", thinking=block["thinking"])
            case _:
                arguments = json.dumps(block["input"])
                data = self._open_block({**block, "input": {}}) + self._delta(
                    "input_json_delta", partial_json=arguments
                )
        return data + self._close_block()


def _blocks(answer: Answer) -> list[dict[str, Any]]:
    blocks = [_thinking(answer.thought)] if answer.thought else []
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    calls = answer.calls.values()
    return blocks + [{**_use(call.id, call.name), "input": readable_arguments(call.arguments)} for call in calls]


def _use(identity: str, name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": name, "input": {}}


def _thinking(thought: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": thought, "signature": ""}


def _event(name: str, **fields: Any) -> bytes:
    return event(json.dumps({"type": name, **fields}), name)


def _usage(finished: Finished) -> dict[str, int]:
    return {"input_tokens": finished.input_tokens or 0, "output_tokens": finished.output_tokens or 0}


_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def error(status: int, message: str, code: str = "", param: str | None = None) -> dict[str, Any]:
    """Return an error in the shape that Anthropic's clients read, which names no field of the request."""
    details = {"details": {"error_code": code}} if code else {}
    return {"type": "error", "error": {"type": _ERROR_TYPES.get(status, "api_error"), "message": message, **details}}
