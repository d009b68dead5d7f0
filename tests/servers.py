"""A server that speaks both chat protocols, as well or as badly as a test tells it to, and knows what it was asked."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Asked:
    """A request that a server got; ``aborted`` is set, to the time, when the client left before the answer's end."""

    method: str
    path: str
    headers: Any
    data: bytes
    client: tuple[str, int] | None = None
    """Address and port of the connection."""
    aborted: asyncio.Future[float] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def body(self) -> dict:
        return json.loads(self.data)


@dataclass
class Reply:
    """How a server answers: what it says, how fast, and where it fails."""

    text: str = ""
    thought: str = ""
    calls: tuple[tuple[str, str, str], ...] = ()
    """Identity, name and arguments of each tool call."""
    reason: str | None = None
    model: str = "the-model"
    usage: tuple[int, int] | None = (12, 7)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    data: bytes | None = None
    """What is sent instead of an answer, byte for byte."""
    pieces: int = 3
    """In how many pieces a text is streamed."""
    seconds_before_headers: float = 0
    seconds_before_first: float = 0
    seconds_a_piece: float = 0
    break_after: int | None = None
    """The number of events after which the connection is broken off."""
    held: asyncio.Event | None = None
    """What is waited for before anything is sent."""


Script = Reply | Callable[[Asked], Reply]

NEVER_SECONDS = 3600.0
"""Longer than any test: who is kept waiting for so long has to go away."""


class Server:
    """Listens on a port of its own while it is entered."""

    def __init__(self, script: Script | None = None, models: tuple[str, ...] = ("local-model",)) -> None:
        self.script: Script = script or Reply("A plain answer.")
        self.models = models
        self.asked: list[Asked] = []
        self.arrived = asyncio.Event()

    async def __aenter__(self) -> "Server":
        app = web.Application(client_max_size=2**27)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def chats(self) -> list[Asked]:
        """The requests for an answer, in the order in which they came."""
        return [one for one in self.asked if one.path.endswith(("/chat/completions", "/messages"))]

    async def next_asked(self) -> Asked:
        """Wait for the next request for an answer."""
        count = len(self.chats)
        while len(self.chats) == count:
            self.arrived.clear()
            await self.arrived.wait()
        return self.chats[-1]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(request.method, request.raw_path, request.headers.copy(), await request.read(), _peer(request))
        self.asked.append(asked)
        self.arrived.set()
        if asked.path == "/v1/models" and self.models:
            return web.json_response(
                {"object": "list", "data": [{"id": one, "object": "model"} for one in self.models]}
            )
        reply = self.script(asked) if callable(self.script) else self.script
        try:
            return await self._reply(request, asked, reply)
        except (asyncio.CancelledError, ConnectionError):
            if not asked.aborted.done():
                asked.aborted.set_result(time.monotonic())
            raise

    async def _reply(self, request: web.Request, asked: Asked, reply: Reply) -> web.StreamResponse:
        if reply.held is not None:
            await reply.held.wait()
        await asyncio.sleep(reply.seconds_before_headers)
        if reply.data is not None:
            return web.Response(status=reply.status, body=reply.data, headers=reply.headers)
        anthropic = asked.path.endswith("/messages")
        if reply.status != 200:
            error = {"type": "some_error", "message": reply.text}
            return web.json_response({"type": "error", "error": error}, status=reply.status, headers=reply.headers)
        if not asked.body.get("stream"):
            return web.json_response(message(reply) if anthropic else completion(reply))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **reply.headers})
        await response.prepare(request)
        await asyncio.sleep(reply.seconds_before_first)
        for number, event in enumerate(message_events(reply) if anthropic else chunks(reply)):
            if number == reply.break_after:
                assert request.transport is not None
                request.transport.abort()
                return response
            await response.write(event)
            await asyncio.sleep(reply.seconds_a_piece)
        await response.write_eof()
        return response


def _peer(request: web.Request) -> tuple[str, int] | None:
    return request.transport.get_extra_info("peername") if request.transport else None


def parted(text: str, count: int) -> list[str]:
    """Return ``text`` in at most ``count`` pieces."""
    size = max(1, -(-len(text) // count))
    return [text[n : n + size] for n in range(0, len(text), size)]


def sse(data: dict, name: str | None = None) -> bytes:
    """Return an event as a server sends it."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


# OpenAI's chat completions


def completion(reply: Reply) -> dict:
    """Return an answer in one piece."""
    turn: dict = {"role": "assistant", "content": reply.text or None}
    if reply.thought:
        turn["reasoning_content"] = reply.thought
    if reply.calls:
        turn["tool_calls"] = [
            {"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in reply.calls
        ]
    reason = reply.reason or ("tool_calls" if reply.calls else "stop")
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": reply.model}
    usage = {"usage": _chat_usage(reply)} if reply.usage else {}
    return {**body, "choices": [{"index": 0, "message": turn, "finish_reason": reason}], **usage}


def chunks(reply: Reply) -> list[bytes]:
    """Return the events of a streamed answer."""
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": reply.model}

    def chunk(delta: dict, reason: str | None = None) -> bytes:
        return sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"reasoning_content": one}) for one in parted(reply.thought, reply.pieces)]
    events += [chunk({"content": one}) for one in parted(reply.text, reply.pieces)]
    for number, (identity, name, arguments) in enumerate(reply.calls):
        function = {"name": name, "arguments": ""}
        events.append(
            chunk({"tool_calls": [{"index": number, "id": identity, "type": "function", "function": function}]})
        )
        events += [
            chunk({"tool_calls": [{"index": number, "function": {"arguments": one}}]})
            for one in parted(arguments, reply.pieces)
        ]
    events.append(chunk({}, reply.reason or ("tool_calls" if reply.calls else "stop")))
    if reply.usage:
        events.append(sse({**head, "choices": [], "usage": _chat_usage(reply)}))
    return [*events, b"data: [DONE]\n\n"]


def _chat_usage(reply: Reply) -> dict:
    read, written = reply.usage or (0, 0)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


# Anthropic's messages


def message(reply: Reply) -> dict:
    """Return an answer in one piece."""
    blocks: list[dict] = [{"type": "thinking", "thinking": reply.thought, "signature": "s"}] if reply.thought else []
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    blocks += [{"type": "tool_use", "id": i, "name": n, "input": json.loads(a)} for i, n, a in reply.calls]
    read, written = reply.usage or (0, 0)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": blocks,
        "stop_reason": reply.reason or ("tool_use" if reply.calls else "end_turn"),
        "stop_sequence": None,
        "usage": {"input_tokens": read, "output_tokens": written},
    }


def message_events(reply: Reply) -> list[bytes]:
    """Return the events of a streamed answer, with the pings that real servers send."""
    whole = message(reply)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    events = [_event("message_start", message=start), _event("ping")]
    for index, block in enumerate(whole["content"]):
        kind = block["type"]
        empty = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}[kind]
        deltas = {
            "thinking": lambda one: {"type": "thinking_delta", "thinking": one},
            "text": lambda one: {"type": "text_delta", "text": one},
            "tool_use": lambda one: {"type": "input_json_delta", "partial_json": one},
        }[kind]
        content = json.dumps(block["input"]) if kind == "tool_use" else block[kind]
        events.append(_event("content_block_start", index=index, content_block={**block, **empty}))
        events += [
            _event("content_block_delta", index=index, delta=deltas(one)) for one in parted(content, reply.pieces)
        ]
        if kind == "thinking":
            signature = {"type": "signature_delta", "signature": "s"}
            events.append(_event("content_block_delta", index=index, delta=signature))
        events += [_event("content_block_stop", index=index), _event("ping")]
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    usage = {"output_tokens": whole["usage"]["output_tokens"]}
    return [*events, _event("message_delta", delta=delta, usage=usage), _event("message_stop")]


def _event(name: str, **fields: Any) -> bytes:
    return sse({"type": name, **fields}, name)


@contextlib.asynccontextmanager
async def raw_server(answer: Callable[[bytes], list[bytes]]) -> AsyncIterator[str]:
    """Listen, and answer a request's bytes by the pieces that ``answer`` gives, each in a packet of its own."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(n.split(b":")[1]) for n in head.lower().split(b"\r\n") if n.startswith(b"content-length")), 0
            )
            for piece in answer(head + await reader.readexactly(length)):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def endless_server(data: bytes, ping: bytes = b": ping\n\n") -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Listen, send ``data`` as a stream and pings behind it; the event is set when the client has left."""
    left = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + data)
            with contextlib.suppress(ConnectionError):
                heard: bytes | None = None
                while heard != b"":
                    writer.write(ping)
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        heard = await asyncio.wait_for(reader.read(2**16), 0.02)
            left.set()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", left
    finally:
        server.close()
