"""Converts requests of Anthropic's Messages API to chat completions, and chats to Messages requests."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from weakspot.protocols.media import block_parts, blocks_of_parts, content_of_parts, text_of_parts
from weakspot.protocols.parts import readable_arguments
from weakspot.protocols.tools import SafeNames, function_tools, with_safe_choice, with_safe_names
from weakspot.protocols.turns import BEGINNING

LONGEST_NAME = 128
_KEPT_AS_IT_IS = ("model", "max_tokens", "stream", "temperature", "top_p", "top_k")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_SYSTEM = ("system", "developer")
# What clients write into the system prompt for their provider: it changes with each request, and a local server that
# reads its prompt anew from the first changed word reads all of it. Each is a line at the beginning of a block.
_FOR_THE_PROVIDER = (
    # Claude Code: https://github.com/anthropics/claude-code/issues/68900
    re.compile(r"\s*x-anthropic-billing-header:[^\n]*(?:\n+|\Z)"),
)
_JSON_ONLY = "Answer with one JSON object and nothing else."
_MATCHING = "It must match this JSON schema: "


def chat_request(body: dict[str, Any]) -> dict[str, Any]:
    """Return the chat completion request that is equivalent to ``body``, a Messages request.

    Left out is what has no counterpart: thoughts, cache marks, citations, the provider's own tools and their results,
    whether a tool failed, effort and thinking budgets. Raises TypeError, KeyError or AttributeError for a body of
    another shape.
    """
    chat: dict[str, Any] = {key: body[key] for key in _KEPT_AS_IT_IS if key in body}
    system = _system_text(body.get("system"))
    chat["messages"] = [{"role": "system", "content": system}] if system else []
    for message in body["messages"]:
        chat["messages"] += _chat_messages(message)
    if "stop_sequences" in body:
        chat["stop"] = body["stop_sequences"]
    form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
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


def _system_text(system: Any) -> str:
    """Return the system prompt without the lines that are for the provider."""
    blocks = [system] if isinstance(system, str) else [part["text"] for part in block_parts(system)]
    for line in _FOR_THE_PROVIDER:
        blocks = [rest for block in blocks if (rest := line.sub("", block, count=1) if line.match(block) else block)]
    return "\n".join(blocks)


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    described = {"description": tool["description"]} if tool.get("description") else {}
    return {"type": "function", "function": {"name": tool["name"], **described, "parameters": tool["input_schema"]}}


def _chat_messages(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the chat messages of one Anthropic message: there, each result of a tool is a message of its own."""
    role, content = message["role"], message["content"]
    if role in _SYSTEM:
        content = _system_text(content)
    if content is None or isinstance(content, str):
        yield {"role": role, "content": content or ""}
        return
    said: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for block in content:
        match block["type"]:
            case "text" | "image" | "document" | "search_result":
                said += block_parts([block])
            case "tool_use":
                function = {"name": block["name"], "arguments": json.dumps(block["input"], ensure_ascii=False)}
                calls.append({"id": block["id"], "type": "function", "function": function})
            case "tool_result":
                result = content_of_parts(block_parts(block.get("content")))
                yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": result}
    if calls:
        yield {"role": role, "content": text_of_parts(said) or None, "tool_calls": calls}
    elif said:
        yield {"role": role, "content": content_of_parts(said)}


def request(
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]],
    options: Mapping[str, Any] | None = None,
    names: SafeNames | None = None,
) -> dict[str, Any]:
    """Return system, messages, tools and options of the Messages request that is equivalent to a chat.

    Consecutive messages of one role become one message, as the protocol requires. ``names`` are those of the tools.
    Left out are the options ``seed``, ``frequency_penalty`` and ``presence_penalty``, and ``top_p`` next to a
    temperature. A form of the answer that the protocol cannot express is asked for in words.
    """
    names, options = names or SafeNames(LONGEST_NAME), options or {}
    messages, functions = with_safe_names(messages, function_tools(tools), names, SafeNames(LONGEST_NAME))
    system = [text for one in messages if one["role"] in _SYSTEM and (text := _text(one.get("content"))).strip()]
    form, in_words = _output_format(options.get("response_format"))
    system += in_words
    return {
        **({"system": "\n\n".join(system)} if system else {}),
        "messages": _turns(messages),
        **({"tools": [_tool(one["function"]) for one in functions]} if functions else {}),
        **({"tool_choice": choice} if functions and (choice := _tool_choice(options, names, functions)) else {}),
        **({"output_config": {"format": form}} if form else {}),
        **({"stop_sequences": stops} if (stops := _stop_sequences(options.get("stop"))) else {}),
        **_sampling(options),
    }


def _turns(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for message in messages:
        blocks = [] if message["role"] in _SYSTEM else list(_blocks(message))
        role = "assistant" if message["role"] == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if turns and turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": BEGINNING}]})
    return turns


def _text(content: Any) -> str:
    return content if isinstance(content, str) else text_of_parts(content or ())


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    described = {"description": function["description"]} if function.get("description") else {}
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {"name": function["name"], **described, "input_schema": schema}


def _blocks(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    blocks = blocks_of_parts(message.get("content"))
    if message["role"] == "tool":
        text = all(block["type"] == "text" for block in blocks)
        # Anthropic refuses an empty text.
        result = (_text(message.get("content")) or "(empty)") if text else blocks
        yield {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": result}
        return
    # Anthropic refuses documents in the name of the assistant.
    yield from (one for one in blocks if one["type"] == "text" or message["role"] != "assistant")
    for call in message.get("tool_calls") or ():
        function = call["function"]
        value = readable_arguments(function.get("arguments"))
        yield {"type": "tool_use", "id": call["id"], "name": function["name"], "input": value}


def _tool_choice(options: Mapping[str, Any], names: SafeNames, functions: list[dict[str, Any]]) -> dict[str, Any]:
    choice = with_safe_choice(options.get("tool_choice"), names, functions)
    parallel = {"disable_parallel_tool_use": True} if options.get("parallel_tool_calls") is False else {}
    match choice:
        case "none":
            return {"type": "none"}
        case "required" | {"type": "allowed_tools", "allowed_tools": {"mode": "required"}}:
            return {"type": "any", **parallel}
        case {"function": {"name": name}}:
            return {"type": "tool", "name": name, **parallel}
        case "auto":
            return {"type": "auto", **parallel}
        case _:
            return {"type": "auto", **parallel} if parallel else {}


def _output_format(asked: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the form of the answer, and what must be said about it in words."""
    match asked:
        case {"type": "json_schema", "json_schema": {"schema": dict() as schema}}:
            if (strict := _strict_schema(schema)) is not None:
                return {"type": "json_schema", "schema": strict}, []
            return None, [_JSON_ONLY, _MATCHING + json.dumps(schema, ensure_ascii=False)]
        case {"type": "json_object"} | {"type": "json_schema"}:
            return None, [_JSON_ONLY]
        case _:
            return None, []


def _strict_schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return a schema as the provider takes it, None where it cannot be made such."""
    import anthropic

    try:
        return anthropic.transform_schema(schema)
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError, RecursionError):
        return None


def _stop_sequences(stop: Any) -> list[str]:
    """Return the texts that end the answer; Anthropic refuses those of white space only."""
    asked = [stop] if isinstance(stop, str) else stop or []
    return [one for one in asked if isinstance(one, str) and one.strip()]


def _sampling(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return temperature or top_p: most models refuse both together, and temperatures above 1."""
    temperature = options.get("temperature")
    if isinstance(temperature, int | float):
        return {"temperature": min(temperature, 1)}
    return {"top_p": options["top_p"]} if "top_p" in options else {}
