import asyncio

import pytest
from aiohttp import ClientSession, web

from weakspot.http_server import start_app
from zddc.errors import UserError


def application(closed: list[str]) -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    async def close(_: web.Application) -> None:
        closed.append("closed")

    app = web.Application()
    app.router.add_get("/", answer)
    app.on_cleanup.append(close)
    return app


def test_the_address_is_the_one_that_answers():
    async def ask() -> tuple[str, str]:
        runner, address = await start_app(application([]), "127.0.0.1:0")
        try:
            async with ClientSession() as session, session.get(address) as answer:
                return address, await answer.text()
        finally:
            await runner.cleanup()

    address, text = asyncio.run(ask())
    assert address.startswith("http://127.0.0.1:")
    assert not address.endswith(":0")
    assert text == "here"


@pytest.mark.parametrize("listen", ["203.0.113.1:0", "127.0.0.1:99999", "127.0.0.1:http"])
def test_an_address_that_cannot_be_used_is_one_line_and_closes_the_application(listen):
    closed: list[str] = []
    with pytest.raises(UserError, match="choose another with --listen"):
        asyncio.run(start_app(application(closed), listen))
    assert closed == ["closed"]
