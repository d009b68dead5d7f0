"""Who sends nothing, or holds too many connections, is let go; who waits for an answer is not."""

import asyncio

import pytest
from aiohttp import web
from tests.waiting import happens

from weakspot.access import connections
from weakspot.http_server import start_app

pytestmark = pytest.mark.slow

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def hurry(monkeypatch):
    """Give what shortens the limits from now on: a slow machine keeps to the usual ones in all that comes before."""
    monkeypatch.setattr(connections, "_SWEEP_SECONDS", 0.02)

    def shorten() -> None:
        monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
        monkeypatch.setattr(connections, "IDLE_SECONDS", 0.4)

    return shorten


def run(talk, **options) -> None:
    """Let ``talk`` open connections to a server, whose slow answer meets it when it is begun, and before its end."""

    async def serve() -> None:
        meeting = asyncio.Barrier(2)

        async def answer(request: web.Request) -> web.Response:
            if request.path == "/slow":
                await meeting.wait()
                await meeting.wait()
            return web.Response(text="here")

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner, address = await start_app(app, "127.0.0.1:0", **options)
        try:
            await talk(lambda: asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2])), meeting)
        finally:
            await runner.cleanup()

    asyncio.run(serve())


async def ends(reader: asyncio.StreamReader) -> bytes:
    """Return all that still comes until the connection ends."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.parametrize("sent", [b"", b"G", GET[:-2], b"GET /a HTTP/1.1\r\nX: " + b"y" * 100])
def test_a_request_whose_head_does_not_come_is_let_go(hurry, sent):
    hurry()

    async def talk(connect, _meeting) -> None:
        reader, writer = await connect()
        writer.write(sent)
        assert await ends(reader) == b""
        writer.close()

    run(talk)


def test_a_connection_that_is_idle_behind_an_answer_is_let_go(hurry):
    async def talk(connect, _meeting) -> None:
        reader, writer = await connect()
        for _ in range(2):
            writer.write(GET)
            assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
        hurry()
        assert await ends(reader) == b""
        writer.close()

    run(talk)


def test_who_waits_for_an_answer_is_not(hurry):
    async def talk(connect, meeting) -> None:
        reader, writer = await connect()
        writer.write(GET.replace(b"/ ", b"/slow "))
        await meeting.wait()
        hurry()
        await asyncio.sleep(1)
        await meeting.wait()
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
        writer.close()

    run(talk)


def test_too_many_of_one_address_are_told_so_and_others_are_served():
    async def talk(connect, _meeting) -> None:
        async def is_served() -> bool:
            reader, writer = await connect()
            writer.write(GET.replace(b"Host: a", b"Host: a\r\nConnection: close"))
            answer = await ends(reader)
            writer.close()
            return answer.startswith(b"HTTP/1.1 200")

        first, second = await connect(), await connect()
        for reader, writer in (first, second):
            writer.write(GET)
            await reader.readuntil(b"here")
        reader, writer = await connect()
        refusal = await ends(reader)
        writer.close()
        assert refusal.startswith(b"HTTP/1.1 503")
        assert b"[gateway] max_connections" in refusal
        first[1].close()
        await happens(is_served)  # the place is free again as soon as the server has seen that
        second[1].close()

    run(talk, max_connections=2)
