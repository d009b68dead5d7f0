"""OpenAI's chat completions: reading a server's answer, writing one for a client."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from weakspot.protocols.parts import Answer, Call, Finished, Part, StopReason, Text, Thought
from weakspot.protocols.sse import Decoder, event

_REASONS: dict[str, StopReason] = {
    "stop": "stop",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "content_filter": "refused",
}
_WRITTEN = {"stop": "stop", "tool_calls": "tool_calls", "length": "length", "refused": "content_filter"}


def parts_of_stream(data: bytes) -> Iterator[Part]:
    """Yield the parts of a whole recorded stream."""
    reader = StreamReader()
    yield from reader.feed(data)
    yield from reader.end()


def parts_of_completion(body: dict[str, Any]) -> Iterator[Part]:
    """Yield the parts of an answer that came in one piece."""
    choice = (body.get("choices") or [{}])[0]
    yield from _parts_of_turn(choice.get("message") or {})
    if choice.get("finish_reason"):
        yield _finished(choice["finish_reason"], body)


class StreamReader:
    """Reads the parts of a chat completion from its stream, as they come.

    Usage follows the finish reason in a chunk of its own, so the end is told by :meth:`end`.
    """

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._reason = ""
        self._usage: dict[str, Any] = {}

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the parts that ``data`` completes; raise ``ValueError`` for an error that the server reports."""
        for one in self._decoder.feed(data):
            yield from self._data(one)

    def end(self) -> Iterator[Part]:
        """Yield what is left; no :class:`Finished` comes where the stream was cut."""
        for one in self._decoder.feed(b"", last=True):
            yield from self._data(one)
        if self._reason:
            yield _finished(self._reason, self._usage)

    def _data(self, data: str) -> Iterator[Part]:
        if data == "[DONE]":
            return
        try:
            chunk = json.loads(data)
        except ValueError:
            return  # a stream that was cut
        if isinstance(chunk, dict):
            yield from self.chunk(chunk)

    def chunk(self, chunk: dict[str, Any]) -> Iterator[Part]:
        """Yield the parts of one decoded chunk."""
        if chunk.get("error"):
            raise ValueError(_error_text(chunk["error"]))
        if chunk.get("usage") or not self._usage:
            self._usage = {"model": chunk.get("model"), "usage": chunk.get("usage")}
        for choice in (chunk.get("choices") or [])[:1]:
            yield from _parts_of_turn(choice.get("delta") or {})
            self._reason = choice.get("finish_reason") or self._reason


def _parts_of_turn(turn: dict[str, Any]) -> Iterator[Part]:
    if thought := turn.get("reasoning_content") or turn.get("reasoning"):
        yield Thought(str(thought))
    if text := turn.get("content"):
        yield Text(str(text))
    for place, call in enumerate(turn.get("tool_calls") or ()):
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        yield Call(
            call.get("index", place),
            arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False),
            call.get("id") or "",
            function.get("name") or "",
        )


def _finished(reason: str, body: dict[str, Any]) -> Finished:
    usage = body.get("usage") or {}
    return Finished(
        _REASONS.get(reason, "stop"),
        body.get("model") or "",
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
    )


def _error_text(error: Any) -> str:
    return str(error.get("message") or error) if isinstance(error, dict) else str(error)


class Writer:
    """Writes an answer for a client of chat completions: as a stream, or whole."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, model: str, request: dict[str, Any]) -> None:
        self._envelope = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self._usage_wanted = bool((request.get("stream_options") or {}).get("include_usage"))

    def begin(self) -> bytes:
        """Return what comes before the first part."""
        return self._chunk({"role": "assistant", "content": ""})

    def write(self, part: Part) -> bytes:
        """Return the bytes that stand for a part."""
        match part:
            case Text(text):
                return self._chunk({"content": text})
            case Thought(text):
                return self._chunk({"reasoning_content": text})
            case Call(index, arguments, identity, name):
                function = {"arguments": arguments, **({"name": name} if name else {})}
                head = {"id": identity, "type": "function"} if identity else {}
                return self._chunk({"tool_calls": [{"index": index, **head, "function": function}]})
            case Finished():
                data = self._chunk({}, _WRITTEN[part.reason])
                if self._usage_wanted:
                    data += self._event({"choices": [], "usage": _usage(part)})
                return data

    def end(self) -> bytes:
        """Return what comes after the last part."""
        return event("[DONE]")

    def failed(self, status: int, message: str) -> bytes:
        """Return what tells a client in the middle of a stream that no more will come."""
        return event(json.dumps(error(status, message)))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Return the whole answer as one body."""
        finished = answer.finished or Finished("length")
        choice = {"index": 0, "message": answer.message(), "logprobs": None, "finish_reason": _WRITTEN[finished.reason]}
        return {**self._envelope, "object": "chat.completion", "choices": [choice], "usage": _usage(finished)}

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        return self._event({"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]})

    def _event(self, fields: dict[str, Any]) -> bytes:
        return event(json.dumps({**self._envelope, "object": "chat.completion.chunk", **fields}, ensure_ascii=False))


def _usage(finished: Finished) -> dict[str, int]:
    read, written = finished.input_tokens or 0, finished.output_tokens or 0
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


def error(status: int, message: str) -> dict[str, Any]:
    """Return an error in the shape that OpenAI's clients read."""
    kind = _ERROR_TYPES.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def chat_request(body: dict[str, Any]) -> dict[str, Any]:
    """Return a client's request as a chat completion's request: it is one."""
    return body
