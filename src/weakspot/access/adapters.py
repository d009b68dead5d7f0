"""Adapters of the request guard: the facts of an aiohttp request, and a guard in front of an ASGI application."""

import asyncio
import contextlib
import functools
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from weakspot.access import bodies
from weakspot.access.client_keys import Client
from weakspot.access.connections import Connections
from weakspot.access.request_guard import Facts, Refusal, Rules, find_client, find_refusal, is_listed, is_preflight

if TYPE_CHECKING:
    from aiohttp import web
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEYS = ("Authorization", "x-api-key", "api-key")
_PREFLIGHT_SECONDS = "600"
_CLIENT = "weakspot.client"


def facts_of_request(request: "web.BaseRequest", path: str) -> Facts:
    """Return the facts of an aiohttp request; ``path`` is that of the endpoint that is meant."""
    get = request.headers.get
    return Facts(
        method=request.method,
        path=path,
        host=get("Host"),
        origin=get("Origin"),
        fetch_site=get("Sec-Fetch-Site"),
        keys=tuple(value for name in _KEYS for value in request.headers.getall(name, ())),
        content_type=get("Content-Type"),
        has_body=request.body_exists,
        query=request.query_string,
    )


def facts_of_scope(scope: "Scope") -> Facts:
    """Return the facts of an ASGI request."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(scope["headers"])}
    get = headers.get
    return Facts(
        method=scope["method"],
        path=scope["path"],
        host=get("host"),
        origin=get("origin"),
        fetch_site=get("sec-fetch-site"),
        keys=tuple(
            value.decode("latin-1") for key in _KEYS for name, value in scope["headers"] if name == key.lower().encode()
        ),
        content_type=get("content-type"),
        has_body=get("content-length", "0") != "0" or "transfer-encoding" in headers,
        query=unquote_plus(scope.get("query_string", b"").decode("latin-1")),
    )


@functools.cache
def _client_key() -> "web.RequestKey[Client]":
    from aiohttp import web

    return web.RequestKey(_CLIENT, Client)


def note_client(request: "web.BaseRequest", client: Client | None) -> None:
    """Keep with a request whose it is, for :func:`client_of`."""
    if client is not None:
        request[_client_key()] = client


def client_of(request: "web.BaseRequest") -> Client | None:
    """Return the named client of an aiohttp request, None where it has no such key."""
    return request.get(_client_key())


def client_of_scope(scope: "Scope") -> Client | None:
    """Return the named client of an ASGI request that passed the guard, None where it has no such key."""
    found: Client | None = scope.get(_CLIENT)
    return found


def headers_for_page(rules: Rules, facts: Facts) -> dict[str, str]:
    """Return the headers with which a browser lets a listed page read the answer; empty for every other client."""
    if facts.origin is None or not is_listed(facts.origin, rules.origins):
        return {}
    allowed = {"Access-Control-Allow-Origin": facts.origin, "Access-Control-Expose-Headers": "*", "Vary": "Origin"}
    if not is_preflight(facts):
        return allowed
    more = {"Methods": "GET, POST, DELETE", "Headers": "*, Authorization"}
    allowed |= {f"Access-Control-Allow-{name}": value for name, value in more.items()}
    return {**allowed, "Access-Control-Max-Age": _PREFLIGHT_SECONDS}


class AsgiGuard:
    """Lets through to an ASGI application only what the rules allow, and whose body comes in time.

    The clock of one of ``connections`` stands still while its request is answered.
    """

    def __init__(self, app: "ASGIApp", rules: Rules, connections: Connections | None = None) -> None:
        self._app, self._rules, self._connections = app, rules, connections

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request that is refused, and pass on every other one."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # the protocol has no use for web sockets
                await self._app(scope, receive, send)
            return
        with self._connections.at_work(scope.get("client")) if self._connections else contextlib.nullcontext():
            await self._answer(scope, receive, send)

    async def _answer(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        facts = facts_of_scope(scope)
        added = headers_for_page(self._rules, facts)
        if (refusal := find_refusal(self._rules, facts)) is not None:
            await _send_answer(send, refusal)
        elif added and is_preflight(facts):
            await _send_answer(send, None, added)
        else:
            scope = {**scope, _CLIENT: find_client(self._rules, facts)}
            await self._app(scope, _receive_in_time(receive), _with_headers(send, added) if added else send)


def _receive_in_time(receive: "Receive") -> "Receive":
    """Return a function that receives a body as :func:`bodies.receive_body` does: a late one ends the connection."""
    started, size, is_whole = time.monotonic(), 0, False

    async def receive_piece() -> "Message":
        nonlocal size, is_whole
        if is_whole:
            return await receive()
        left = started + bodies.time_for_body(size) - time.monotonic()
        try:
            async with asyncio.timeout(max(left, 0)):
                message = await receive()
        except TimeoutError:
            is_whole = True
            return {"type": "http.disconnect"}
        size += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        return message

    return receive_piece


def _with_headers(send: "Send", added: dict[str, str]) -> "Send":
    async def send_with_headers(message: "Message") -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_encode_headers(added)]}
        await send(message)

    return send_with_headers


async def _send_answer(send: "Send", refusal: Refusal | None, headers: dict[str, str] | None = None) -> None:
    """Send a refusal as JSON, or an answer without a body."""
    status, body = (204, b"") if refusal is None else (refusal.status, json.dumps({"error": refusal.message}).encode())
    sent = {**(headers or {}), **({"Content-Type": "application/json", "Connection": "close"} if refusal else {})}
    await send({"type": "http.response.start", "status": status, "headers": _encode_headers(sent)})
    await send({"type": "http.response.body", "body": body})


def _encode_headers(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
