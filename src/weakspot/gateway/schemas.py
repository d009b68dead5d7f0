"""Schemas of request bodies, which are checked before the gateway acts on them."""

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import BaseModel, ValidationError, model_validator

from weakspot.access.bodies import LONG_BYTES, body_of, long_bodies
from weakspot.gateway.upstream import GatewayError
from weakspot.protocols import anthropic_requests, responses_requests
from weakspot.protocols.responses_requests import Item, RequestError, Tools
from weakspot.protocols.turns import text_of
from weakspot.records.parsing import explain

if TYPE_CHECKING:
    from aiohttp import web


_LONG_STRING_BYTES = 65_536
_SEARCHED_BYTES = 1_048_576
_MOST_VALUES = 2_000_000
# Far more messages or tools than any model takes.
_MOST_ITEMS = 20_000
_T = TypeVar("_T")
# Half of a character, escaped or as the bytes that some encoders make of it.
_MAYBE_SURROGATE, _SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]"), re.compile("[\ud800-\udfff]")
# pydantic names in an error the branch of a union that it tried.
_BRANCH = re.compile(r"\.list\[[^.]*\]")


class _Image(BaseModel):
    url: str


class _Part(BaseModel):
    type: str
    text: str | None = None
    image_url: _Image | str | None = None
    file: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.type in ("text", "image_url", "file") and getattr(self, self.type) is None:
            raise ValueError(f"{self.type} is missing")
        return self


class _Named(BaseModel):
    name: str


class _Call(BaseModel):
    id: str | None = None
    function: _Named

    @model_validator(mode="before")
    @classmethod
    def _of_any_kind(cls, value: Any) -> Any:
        """Take a call of a custom tool for one of a function."""
        return {"function": value["custom"], **value} if isinstance(value, dict) and "custom" in value else value


class _Message(BaseModel):
    role: str
    content: list[_Part] | str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _Function(_Named):
    parameters: dict[str, Any] | None = None


class _Tool(BaseModel):
    type: str
    function: _Function

    @model_validator(mode="before")
    @classmethod
    def _of_any_kind(cls, value: Any) -> Any:
        """Take a tool of another kind, which becomes a function or is left out."""
        if not isinstance(value, dict) or "function" in value:
            return value
        match value.get("type"):
            case "custom":
                return {**value, "function": value.get("custom") or value}
            case "function":
                return {**value, "function": value} if "name" in value else value
            case other:
                return {**value, "function": {"name": str(other)}}


class _Chat(BaseModel):
    """The fields that a consultation needs; the local model's server checks all others itself."""

    messages: list[_Message]
    stop: list[Any] | str | None = None
    tools: list[_Tool] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None


async def read_in_turn(data: bytes, read: Callable[[], _T]) -> _T:
    """Return what ``read`` does, which takes as long as ``data`` does: if that is long, from a thread."""
    if len(data) <= LONG_BYTES:
        return read()
    return await asyncio.get_running_loop().run_in_executor(long_bodies, read)


async def parse_json_body(request: "web.Request") -> tuple[bytes, dict[str, Any]]:
    """Return a request's body as bytes and as a JSON object; raise :class:`GatewayError` for any other body.

    Half a character, which no encoding can express, becomes U+FFFD: anthropics/claude-code#44230.
    """
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise GatewayError(415, "the body is compressed; send it as it is")
    return await parse_json(body_of(request))


async def parse_json(data: bytes) -> tuple[bytes, dict[str, Any]]:
    """Return a body as :func:`parse_json_body` does."""
    return await read_in_turn(data, lambda: _parse(data))


def _parse(data: bytes) -> tuple[bytes, dict[str, Any]]:
    body, read = _read_json(data)
    if not isinstance(body, dict):
        raise GatewayError(400, "the body is not a JSON object")
    _require_few(body)
    # Bytes are found in a fraction of the time of a pattern.
    may_be_half = (b"\\u" in read or b"\xed" in read) and _MAYBE_SURROGATE.search(read)
    if may_be_half and _SURROGATE.search(text := json.dumps(body, ensure_ascii=False)):
        text = _SURROGATE.sub("\ufffd", text)
        return text.encode(), json.loads(text)
    return data, body


def _read_json(data: bytes) -> tuple[Any, bytes]:
    """Return the value that JSON stands for, and the part of it that a parser has looked at."""
    rest, long_strings = _take_out_long_strings(data)
    if long_strings:
        try:
            return _with_strings(_parse_few_values(rest), long_strings), rest
        except (ValueError, RecursionError):
            pass  # it is malformed, or what was taken out was no string
    try:
        return _parse_few_values(data), data
    except (ValueError, RecursionError) as error:
        raise GatewayError(400, f"the body is not JSON: {error}") from None


def _parse_few_values(data: bytes) -> Any:
    """Parse JSON of not too many values: a parser, which holds up all other threads, makes a million in a second."""
    if len(data) > LONG_BYTES:
        starts = range(0, len(data), _SEARCHED_BYTES)
        if sum(data.count(sign, start, start + _SEARCHED_BYTES) for start in starts for sign in b",[{") > _MOST_VALUES:
            raise GatewayError(413, f"the body has more than {_MOST_VALUES} commas and brackets; send less")
    return json.loads(data)


def _take_out_long_strings(data: bytes) -> tuple[bytes, dict[str, str]]:
    """Return JSON with a short string in place of each long plain one, such as a picture, and what each stands for.

    A parser looks at each character, and holds up all other threads for a tenth of a second at 64 MiB; finding
    quotation marks takes a hundredth. What is no string, but blanks between two, makes the JSON malformed.
    """
    if len(data) <= _LONG_STRING_BYTES:
        return data, {}
    pieces: list[bytes] = []
    found: dict[str, str] = {}
    seen = memoryview(data)
    done, place, mark = 0, _LONG_STRING_BYTES, secrets.token_hex(8)
    while place < len(data):
        start, end = data.rfind(b'"', done, place) + 1, _find(data, b'"', place, len(data))
        if end < 0:
            break
        is_whole = start > done and data[start - 2 : start - 1] != b"\\" and end - start >= _LONG_STRING_BYTES
        if is_whole and _find(data, b"\\", start, end) < 0:
            with contextlib.suppress(UnicodeDecodeError):
                text = str(seen[start:end], "ascii")
                name = f"{mark}:{len(found)}"
                found[name] = text
                pieces += [data[done:start], name.encode()]
                done = end
        place = end + _LONG_STRING_BYTES
    return b"".join([*pieces, data[done:]]) if found else data, found


def _find(data: bytes, byte: bytes, start: int, end: int) -> int:
    """Return where ``byte`` is, -1 if nowhere; other threads may go on in between, as they may not in a long search."""
    for begin in range(start, end, _SEARCHED_BYTES):
        if (place := data.find(byte, begin, min(begin + _SEARCHED_BYTES, end))) >= 0:
            return place
    return -1


def _with_strings(value: Any, strings: dict[str, str]) -> Any:
    if isinstance(value, str):
        return strings.get(value, value)
    if isinstance(value, list):
        return [_with_strings(one, strings) for one in value]
    if isinstance(value, dict):
        return {strings.get(key, key): _with_strings(one, strings) for key, one in value.items()}
    return value


def require_readable(data: bytes, body: dict[str, Any], most: int) -> None:
    """Raise :class:`GatewayError` for a body with too many messages, or a text of more than ``most`` characters.

    Pictures are no text.
    """
    _require_few(body)
    if len(data) <= most:
        return
    system, prompt, turns = body.get("system"), body.get("input"), body.get("messages")
    texts = [text_of(one) or "" for one in (system, prompt) if isinstance(one, str | list)]
    texts += [
        text_of(one.get("content")) or "" for one in (turns if isinstance(turns, list) else ()) if isinstance(one, dict)
    ]
    if (longest := max(map(len, texts), default=0)) > most:
        remedy = "send less, or raise [gateway] max_text_characters"
        raise GatewayError(413, f"a message has {longest} characters, more than {most}; {remedy}")


def _require_few(body: dict[str, Any]) -> None:
    for name in ("messages", "input", "tools"):
        if isinstance(found := body.get(name), list) and len(found) > _MOST_ITEMS:
            raise GatewayError(413, f"{name} has {len(found)} items, more than {_MOST_ITEMS}; send less")


def chat_of_messages(body: dict[str, Any]) -> dict[str, Any]:
    """Convert a Messages request to a chat completion request; raise :class:`GatewayError` for any other body."""
    thread = body.get("thread")
    if isinstance(thread, dict) and thread.get("type") == "continue":
        # Anthropic's tool runner then sends the whole conversation.
        raise GatewayError(404, "no conversation is kept here: send all of it", "thread_not_found")
    try:
        return anthropic_requests.chat_request(body)
    except KeyError as error:
        raise GatewayError(400, f"not a request of the Messages API: {error} is missing") from None
    except (AttributeError, TypeError):
        raise GatewayError(400, "not a request of the Messages API") from None


def items_of_responses(body: dict[str, Any]) -> list[Item]:
    """Return the items of a request of the Responses API; raise :class:`GatewayError` for any other body."""
    try:
        return responses_requests.input_items(body)
    except RequestError as error:
        raise _not_of_responses(error) from None


def chat_of_responses(body: dict[str, Any], items: list[Item]) -> tuple[dict[str, Any], Tools]:
    """Convert a request of the Responses API, whose conversation is ``items``, to one for a chat completion.

    Raises :class:`GatewayError` for any other body.
    """
    try:
        tools = responses_requests.tools_of_request(body, items)
        return responses_requests.chat_request(body, items, tools), tools
    except RequestError as error:
        raise _not_of_responses(error) from None


def _not_of_responses(error: RequestError) -> GatewayError:
    return GatewayError(400, f"not a request of the Responses API: {error}")


def holds_chat(messages: list[dict[str, Any]]) -> bool:
    """Whether messages can be sent to a teacher."""
    try:
        _Chat.model_validate({"messages": messages}, strict=True)
    except ValidationError:
        return False
    return True


def require_chat(body: dict[str, Any]) -> None:
    """Raise :class:`GatewayError` for a body that cannot be sent to a teacher."""
    try:
        _Chat.model_validate(body, strict=True)
    except ValidationError as error:
        raise GatewayError(400, _BRANCH.sub("", explain(error))) from None
