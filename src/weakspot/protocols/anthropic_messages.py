"""Anthropic's messages: requests to and from the chat format, and writing an answer for a client."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from weakspot.protocols.parts import Answer, Call, Finished, Part, Text, Thought
from weakspot.protocols.sse import event

_WRITTEN = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "refused": "refusal"}
_KEPT_AS_IT_IS = ("model", "max_tokens", "stream", "temperature", "top_p", "top_k")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def chat_request(body: dict[str, Any]) -> dict[str, Any]:
    """Return the chat completion's request that says the same as ``body``, a request of messages.

    Thinking blocks, cache marks and the provider's own tools have no counterpart and are left out.
    """
    chat: dict[str, Any] = {key: body[key] for key in _KEPT_AS_IT_IS if key in body}
    system = _text(body.get("system"))
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for message in body.get("messages") or ():
        messages += _chat_messages(message)
    chat["messages"] = messages
    if "stop_sequences" in body:
        chat["stop"] = body["stop_sequences"]
    tools = [
        {
            "type": "function",
            "function": {
                "name": tool.get("name"),
                "description": tool.get("description", ""),
                "parameters": tool["input_schema"],
            },
        }
        for tool in body.get("tools") or ()
        if "input_schema" in tool
    ]
    if tools:
        chat["tools"] = tools
        choice = body.get("tool_choice") or {}
        if choice.get("type") == "tool":
            chat["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
        elif choice.get("type") in _CHOICES:
            chat["tool_choice"] = _CHOICES[choice["type"]]
        if choice.get("disable_parallel_tool_use"):
            chat["parallel_tool_calls"] = False
    if chat.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    return chat


def _chat_messages(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the chat messages of one message: results of tools are messages of their own there."""
    role, content = message.get("role"), message.get("content")
    if isinstance(content, str):
        yield {"role": role, "content": content}
        return
    said: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for block in content or ():
        kind = block.get("type")
        if kind == "text":
            said.append({"type": "text", "text": block.get("text", "")})
        elif kind == "image":
            said.append({"type": "image_url", "image_url": {"url": _image_url(block.get("source") or {})}})
        elif kind == "tool_use":
            function = {"name": block.get("name"), "arguments": json.dumps(block.get("input"), ensure_ascii=False)}
            calls.append({"id": block.get("id"), "type": "function", "function": function})
        elif kind == "tool_result":
            yield {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": _text(block.get("content"))}
    plain = all(part["type"] == "text" for part in said)
    if calls:
        yield {"role": role, "content": _text(said) or None, "tool_calls": calls}
    elif said:
        yield {"role": role, "content": _text(said) if plain else said}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = [block for block in content or () if isinstance(block, dict)]
    return "\n".join(block.get("text", "") if block.get("type") == "text" else f"[{block['type']}]" for block in blocks)


def _image_url(source: dict[str, Any]) -> str:
    if source.get("type") == "base64":
        return f"data:{source.get('media_type')};base64,{source.get('data')}"
    return str(source.get("url", ""))


def messages_request(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
    """Return system, messages and tools of a request of messages that says the same as a chat.

    Neighbours of one role become one message, as the protocol wants them.
    """
    system = [_text(m.get("content")) for m in messages if m.get("role") in ("system", "developer")]
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.get("role") in ("system", "developer"):
            continue
        role = "assistant" if message.get("role") == "assistant" else "user"
        blocks = list(_blocks(message))
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    request: dict[str, Any] = {"messages": turns}
    if text := "\n\n".join(one for one in system if one):
        request["system"] = text
    described = [tool["function"] for tool in tools if tool.get("type") == "function"]
    if described:
        request["tools"] = [
            {
                "name": one.get("name"),
                "description": one.get("description") or "",
                "input_schema": one.get("parameters") or {"type": "object", "properties": {}},
            }
            for one in described
        ]
    return request


def _blocks(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = message.get("content")
    if message.get("role") == "tool":
        yield {
            "type": "tool_result",
            "tool_use_id": message.get("tool_call_id"),
            "content": _text(content) or "(empty)",
        }
        return
    parts: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    for part in parts:
        if part.get("type") == "text" and str(part.get("text", "")).strip():
            yield {"type": "text", "text": part["text"]}
        elif part.get("type") == "image_url":
            yield {"type": "image", "source": _image_source(str((part.get("image_url") or {}).get("url", "")))}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield {"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": _input(function)}


def _input(function: dict[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments") or "{}"
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return {"unreadable": arguments}  # a call that was cut: the expert should see it all the same
    return value if isinstance(value, dict) else {"value": value}


def _image_source(url: str) -> dict[str, str]:
    head, comma, data = url.partition(";base64,")
    if comma and head.startswith("data:"):
        return {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
    return {"type": "url", "url": url}


class Writer:
    """Writes an answer for a client of messages: as a stream of events, or whole."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, model: str, request: dict[str, Any]) -> None:
        self._envelope: dict[str, Any] = {
            "id": f"msg_{uuid.uuid4().hex}",
            "type": "message",
            "role": "assistant",
            "model": model,
        }
        self._block = -1
        self._kind: tuple[str, int] | None = None

    def begin(self) -> bytes:
        """Return what comes before the first part."""
        usage = {"input_tokens": 0, "output_tokens": 0}
        message = {**self._envelope, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        return _event("message_start", message=message)

    def write(self, part: Part) -> bytes:
        """Return the bytes that stand for a part; a block begins and ends with what it holds."""
        match part:
            case Text(text):
                return self._open("text", 0, {"type": "text", "text": ""}) + self._delta("text_delta", text=text)
            case Thought(text):
                start = {"type": "thinking", "thinking": "", "signature": ""}
                return self._open("thinking", 0, start) + self._delta("thinking_delta", thinking=text)
            case Call(index, arguments, identity, name):
                call: dict[str, Any] = {"type": "tool_use", "id": identity, "name": name, "input": {}}
                data = self._open("tool_use", index, call)
                return data + (self._delta("input_json_delta", partial_json=arguments) if arguments else b"")
            case Finished():
                delta = {"stop_reason": _WRITTEN[part.reason], "stop_sequence": None}
                return self._close() + _event("message_delta", delta=delta, usage=_usage(part))

    def end(self) -> bytes:
        """Return what comes after the last part."""
        return _event("message_stop")

    def failed(self, status: int, message: str) -> bytes:
        """Return what tells a client in the middle of a stream that no more will come."""
        return event(json.dumps(error(status, message)), "error")

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Return the whole answer as one body."""
        finished = answer.finished or Finished("length")
        blocks: list[dict[str, Any]] = []
        if answer.thoughts:
            blocks.append({"type": "thinking", "thinking": answer.thoughts, "signature": ""})
        if answer.text:
            blocks.append({"type": "text", "text": answer.text})
        for call in answer.calls.values():
            value = _input({"arguments": call.arguments})
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": value})
        reason = {"stop_reason": _WRITTEN[finished.reason], "stop_sequence": None}
        return {**self._envelope, "content": blocks, **reason, "usage": _usage(finished)}

    def _open(self, kind: str, index: int, start: dict[str, Any]) -> bytes:
        if self._kind == (kind, index):
            return b""
        data = self._close()
        self._kind, self._block = (kind, index), self._block + 1
        return data + _event("content_block_start", index=self._block, content_block=start)

    def _close(self) -> bytes:
        if self._kind is None:
            return b""
        self._kind = None
        return _event("content_block_stop", index=self._block)

    def _delta(self, kind: str, **fields: Any) -> bytes:
        return _event("content_block_delta", index=self._block, delta={"type": kind, **fields})


def _event(name: str, **fields: Any) -> bytes:
    return event(json.dumps({"type": name, **fields}, ensure_ascii=False), name)


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


def error(status: int, message: str) -> dict[str, Any]:
    """Return an error in the shape that Anthropic's clients read."""
    return {"type": "error", "error": {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}}
