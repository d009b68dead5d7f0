"""A body is received in time and not too large, or not at all."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from weakspot import http_server
from weakspot.access import bodies
from weakspot.http_server import start_app


def ask(send, most: int = 1000) -> list[object]:
    """Let ``send`` talk to a server; return what became of each body there."""
    found: list[object] = []

    async def receive(request: web.Request) -> web.Response:
        try:
            found.append(bodies.body_of(request) if await bodies.receive_body(request, most) else "too large")
        except TimeoutError:
            found.append("too slow")
        return web.Response()

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/", receive)
        runner, address = await start_app(app, "127.0.0.1:0")
        try:
            await send(address)
        finally:
            await runner.cleanup()

    asyncio.run(run())
    return found


def posting(*all_: object):
    async def send(address: str) -> None:
        async with aiohttp.ClientSession() as session:
            for one in all_:
                async with session.post(address, data=one() if callable(one) else one):
                    pass

    return send


async def pieces():
    for _ in range(11):
        yield b"x" * 100


def test_a_body_is_received_once_it_is_whole():
    assert ask(posting(None, b"", b"abc", b"x" * 1000)) == [b"", b"", b"abc", b"x" * 1000]


def test_a_body_that_is_too_large_is_not_however_it_is_framed():
    assert ask(posting(b"x" * 1001, pieces)) == ["too large"] * 2


@pytest.mark.parametrize("dribble", [b"", b"{"])
def test_a_body_that_comes_too_slowly_is_given_up(monkeypatch, dribble):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(http_server, "_LINGERING_SECONDS", 0.05)

    async def send(address: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100\r\n\r\n" + dribble)
        await reader.readline()
        writer.close()

    assert ask(send) == ["too slow"]


def test_a_body_that_keeps_coming_has_more_time(monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(bodies, "LEAST_BYTES_PER_SECOND", 0.001)

    async def slow():
        yield b"a"
        await asyncio.sleep(0.2)
        yield b"b"

    assert ask(posting(slow)) == [b"ab"]
