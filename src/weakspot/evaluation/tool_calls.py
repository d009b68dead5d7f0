"""Finds tool calls in a model's text, in the form that its chat template writes them, and says which are broken.

The form is learned by rendering one call whose name and arguments are known. A template may write a call as one JSON
object, as a name before a JSON object, as tags around each argument, or as a Python expression.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from weakspot.models.chat_template import RenderOptions
from weakspot.models.rendering import UntrainableExampleError, render_example
from weakspot.records import Function, Message, ToolCall

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_NAME, _KEYS, _VALUE = "probe_name", ("probe_first", "probe_second"), "probe value"
# A name ends where the template goes on; none has quotes, brackets, tags or white space in it.
_WORD = r"[^\s\"'<>\[\](){}=|]+"

_OBJECT = re.compile(r"\s*[\[,]?\s*(?=\{)")
_DECODER = json.JSONDecoder()

_Call = tuple[str, object]


@dataclass(frozen=True)
class ToolCallFormat:
    """The form of a tool call: what opens it, and the texts around its name and its arguments.

    ``opening`` is where a call is meant to begin, even if it then breaks off. In the form ``object``, ``before`` and
    ``between`` are the keys of name and arguments. Otherwise ``before`` is the text from there to the name, and
    ``between`` the text from the name to the arguments, or for ``tags`` the texts before and behind the name of an
    argument, and behind its value.
    """

    form: Literal["object", "json", "tags", "python"]
    opening: str
    before: str
    between: str

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerBase") -> "ToolCallFormat | None":
        """Return the form that the chat template writes; None if it writes no calls, or in no form known here."""
        function = {"name": _NAME, "description": "", "parameters": {"type": "object", "properties": {}}}
        call = ToolCall(function=Function(name=_NAME, arguments=dict.fromkeys(_KEYS, _VALUE)))
        answer = Message(role="assistant", content="", tool_calls=[call])
        try:
            tools = RenderOptions(tools=[{"type": "function", "function": function}])
            text = render_example(tokenizer, [Message(role="user", content="?")], answer, tools).target
        except UntrainableExampleError:
            return None
        return cls.from_example(text)

    @classmethod
    def from_example(cls, text: str) -> "ToolCallFormat | None":
        """Return the form of a text that calls the probe; None if it is none known here."""
        name, first = text.find(_NAME), text.find(_KEYS[0])
        if name < 0 or first < name:
            return None
        before, after = text[:name], text[name + len(_NAME) :]
        arguments = dict.fromkeys(_KEYS, _VALUE)
        for start in (place.start() for place in re.finditer(r"\{", text)):
            whole = _parse_object(text, start)
            if isinstance(whole, dict) and _NAME in whole.values():
                keys = {value if isinstance(value, str) else "arguments": key for key, value in whole.items()}
                return cls("object", _opening(text[:start]), keys[_NAME], keys.get("arguments", "arguments"))
            if whole == arguments and start > name:
                return cls("json", *_head(before), text[name + len(_NAME) : start].strip())
        if re.match(r"\(\s*" + _KEYS[0], after):
            return cls("python", *_head(before), "")
        argument = re.search(rf"(\S+){_KEYS[0]}(.*?){_VALUE}\s*(</\w+>)", after, re.DOTALL)
        return (
            cls("tags", *_head(before), _KEYS[0].join(part.strip() for part in argument.groups())) if argument else None
        )

    def find_fault(self, text: str, tools: Any) -> str:
        """Return why the calls in a model's answer are broken; empty if none is, or if there is no call."""
        required = {function["name"]: _required(function) for function in map(_function, tools or ())}
        for call in self._find_calls(text):
            if call is None:
                return "a tool call is not whole, or its arguments are no JSON"
            name, arguments = call
            if name not in required:
                return f"calls {name!r}, which is no tool"
            if not isinstance(arguments, dict):
                return f"the arguments of {name} are no JSON object"
            if missing := [one for one in required[name] if one not in arguments]:
                return f"{name} lacks {', '.join(missing)}"
        return ""

    def _find_calls(self, text: str) -> Iterator[_Call | None]:
        """Yield name and arguments of each call, None for one that is not whole."""
        if not self.opening:  # a call is all of the answer, or the answer is none
            start = len(text) - len(text.lstrip())
            if re.match(r'\{\s*"' + re.escape(self.before) + '"', text[start:]):
                yield self._parse(text, start)
            return
        for place in re.finditer(re.escape(self.opening), text):
            if self.form == "python":
                yield from _parse_python(text, place.start() + len(self.before))
            elif self.form == "object":
                yield from self._parse_list(text, place.end())
            else:
                yield self._parse(text, place.start())

    def _parse_list(self, text: str, start: int) -> Iterator[_Call | None]:
        """Yield the call at ``start``, and those behind it in the same list."""
        while (place := _OBJECT.match(text, start)) is not None:
            yield self._parse(text, place.end())
            start = _object_end(text, place.end())
            if not re.compile(r"\s*,").match(text, start):
                return
        yield None

    def _parse(self, text: str, start: int) -> _Call | None:
        if self.form == "object":
            whole = _parse_object(text, start)
            if not isinstance(whole, dict) or not isinstance(name := whole.get(self.before), str):
                return None
            return name, _from_json(whole.get(self.between, {}))
        head = re.compile(rf"{_loosely(self.before)}({_WORD})").match(text, start)
        if head is None:
            return None
        if self.form == "json":
            middle = re.compile(_loosely(self.between)).match(text, head.end())
            arguments = _parse_object(text, middle.end()) if middle else None
            return None if arguments is None else (head[1], arguments)
        end = text.find(self.opening, head.end())
        body = text[head.end() : end if end >= 0 else None]
        ahead, behind, close = self.between.split(_KEYS[0])
        keys = re.findall(rf"{_loosely(ahead)}({_WORD}){_loosely(behind)}", body)
        whole = body.count(close) == len(keys) and "</" in body
        return (head[1], dict.fromkeys(keys)) if whole else None


def _parse_object(text: str, start: int) -> object:
    """Return the JSON value at ``start``; None if there is none, or if it is not whole."""
    try:
        return _DECODER.raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _object_end(text: str, start: int) -> int:
    """Return where the JSON value at ``start`` ends, the end of the text if it is not whole."""
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return len(text)


def _from_json(value: object) -> object:
    """Return the arguments that a call has as a text in JSON, as OpenAI writes them; others as they are."""
    return _parse_object(value, 0) if isinstance(value, str) else value


def _parse_python(text: str, start: int) -> Iterator[_Call | None]:
    """Yield the calls of a Python list of calls with keyword arguments, of which ``start`` is behind the bracket."""
    inside = re.compile(r"(.*?)\]\s*(?:<|$)", re.DOTALL).match(text, start)
    try:
        calls = ast.parse(f"[{inside[1]}]", mode="eval").body.elts if inside else []  # type: ignore[attr-defined]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        calls = []
    if not calls:
        yield None
    for call in calls:
        whole = isinstance(call, ast.Call) and not call.args
        yield (ast.unparse(call.func), {one.arg: None for one in call.keywords}) if whole else None


def _opening(before: str) -> str:
    """Return what opens a call: the last tag that speaks of one, else the text behind the last tag."""
    tags = list(re.finditer(r"<[^<>]+>|\[[A-Z_]+\]", before))
    named = [tag[0] for tag in tags if re.search("tool|call|function", tag[0], re.IGNORECASE)]
    return named[-1] if named else before[tags[-1].end() if tags else 0 :].strip()


def _head(before: str) -> tuple[str, str]:
    """Return what opens a call, and the text from there to the name."""
    opening = _opening(before)
    return opening, before[before.rindex(opening) :].strip()


def _loosely(text: str) -> str:
    """Return a pattern of ``text`` with any white space between its parts, and around it."""
    return r"\s*" + r"\s*".join(map(re.escape, text.split())) + r"\s*"


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    function: dict[str, Any] = tool.get("function") or tool
    return function


def _required(function: dict[str, Any]) -> list[str]:
    schema = function.get("parameters") or function.get("input_schema") or {}
    return [str(one) for one in schema.get("required") or ()]
