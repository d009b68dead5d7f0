"""Converts requests of OpenAI's Responses API to chat completions."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from weakspot.protocols.media import content_of_parts
from weakspot.protocols.notice import without_notice
from weakspot.protocols.tools import custom_arguments, custom_function

Item = dict[str, Any]
Message = dict[str, Any]

_KEPT_AS_IT_IS = ("model", "stream", "temperature", "top_p")
# Each is the work of a service beside the model, or a conversation that this service keeps.
_NOT_HERE = ("background", "conversation", "prompt")
_EFFORTS = ("low", "medium", "high")
_CHOICES = ("auto", "none", "required")
_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_DETAILS = ("low", "high", "auto")
_SHOWN = ("input_text", "input_image")
_OWN_CALLS = ("function_call", "custom_tool_call")


class RequestError(ValueError):
    """A request that is none of the protocol: one line that says where."""


class ToolForm(NamedTuple):
    """What a client calls a tool that the model knows as a function of another name."""

    name: str
    namespace: str = ""
    is_custom: bool = False


class Tools(NamedTuple):
    """The tools of a request: as functions of a chat, their ``forms`` by the functions' names, and ``offered``.

    ``offered`` are the client's own words for those among them.
    """

    functions: list[dict[str, Any]]
    forms: dict[str, ToolForm]
    offered: list[dict[str, Any]]


def input_items(body: dict[str, Any]) -> list[Item]:
    """Return the items of a request's input; a text is a message of the user. Raises :class:`RequestError`."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list):
        raise RequestError("input is missing" if given is None else "input is neither a text nor a list")
    for place, item in enumerate(given):
        if not isinstance(item, dict):
            raise RequestError(f"input[{place}] is not an object")
    return given


def chat_request(body: dict[str, Any], items: list[Item], tools: Tools) -> dict[str, Any]:
    """Return the chat completion request that is equivalent to ``body`` with ``items`` as its input.

    Encrypted thoughts, the provider's own tools and what they found, and options of its service have no counterpart
    and are left out. Raises :class:`RequestError`.
    """
    for name in _NOT_HERE:
        if body.get(name):
            raise RequestError(f"{name} is not supported: send the conversation as input, or previous_response_id")
    chat: dict[str, Any] = {key: body[key] for key in _KEPT_AS_IT_IS if body.get(key) is not None}
    instructions = _text_field(body, "instructions")
    chat["messages"] = [*([{"role": "system", "content": instructions}] if instructions else []), *chat_messages(items)]
    if body.get("max_output_tokens") is not None:
        chat["max_tokens"] = body["max_output_tokens"]
    if (effort := _mapping_field(body, "reasoning").get("effort")) in _EFFORTS:
        chat["reasoning_effort"] = effort
    if (form := _response_format(_mapping_field(_mapping_field(body, "text"), "format", "text.format"))) is not None:
        chat["response_format"] = form
    if tools.functions:
        chat["tools"], choice = _choose(body.get("tool_choice"), tools)
        if choice is not None:
            chat["tool_choice"] = choice
        if isinstance(body.get("parallel_tool_calls"), bool):
            chat["parallel_tool_calls"] = body["parallel_tool_calls"]
    if chat.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    return chat


def _text_field(values: dict[str, Any], name: str) -> str:
    if not isinstance(found := values.get(name) or "", str):
        raise RequestError(f"{name} is not a text")
    return found


def _mapping_field(values: dict[str, Any], name: str, shown: str = "") -> dict[str, Any]:
    if not isinstance(found := values.get(name) or {}, dict):
        raise RequestError(f"{shown or name} is not an object")
    return found


def _response_format(form: dict[str, Any]) -> dict[str, Any] | None:
    match form.get("type"):
        case "json_schema":
            described = {
                key: form[key] for key in ("name", "description", "schema", "strict") if form.get(key) is not None
            }
            return {"type": "json_schema", "json_schema": {"name": "answer", **described}}
        case "json_object":
            return {"type": "json_object"}
        case _:
            return None


# Tools


def tools_of_request(body: dict[str, Any], items: Iterable[Item]) -> Tools:
    """Return the tools that a request offers, those that stand in its input among them. Raises :class:`RequestError`.

    A custom tool becomes a function with one text, and a tool of a namespace one whose name begins with it. What only
    the provider can run is left out, and so is a second tool of one name.
    """
    found = Tools([], {}, [])
    for holder in (body, *(item for item in items if item.get("type") == "additional_tools")):
        for tool in _tools_in(holder):
            if tool.get("type") == "namespace":
                added = [_add_tool(found, one, _text_field(tool, "name")) for one in _tools_in(tool)]
            else:
                added = [_add_tool(found, tool)]
            if any(added):
                found.offered.append(tool)
    return found


def _tools_in(holder: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tools of a request, of an item or of a namespace."""
    tools = holder.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(one, dict) for one in tools):
        raise RequestError("tools is not a list of objects")
    return tools


def _add_tool(found: Tools, tool: dict[str, Any], namespace: str = "") -> bool:
    """Add a tool that the client itself runs; return whether it is one."""
    kind, name = tool.get("type"), tool.get("name")
    if kind not in ("function", "custom"):
        return False
    # Some clients nest a function as in a chat.
    nested = tool.get(kind)
    described = nested if name is None and isinstance(nested, dict) else tool
    if not isinstance(name := described.get("name"), str) or not name:
        raise RequestError(f"tools: a {kind} has no name")
    if not isinstance(described.get("parameters") or {}, dict):
        raise RequestError(f"tools: the parameters of {name[:80]} are not an object")
    if kind == "custom":
        function = custom_function(described)
    else:
        keys = ("name", "description", "parameters", "strict")
        function = {key: described[key] for key in keys if described.get(key) is not None}
    full = f"{namespace.rstrip('_')}__{name}" if namespace else name
    if full in found.forms:
        return False
    found.forms[full] = ToolForm(name, namespace, kind == "custom")
    found.functions.append({"type": "function", "function": {**function, "name": full}})
    return True


def _choose(choice: Any, tools: Tools) -> tuple[list[dict[str, Any]], Any]:
    """Return the functions that may be called, and which must be."""
    if choice in _CHOICES:
        return tools.functions, choice
    match choice:
        case {"type": "allowed_tools", "tools": list() as allowed}:
            names = {name for one in allowed if (name := _function_name(one, tools)) is not None}
            kept = [one for one in tools.functions if one["function"]["name"] in names]
            return kept or tools.functions, "required" if choice.get("mode") == "required" else "auto"
        case {"type": "function" | "custom"} if (name := _function_name(choice, tools)) is not None:
            return tools.functions, {"type": "function", "function": {"name": name}}
        case _:
            return tools.functions, None


def _function_name(named: Any, tools: Tools) -> str | None:
    """Return the name of the function that stands for a tool, None for one that is not offered."""
    if not isinstance(named, dict):
        return None
    name, namespace = named.get("name"), named.get("namespace")
    wanted = (name, namespace) if namespace else (name,)
    return next((full for full, form in tools.forms.items() if form[: len(wanted)] == wanted), None)


# Messages


def chat_messages(items: Iterable[Item]) -> list[Message]:
    """Return the messages of a chat that say what items do. Raises :class:`RequestError`.

    What an assistant thinks, says and calls without anything in between is one message, and each result follows its
    call. Readable thoughts stand in ``reasoning_content``: models that think between calls need their own again.
    """
    found = _Messages()
    for place, item in enumerate(items):
        try:
            found.add(item)
        except RequestError as error:
            raise RequestError(f"input[{place}]: {error}") from None
    return found.finish()


class _Messages:
    """The messages so far."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        # Of the latest message with calls: its place, calls without a result, the next result's place, what follows.
        self._calling, self._waiting, self._place, self._behind = -1, set[str](), 0, list[Any]()
        # Thoughts of the assistant's next message, and those of messages that are there.
        self._thoughts: list[str] = []
        self._thinking: list[tuple[Message, list[str]]] = []

    def finish(self) -> list[Message]:
        """Return the messages, complete."""
        if self._behind:
            calling = self.messages[self._calling]
            calling["content"] = _join_contents([calling["content"], *self._behind])
            self._behind = []
        while self._thinking:
            message, thoughts = self._thinking.pop()
            message["reasoning_content"] = "\n\n".join([*filter(None, [message.get("reasoning_content")]), *thoughts])
        return self.messages

    def add(self, item: Item) -> None:
        """Add what an item says; encrypted thoughts, and what the provider's own tools did, say nothing."""
        kind = item.get("type") or ("message" if "role" in item else None)
        if not isinstance(kind, str):
            raise RequestError("neither type nor role is there")
        if kind == "message":
            self._say(item)
        elif kind == "reasoning":
            self._think(item)
        elif kind.endswith("_call_output"):
            self._answer(item)
        elif kind in _OWN_CALLS or (kind.endswith("_call") and kind != "tool_search_call" and item.get("call_id")):
            self._call(kind, item)

    @property
    def _open(self) -> Message | None:
        """The assistant's message that is still being said."""
        last = self.messages[-1] if self.messages else None
        return last if last is not None and last["role"] == "assistant" else None

    def _say(self, item: Item) -> None:
        role = item.get("role")
        if not isinstance(role, str):
            raise RequestError("role is missing")
        content = _content(item.get("content"))
        last = self._open
        if role == "assistant" and isinstance(content, str):
            content = without_notice(content)
        if role == "assistant" and last is not None and last.get("tool_calls"):
            self._behind.append(content)
        else:
            self.messages.append({"role": role, "content": content})
        self._add_thoughts()

    def _think(self, item: Item) -> None:
        thoughts = _content(item.get("content")) or _content(item.get("summary"))
        self._thoughts += [thoughts] if isinstance(thoughts, str) and thoughts else []

    def _add_thoughts(self) -> None:
        """Note the thoughts of the assistant's message; those that none follows are left out."""
        if (last := self._open) is not None and self._thoughts:
            if not self._thinking or self._thinking[-1][0] is not last:
                self._thinking.append((last, []))
            self._thinking[-1][1].extend(self._thoughts)
        self._thoughts = []

    def _call(self, kind: str, item: Item) -> None:
        identity = str(item.get("call_id") or item.get("id") or "")
        function = {"name": _called_name(kind, item), "arguments": _arguments(kind, item)}
        call = {"id": identity, "type": "function", "function": function}
        last = self._open
        if last is None:
            last = {"role": "assistant", "content": None}
            self.messages.append(last)
        if not last.get("tool_calls"):
            self.finish()
            self._calling, self._waiting, self._place = len(self.messages) - 1, set(), len(self.messages)
        last.setdefault("tool_calls", []).append(call)
        self._waiting.add(identity)
        self._add_thoughts()

    def _answer(self, item: Item) -> None:
        identity = str(item.get("call_id") or item.get("id") or "")
        result = {"role": "tool", "tool_call_id": identity, "content": _result(item.get("output"))}
        place = len(self.messages)
        if identity in self._waiting:
            # Clients put notes of their own in between, which chats refuse there.
            self._waiting.discard(identity)
            place = self._place
            while place < len(self.messages) and self.messages[place]["role"] == "tool":
                place += 1
            self._place = place + 1
        self.messages.insert(place, result)


def _called_name(kind: str, item: Item) -> str:
    """Return the name of the function that stands for what an item calls."""
    name, namespace = item.get("name"), item.get("namespace")
    if kind in _OWN_CALLS and not isinstance(name, str):
        raise RequestError("name is missing")
    if not isinstance(name, str):
        return kind.removesuffix("_call")
    return f"{namespace.rstrip('_')}__{name}" if isinstance(namespace, str) and namespace else name


def _arguments(kind: str, item: Item) -> str:
    if kind == "custom_tool_call":
        return custom_arguments(item.get("input"))
    given = item.get("arguments") or item.get("action") or item.get("operation") or {}
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _result(output: Any) -> str | list[dict[str, Any]]:
    """Return what a tool returned as the content of a message."""
    if isinstance(output, str):
        return _content(shown) if (shown := _shown_parts(output)) else output
    if isinstance(output, list) and all(isinstance(one, dict) and isinstance(one.get("type"), str) for one in output):
        return _content(output)
    if isinstance(output, dict) and isinstance(output.get("image_url"), str):
        return _content([{**output, "type": "input_image"}])
    return "" if output is None else json.dumps(output, ensure_ascii=False)


def _shown_parts(output: str) -> list[Any] | None:
    """Return the parts of a picture that a client wrote as JSON into a text, None where there is none.

    As a text its data would be a million tokens: router-for-me/CLIProxyAPI#4699.
    """
    if not output.startswith("[") or '"input_image"' not in output:
        return None
    try:
        parts = json.loads(output)
    except (ValueError, RecursionError):
        return None
    return parts if all(isinstance(one, dict) and one.get("type") in _SHOWN for one in parts) else None


def _content(content: Any) -> str | list[dict[str, Any]]:
    """Return the content of a message, as one text unless there is a picture or a file in it."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise RequestError("content is neither a text nor a list")
    return content_of_parts(list(_parts(content)))


def _parts(content: list[Any]) -> Iterator[dict[str, Any]]:
    for part in content:
        if not isinstance(part, dict) or not isinstance(kind := part.get("type"), str):
            raise RequestError("a part of the content has no type")
        if kind in _TEXTS or kind == "refusal":
            yield _text(_text_field(part, "refusal" if kind == "refusal" else "text"))
        elif kind == "input_image":
            yield _picture(part)
        elif kind == "input_file":
            yield _file(part)
        elif kind == "input_audio" and isinstance(part.get(kind), dict):
            yield {"type": kind, kind: part[kind]}
        else:
            yield _text(f"[{kind}]")


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _picture(part: dict[str, Any]) -> dict[str, Any]:
    given = part.get("image_url")  # some clients write it as in a chat
    named = given if isinstance(given, dict) else {"url": given, "detail": part.get("detail")}
    url, detail = named.get("url"), named.get("detail")
    if not isinstance(url, str) or not url:
        return _text("[image]")
    return {"type": "image_url", "image_url": {"url": url, **({"detail": detail} if detail in _DETAILS else {})}}


def _file(part: dict[str, Any]) -> dict[str, Any]:
    data = part.get("file_data") or part.get("file_url")
    if not isinstance(data, str):
        return _text("[document]")
    return {"type": "file", "file": {"filename": str(part.get("filename") or "document.pdf"), "file_data": data}}


def _join_contents(contents: list[Any]) -> Any:
    """Return what an assistant said before and behind its calls."""
    found = [one for one in contents if one]
    if len(found) < 2:
        return found[0] if found else None
    return content_of_parts([one for some in found for one in ([_text(some)] if isinstance(some, str) else some)])
