"""Serves clients of Anthropic's Messages API from the local model, whose server speaks OpenAI's protocol."""

import json
from typing import TYPE_CHECKING, Any

from weakspot.gateway.local_model import RoutedRequest
from weakspot.gateway.passthrough import AnswerCallback
from weakspot.gateway.upstream import GatewayError, Upstream
from weakspot.protocols import anthropic_messages, openai_chat
from weakspot.protocols.parts import Answer, StreamError

if TYPE_CHECKING:
    from aiohttp import ClientResponse, web

STREAM_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
_BROKEN_OFF = "the local model's answer broke off"


async def answer_messages_request(
    asked: RoutedRequest, request: "web.Request", chat: dict[str, Any], hear: AnswerCallback
) -> "web.StreamResponse":
    """Answer a Messages request, converted to ``chat``, streamed or whole; give a complete answer to ``hear``.

    Raises :class:`GatewayError`, with the server's own status, as long as nothing was sent to the client.
    """
    from aiohttp import web

    upstream = asked.route.upstream
    headers = upstream.json_headers(request)
    writer = anthropic_messages.Writer(str(chat.get("model", "")))
    if chat.get("stream"):
        async with upstream.request("POST", "/v1/chat/completions", headers, asked.data) as answered:
            if answered.status != 200:
                upstream.require_success(answered.status, await answered.read())
            return await _stream_answer(upstream, request, answered, writer, hear)
    data = await upstream.completion(asked.chat, headers)
    try:
        answer = Answer.of(openai_chat.parts_of_completion(data))
    except StreamError as error:
        raise upstream.server_error(str(error)) from None
    hear(data, False)
    return web.json_response(writer.whole(answer))


async def _stream_answer(
    upstream: Upstream,
    request: "web.Request",
    answered: "ClientResponse",
    writer: anthropic_messages.Writer,
    hear: AnswerCallback,
) -> "web.StreamResponse":
    from aiohttp import ClientPayloadError, web

    response = web.StreamResponse(headers=STREAM_HEADERS)
    await response.prepare(request)
    await response.write(writer.begin())
    reader, heard, answer = openai_chat.Reader(), bytearray(), Answer()
    try:
        async for piece in answered.content.iter_any():
            heard += piece
            for part in reader.feed(piece):
                answer.add(part)
                await response.write(writer.write(part))
        for part in reader.end():
            answer.add(part)
            await response.write(writer.write(part))
    except StreamError as error:
        await response.write(writer.error_event(502, str(upstream.server_error(str(error)))))
        return response
    except ClientPayloadError:
        answer.finished = None
    if answer.finished is None:
        await response.write(writer.error_event(502, _BROKEN_OFF))
        return response
    await response.write(writer.end())
    hear(bytes(heard), True)
    return response


async def answer_token_count(asked: RoutedRequest, request: "web.Request") -> "web.StreamResponse":
    """Send the client the number of tokens of a Messages request, as the local model's own server counts them."""
    from aiohttp import web

    upstream = asked.route.upstream
    data = await upstream.completion({**asked.chat, "max_tokens": 1}, upstream.json_headers(request))
    try:
        return web.json_response({"input_tokens": json.loads(data)["usage"]["prompt_tokens"]})
    except (ValueError, TypeError, KeyError):
        raise GatewayError(502, "the local model's server does not count tokens") from None
