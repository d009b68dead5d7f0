"""Serves clients of other protocols from the local model, whose server speaks OpenAI's chat completions."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from weakspot.gateway.content_encoding import EncodingError, read_pieces
from weakspot.gateway.local_model import RoutedRequest
from weakspot.gateway.passthrough import AnswerCallback
from weakspot.gateway.upstream import GatewayError, Upstream
from weakspot.protocols import openai_chat
from weakspot.protocols.parts import Answer, AnswerWriter, StreamError
from weakspot.protocols.reading import read_parts

if TYPE_CHECKING:
    from aiohttp import ClientResponse, web

STREAM_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
_BROKEN_OFF = "the local model's answer broke off"


async def answer_translated(
    asked: RoutedRequest, request: "web.Request", writer: AnswerWriter, hear: AnswerCallback
) -> "web.StreamResponse":
    """Answer a request that was converted to a chat, as ``writer`` writes it; give a complete answer to ``hear``.

    Raises :class:`GatewayError`, with the server's own status, as long as nothing was sent to the client.
    """
    from aiohttp import web

    upstream = asked.route.upstream
    headers = upstream.json_headers(request)
    if asked.chat.get("stream"):
        async with upstream.chat(asked.chat, headers) as answered:
            return await _stream_answer(upstream, request, answered, writer, hear)
    data = await upstream.completion(asked.chat, headers)
    try:
        answer = Answer.of(openai_chat.parts_of_answer(data))
    except StreamError as error:
        raise upstream.server_error(str(error)) from None
    hear(data)
    return web.json_response(writer.whole(answer))


async def _stream_answer(
    upstream: Upstream,
    request: "web.Request",
    answered: "ClientResponse",
    writer: AnswerWriter,
    hear: AnswerCallback,
) -> "web.StreamResponse":
    from aiohttp import ClientPayloadError, web

    response = web.StreamResponse(headers=STREAM_HEADERS)
    await response.prepare(request)
    await response.write(writer.begin())
    reader, heard, answer = openai_chat.Reader(), bytearray(), Answer()

    async def hear_pieces() -> AsyncGenerator[bytes]:
        async for piece in read_pieces(answered):
            heard.extend(piece)
            yield piece

    try:
        async with contextlib.aclosing(read_parts(reader, hear_pieces())) as parts:
            async for part in parts:
                answer.add(part)
                await response.write(writer.write(part))
    except (StreamError, EncodingError) as error:
        await response.write(writer.error_event(502, str(upstream.server_error(str(error)))))
        return response
    except ClientPayloadError:
        answer.finished = None
    if answer.finished is None:
        await response.write(writer.error_event(502, _BROKEN_OFF))
        return response
    await response.write(writer.end())
    hear(bytes(heard))
    return response


async def count_tokens(asked: RoutedRequest, request: "web.Request") -> int:
    """Return the number of tokens of a request that was converted to a chat, as the local model's server counts them.

    Raises :class:`GatewayError` where it does not.
    """
    upstream = asked.route.upstream
    data = await upstream.completion({**asked.chat, "max_tokens": 1}, upstream.json_headers(request))
    try:
        finished = Answer.of(openai_chat.parts_of_answer(data)).finished
    except StreamError as error:
        raise upstream.server_error(str(error)) from None
    if finished is None or finished.input_tokens is None:
        raise GatewayError(502, "the local model's server does not count tokens")
    return finished.input_tokens
