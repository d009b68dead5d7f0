"""Schemas of request bodies, which are checked before the gateway acts on them."""

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ValidationError, model_validator

from weakspot.access.bodies import body_of
from weakspot.gateway.upstream import GatewayError
from weakspot.protocols import anthropic_requests
from weakspot.protocols.turns import text_of
from weakspot.records.parsing import explain

if TYPE_CHECKING:
    from aiohttp import web


# What takes longer than a moment to parse is parsed in a thread: others must not wait for it.
LONG_BYTES = 262_144
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


async def parse_json_body(request: "web.Request") -> tuple[bytes, dict[str, Any]]:
    """Return a request's body as bytes and as a JSON object; raise :class:`GatewayError` for any other body.

    Half a character, which no encoding can express, becomes U+FFFD: anthropics/claude-code#44230.
    """
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise GatewayError(415, "the body is compressed; send it as it is")
    data = body_of(request)
    return await asyncio.to_thread(_parse, data) if len(data) > LONG_BYTES else _parse(data)


def _parse(data: bytes) -> tuple[bytes, dict[str, Any]]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise GatewayError(400, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise GatewayError(400, "the body is not a JSON object")
    if _MAYBE_SURROGATE.search(data) and _SURROGATE.search(text := json.dumps(body, ensure_ascii=False)):
        text = _SURROGATE.sub("\ufffd", text)
        return text.encode(), json.loads(text)
    return data, body


def require_readable(data: bytes, body: dict[str, Any], most: int) -> None:
    """Raise :class:`GatewayError` for a body with a text of more than ``most`` characters; pictures are no text."""
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
