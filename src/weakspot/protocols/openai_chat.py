"""OpenAI's chat completions: builds a request, reads a server's answer, and writes one for a client."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from weakspot.protocols.parts import Answer, Call, Finished, Part, StopReason, StreamError, Text, Thought
from weakspot.protocols.reading import StreamReader, error_text, token_count
from weakspot.protocols.sse import event

# Any other reason is some server's own word for an answer that was cut.
_REASONS: dict[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refused",
}
_WRITTEN = {"stop": "stop", "tool_calls": "tool_calls", "length": "length", "refused": "content_filter"}
_MESSAGE_KEYS = ("role", "content", "tool_calls", "tool_call_id", "name")


def request(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
    """Return messages and tools of a request; fields that only some servers know are left out."""
    # Few servers know the role "developer", and those accept "system" in its place.
    known = [{key: one[key] for key in _MESSAGE_KEYS if key in one} for one in messages]
    return {
        "messages": [{**one, "role": "system"} if one["role"] == "developer" else one for one in known],
        **({"tools": tools} if tools else {}),
    }


def parts_of_stream(data: bytes) -> Iterator[Part]:
    """Yield the parts of a whole recorded stream; raises :class:`StreamError` like its reader."""
    reader = Reader()
    yield from reader.feed(data)
    yield from reader.end()


def parts_of_completion(data: bytes) -> Iterator[Part]:
    """Yield the parts of an answer that came in one piece; raises :class:`StreamError` for anything else."""
    reader = Reader()
    try:
        yield from reader.completion(json.loads(data))
    except StreamError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise StreamError("not a chat completion") from None


class Reader(StreamReader):
    """Reads the first choice of a chat completion."""

    def __init__(self) -> None:
        super().__init__()
        self._reason = self._model = ""
        self._refused = False
        self._usage: dict[str, Any] = {}
        self._ids: list[str] = []
        self._numbers: dict[Any, int] = {}

    def completion(self, body: dict[str, Any]) -> Iterator[Part]:
        """Yield the parts of a decoded answer that came in one piece."""
        yield from self._parse_body(body, "message")
        if (finished := self._final_part()) is not None:
            yield finished

    def _event(self, event: dict[str, Any]) -> Iterator[Part]:
        yield from self._parse_body(event, "delta")

    def _parse_body(self, body: dict[str, Any], turn: str) -> Iterator[Part]:
        if body.get("error"):
            raise StreamError(error_text(body["error"]))
        self._model = str(body.get("model") or self._model)
        self._usage = body.get("usage") or self._usage
        for choice in body.get("choices") or ():
            if not choice.get("index"):
                yield from self._turn(choice.get(turn) or {})
                self._reason = choice.get("finish_reason") or self._reason

    def _turn(self, turn: dict[str, Any]) -> Iterator[Part]:
        if thought := turn.get("reasoning_content") or turn.get("reasoning"):
            yield Thought(str(thought))
        content = turn.get("content") or ()
        # Mistral's servers separate text from reasoning here.
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part.get("type") == "text":
                yield Text(str(part["text"]))
        if refusal := turn.get("refusal"):
            self._refused = True
            yield Text(str(refusal))
        for place, call in enumerate(turn.get("tool_calls") or ()):
            yield self._call(place, call)

    def _call(self, place: int, call: dict[str, Any]) -> Call:
        function, identity = call.get("function") or {}, call.get("id") or ""
        given = call.get("index")
        index = place if given is None else given
        number = self._numbers.get(index)
        # Some servers repeat id and name in each piece, some give all calls one index: a new id is a new call.
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if number is not None and (not identity or self._ids[number] in ("", identity)):
            return Call(number, arguments)
        number = self._numbers[index] = len(self._ids)
        self._ids.append(identity)
        return Call(number, arguments, identity or f"call_{uuid.uuid4().hex}", function.get("name") or "")

    def _final_part(self) -> Finished | None:
        if not self._reason:
            return None
        reason = "refused" if self._refused else _REASONS.get(self._reason, "length")
        # Many servers say "stop" after tool calls, too.
        reason = "tool_calls" if reason == "stop" and self._ids else reason
        read, written = token_count(self._usage.get("prompt_tokens")), token_count(self._usage.get("completion_tokens"))
        return Finished(reason, self._model, read, written)


class Writer:
    """Writes an answer for a client of chat completions: as a stream, or whole."""

    def __init__(self, model: str, *, usage_wanted: bool = False) -> None:
        self._envelope = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self._usage_wanted = usage_wanted

    def begin(self) -> bytes:
        """Return the events before the first part."""
        return self._chunk({"role": "assistant", "content": ""})

    def write(self, part: Part) -> bytes:
        """Return the events of one part."""
        match part:
            case Text(text):
                return self._chunk({"content": text})
            case Thought(text):
                return self._chunk({"reasoning_content": text})
            case Call(index, arguments, identity, name):
                head = {"id": identity, "type": "function"} if identity else {}
                function = {**({"name": name} if name else {}), "arguments": arguments}
                return self._chunk({"tool_calls": [{"index": index, **head, "function": function}]})
            case Finished():
                data = self._chunk({}, _WRITTEN[part.reason])
                return data + self._event({"choices": [], "usage": _usage(part)}) if self._usage_wanted else data

    def end(self) -> bytes:
        """Return the events after the last part."""
        return event("[DONE]")

    def error_event(self, status: int, message: str) -> bytes:
        """Return the event that ends a stream early with an error."""
        return event(json.dumps(error(status, message)))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Return the whole answer as one body."""
        finished = answer.finished or Finished("length")
        message = {**answer.message(), **({"reasoning_content": answer.thought} if answer.thought else {})}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _WRITTEN[finished.reason]}
        return {**self._envelope, "object": "chat.completion", "choices": [choice], "usage": _usage(finished)}

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        return self._event({"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]})

    def _event(self, fields: dict[str, Any]) -> bytes:
        return event(json.dumps({**self._envelope, "object": "chat.completion.chunk", **fields}))


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
