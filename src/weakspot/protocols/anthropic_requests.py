"""Converts requests of Anthropic's Messages API to chat completions, and chats to Messages requests."""

import json
import re
from collections.abc import Iterator
from typing import Any

from weakspot.protocols.parts import readable_arguments

_KEPT_AS_IT_IS = ("model", "max_tokens", "stream", "temperature", "top_p", "top_k")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_SYSTEM = ("system", "developer")
# Anthropic refuses ids with other characters, which some servers produce: "functions.read:0".
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def chat_request(body: dict[str, Any]) -> dict[str, Any]:
    """Return the chat completion request that is equivalent to ``body``, a Messages request.

    Thinking blocks, cache marks and the provider's own tools have no counterpart and are left out. Raises
    TypeError, KeyError or AttributeError for a body of another shape.
    """
    chat: dict[str, Any] = {key: body[key] for key in _KEPT_AS_IT_IS if key in body}
    system = _text(body.get("system"))
    chat["messages"] = [{"role": "system", "content": system}] if system else []
    for message in body["messages"]:
        chat["messages"] += _chat_messages(message)
    if "stop_sequences" in body:
        chat["stop"] = body["stop_sequences"]
    form = (body.get("output_config") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        schema = {"name": "answer", "schema": form["schema"], "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    if tools := [_function(tool) for tool in body.get("tools") or () if "input_schema" in tool]:
        chat["tools"] = tools
        choice = body.get("tool_choice") or {}
        if choice.get("type") == "tool":
            chat["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
        elif choice.get("type") in _CHOICES:
            chat["tool_choice"] = _CHOICES[choice["type"]]
        if choice.get("disable_parallel_tool_use"):
            chat["parallel_tool_calls"] = False
    if chat.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    return chat


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    described = {"description": tool["description"]} if tool.get("description") else {}
    return {"type": "function", "function": {"name": tool["name"], **described, "parameters": tool["input_schema"]}}


def _chat_messages(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the chat messages of one Anthropic message: there, each result of a tool is a message of its own."""
    role, content = message["role"], message["content"]
    if isinstance(content, str):
        yield {"role": role, "content": content}
        return
    said: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for block in content:
        match block["type"]:
            case "text":
                said.append({"type": "text", "text": block["text"]})
            case "image":
                said.append({"type": "image_url", "image_url": {"url": _image_url(block["source"])}})
            case "document":
                said.append({"type": "text", "text": _document(block["source"])})
            case "tool_use":
                function = {"name": block["name"], "arguments": json.dumps(block["input"], ensure_ascii=False)}
                calls.append({"id": block["id"], "type": "function", "function": function})
            case "tool_result":
                yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": _text(block.get("content"))}
    plain = all(part["type"] == "text" for part in said)
    words = _text(said)
    if calls:
        yield {"role": role, "content": words or None, "tool_calls": calls}
    elif said:
        yield {"role": role, "content": words if plain else said}


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part["text"] if part["type"] == "text" else f"[{part['type']}]" for part in content)


def _document(source: dict[str, Any]) -> str:
    return str(source["data"]) if source["type"] == "text" else "[document]"


def _image_url(source: dict[str, Any]) -> str:
    if source["type"] == "base64":
        return f"data:{source['media_type']};base64,{source['data']}"
    return str(source.get("url", ""))


def request(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
    """Return system, messages and tools of the Messages request that is equivalent to a chat.

    Consecutive messages of one role become one message, as the protocol requires.
    """
    turns: list[dict[str, Any]] = []
    for message in messages:
        blocks = [] if message["role"] in _SYSTEM else list(_blocks(message))
        role = "assistant" if message["role"] == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    system = [text for one in messages if one["role"] in _SYSTEM and (text := _text(one.get("content")))]
    return {
        **({"system": "\n\n".join(system)} if system else {}),
        "messages": turns,
        **({"tools": [_tool(tool["function"]) for tool in tools]} if tools else {}),
    }


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    described = {"description": function["description"]} if function.get("description") else {}
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {"name": function["name"], **described, "input_schema": schema}


def _blocks(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = message.get("content")
    if message["role"] == "tool":
        # Anthropic refuses an empty text.
        result = _text(content) or "(empty)"
        yield {"type": "tool_result", "tool_use_id": _identity(message["tool_call_id"]), "content": result}
        return
    parts: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    for part in parts:
        if part["type"] == "text" and part["text"].strip():
            yield {"type": "text", "text": part["text"]}
        elif part["type"] == "image_url":
            yield {"type": "image", "source": _image_source(part["image_url"]["url"])}
    for call in message.get("tool_calls") or ():
        function = call["function"]
        value = readable_arguments(function.get("arguments"))
        yield {"type": "tool_use", "id": _identity(call["id"]), "name": function["name"], "input": value}


def _identity(given: str) -> str:
    return _NOT_IN_AN_ID.sub("_", given)


def _image_source(url: str) -> dict[str, str]:
    head, comma, data = url.partition(";base64,")
    if comma and head.startswith("data:"):
        return {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
    return {"type": "url", "url": url}
