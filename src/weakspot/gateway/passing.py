"""Traffic that is for the local model: passed on untouched, or translated for clients of the other protocol."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weakspot.gateway.attempts import Attempts
from weakspot.gateway.upstream import Upstream, UpstreamError, returned_headers
from weakspot.protocols import anthropic_messages, openai_chat
from weakspot.protocols.parts import Answer

if TYPE_CHECKING:
    from aiohttp import ClientResponse, web

_LARGEST_ATTEMPT = 4_000_000


async def passed_on(
    upstream: Upstream,
    request: "web.Request",
    data: bytes | None,
    attempts: Attempts | None = None,
    chat: dict[str, Any] | None = None,
) -> "web.StreamResponse":
    """Give the server's answer to the client as it is, and remember that of a ``chat`` as an attempt.

    Raises :class:`UpstreamError` as long as nothing was sent; later the connection is broken off, so that
    the client sees that the answer is not whole.
    """
    from aiohttp import web

    headers = upstream.headers(request)
    if chat is not None:
        # What is remembered must be readable, and nobody compresses on a loopback for a gain.
        headers = {name: value for name, value in headers.items() if name.lower() != "accept-encoding"}
        headers["Accept-Encoding"] = "identity"
    # A body that nobody needs to read goes through as it comes.
    body = data if data is not None else request.content if request.body_exists else None
    path = request.raw_path
    async with upstream.request(request.method, path, headers, body) as answer:
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        for name, value in returned_headers(answer):
            response.headers.add(name, value)
        await response.prepare(request)
        heard = bytearray()
        try:
            async for piece in answer.content.iter_any():
                await response.write(piece)
                if chat is not None and len(heard) <= _LARGEST_ATTEMPT:
                    heard += piece
        except Exception:
            _break_off(request)
            return response
        await response.write_eof()
        if attempts is not None and chat is not None and answer.status == 200 and _conversation(chat):
            attempts.remember(chat["messages"], bytes(heard), streamed=_is_stream(answer))
    return response


async def translated(
    upstream: Upstream, request: "web.Request", body: dict[str, Any], attempts: Attempts
) -> "web.StreamResponse":
    """Answer a client of Anthropic's messages from the local model, stream or whole.

    Raises :class:`UpstreamError`, with the server's own status, as long as nothing was sent.
    """
    from aiohttp import web

    headers = upstream.json_headers(request)
    chat = anthropic_messages.chat_request(body)
    names = await upstream.models(headers)
    if names and chat.get("model") not in names:
        chat["model"] = names[0]  # such a client knows its own provider's names only
    writer = anthropic_messages.Writer(str(body.get("model", "")), body)
    if not chat.get("stream"):
        status, data = await upstream.completion(chat, headers)
        _require_success(status, data)
        answer = Answer.of(openai_chat.parts_of_completion(json.loads(data)))
        attempts.remember(chat["messages"], data, streamed=False)
        return web.json_response(writer.whole(answer))
    data = json.dumps(chat, ensure_ascii=False).encode()
    async with upstream.request("POST", "/v1/chat/completions", headers, data) as answered:
        if answered.status != 200:
            _require_success(answered.status, await answered.read())
        return await _translated_stream(request, answered, writer, attempts, chat)


async def _translated_stream(
    request: "web.Request",
    answered: "ClientResponse",
    writer: anthropic_messages.Writer,
    attempts: Attempts,
    chat: dict[str, Any],
) -> "web.StreamResponse":
    from aiohttp import ClientError, web

    response = web.StreamResponse(headers={"Content-Type": writer.content_type, "Cache-Control": "no-cache"})
    await response.prepare(request)
    await response.write(writer.begin())
    reader, heard, whole = openai_chat.StreamReader(), bytearray(), Answer()
    try:
        async for piece in answered.content.iter_any():
            heard += piece
            for part in reader.feed(piece):
                whole.add(part)
                await response.write(writer.write(part))
        for part in reader.end():
            whole.add(part)
            await response.write(writer.write(part))
    except (ClientError, ValueError) as error:
        await response.write(writer.failed(502, f"the local model's server broke off ({type(error).__name__})"))
        return response
    if whole.finished is None:
        await response.write(writer.failed(502, "the local model's answer broke off"))
        return response
    await response.write(writer.end())
    attempts.remember(chat["messages"], bytes(heard), streamed=True)
    return response


async def counted(upstream: Upstream, request: "web.Request", body: dict[str, Any]) -> "web.StreamResponse":
    """Answer how many tokens a request of messages has, as the local model's own server counts them."""
    from aiohttp import web

    headers = upstream.json_headers(request)
    chat = {**anthropic_messages.chat_request(body), "max_tokens": 1}
    names = await upstream.models(headers)
    if names and chat.get("model") not in names:
        chat["model"] = names[0]
    status, data = await upstream.completion(chat, headers)
    _require_success(status, data)
    usage = json.loads(data).get("usage") or {}
    return web.json_response({"input_tokens": usage.get("prompt_tokens", 0)})


async def attempted(upstream: Upstream, headers: Mapping[str, str], chat: dict[str, Any]) -> list[dict[str, Any]]:
    """Ask the local model what a teacher is asked; return its turn, empty where it has none."""
    try:
        names = await upstream.models(headers)
        kept: dict[str, Any] = {
            key: chat[key] for key in ("messages", "tools", "max_tokens", "temperature") if key in chat
        }
        status, data = await upstream.completion({"model": names[0] if names else "", **kept}, headers)
        answer = Answer.of(openai_chat.parts_of_completion(json.loads(data))) if status == 200 else Answer()
    except (UpstreamError, ValueError):
        return []
    return [] if answer.empty else [answer.message()]


def _require_success(status: int, data: bytes) -> None:
    if status == 200:
        return
    try:
        error = json.loads(data)["error"]
        message = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        message = data[:300].decode("utf-8", "replace")
    raise UpstreamError(status, f"the local model's server: {message}")


def _conversation(chat: dict[str, Any]) -> bool:
    messages = chat.get("messages")
    return isinstance(messages, list) and all(isinstance(message, dict) for message in messages)


def _is_stream(answer: "ClientResponse") -> bool:
    return answer.headers.get("Content-Type", "").startswith("text/event-stream")


def _break_off(request: "web.Request") -> None:
    if request.transport is not None:
        request.transport.abort()
