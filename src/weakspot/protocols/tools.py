"""Tools and their calls as providers take them: functions with a schema, and names and ids of safe characters."""

import json
import re
from collections.abc import Iterable
from typing import Any

_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")
# Both providers refuse these at the top of a schema.
_NOT_AT_THE_TOP = ("anyOf", "oneOf", "allOf")
# The argument of a function that stands for a custom tool.
_INPUT = "input"


class SafeNames:
    """Gives each name one of safe characters, at most ``longest`` and no two alike, and knows the way back."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._safe: dict[str, str] = {}
        self._given: dict[str, str] = {}

    def safe(self, given: str) -> str:
        """Return the safe name; a name that is one already stays as it is, unless it is taken."""
        if given not in self._safe:
            plain = _UNSAFE.sub("_", given)[: self._longest] or "_"
            safe, number = plain, 1
            while safe in self._given:
                number += 1
                safe = f"{plain[: self._longest - 1 - len(str(number))]}_{number}"
            self._safe[given], self._given[safe] = safe, given
        return self._safe[given]

    def original(self, safe: str) -> str:
        """Return the name that a safe one stands for."""
        return self._given.get(safe, safe)


def function_tools(tools: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the tools as functions.

    A custom tool, whose input is a plain text, becomes a function with one argument ``input``. What only its provider
    can run, such as ``web_search``, is left out, and so is a second tool of one name.
    """
    found: dict[str, dict[str, Any]] = {}
    for tool in tools:
        function = tool.get("function")
        if tool.get("type") == "custom":
            function = custom_function(tool.get("custom") or tool)
        elif function is None and tool.get("type") == "function":
            function = {key: value for key, value in tool.items() if key != "type"}
        if function is not None:
            found.setdefault(function["name"], {"type": "function", "function": _with_schema(function)})
    return list(found.values())


def custom_function(custom: dict[str, Any]) -> dict[str, Any]:
    """Return the function that stands for a custom tool: its input is one text, whose grammar is told in words."""
    form, told = custom.get("format"), dict[str, Any]()
    # In a chat the grammar is an object of its own.
    grammar = form.get("grammar", form) if isinstance(form, dict) else None
    if isinstance(grammar, dict) and isinstance(definition := grammar.get("definition"), str):
        told = {"description": f"Text of this {grammar.get('syntax')} grammar:\n{definition}"}
    described = {"description": custom["description"]} if custom.get("description") else {}
    schema = {"type": "object", "properties": {_INPUT: {"type": "string", **told}}, "required": [_INPUT]}
    return {"name": custom["name"], **described, "parameters": schema}


def custom_arguments(text: Any) -> str:
    """Return a custom tool's input as the arguments of the function that stands for it."""
    return json.dumps({_INPUT: text or ""}, ensure_ascii=False)


def custom_input(arguments: str) -> str:
    """Return the input of a custom tool from a function's arguments, which models do not always write as they should.

    Models that know a tool name the one text as they have learned it, or write it bare.
    """
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    if isinstance(value, dict):
        texts = [one for one in (value.get(_INPUT), *value.values()) if isinstance(one, str)]
        return texts[0] if texts else arguments
    return value if isinstance(value, str) else arguments


def tools_of_calls(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a function for each tool that was called in a chat."""
    calls = (call["function"] for message in messages for call in message.get("tool_calls") or ())
    return [{"type": "function", "function": {"name": name}} for name in dict.fromkeys(one["name"] for one in calls)]


def _with_schema(function: dict[str, Any]) -> dict[str, Any]:
    if not function.get("parameters"):
        return {key: value for key, value in function.items() if key != "parameters"}
    schema = {key: value for key, value in function["parameters"].items() if key not in _NOT_AT_THE_TOP}
    return {**function, "parameters": {**schema, "type": "object"}}


def with_safe_names(
    messages: list[dict[str, Any]], tools: list[dict[str, Any]], names: SafeNames, ids: SafeNames
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return messages and function tools with safe names, and ids no two of which are alike.

    A result belongs to the latest call of its id.
    """
    named = [_with_safe_name(tool, names) for tool in tools]
    seen: dict[str, int] = {}
    return [_with_safe_calls(message, names, ids, seen) for message in messages], named


def _with_safe_calls(message: dict[str, Any], names: SafeNames, ids: SafeNames, seen: dict[str, int]) -> dict[str, Any]:
    """Return a message with safe names and ids; ``seen`` counts the calls of each id."""
    if message["role"] == "tool":
        identity = str(message.get("tool_call_id") or "")
        return {**message, "tool_call_id": ids.safe(_distinct_id(identity, seen.get(identity, 1)))}
    if not message.get("tool_calls"):
        return message
    calls = []
    for call in map(function_call, message["tool_calls"]):
        identity = str(call.get("id") or "")
        seen[identity] = seen.get(identity, 0) + 1
        calls.append({**_with_safe_name(call, names), "id": ids.safe(_distinct_id(identity, seen[identity]))})
    return {**message, "tool_calls": calls}


def _with_safe_name(one: dict[str, Any], names: SafeNames) -> dict[str, Any]:
    return {**one, "function": {**one["function"], "name": names.safe(one["function"]["name"])}}


def _distinct_id(identity: str, number: int) -> str:
    return identity if number == 1 else f"{identity} {number}"


def function_call(call: Any) -> Any:
    """Return a call as one of a function; a custom tool's input becomes its only argument."""
    if not isinstance(call, dict) or "function" in call or not isinstance(call.get("custom"), dict):
        return call
    arguments = custom_arguments(call["custom"].get("input"))
    return {**call, "type": "function", "function": {"name": call["custom"].get("name"), "arguments": arguments}}


def with_safe_choice(choice: Any, names: SafeNames, functions: Iterable[dict[str, Any]]) -> Any:
    """Return a choice of tools that names them safely; None where its tool is none of ``functions``."""
    if not isinstance(choice, dict):
        return choice
    if not isinstance(named := choice.get("function") or choice.get("custom"), dict):
        return choice
    chosen = {"name": names.safe(str(named.get("name")))}
    is_known = any(one["function"]["name"] == chosen["name"] for one in functions)
    return {"type": "function", "function": chosen} if is_known else None
