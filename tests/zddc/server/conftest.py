"""Asks the application of a server directly, as its HTTP server would."""

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest


class Got(NamedTuple):
    """What was answered: ``sent`` is the content, and ``ended`` whether all of it was sent."""

    status: int
    headers: dict[str, str]
    sent: bytes
    ended: bool


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.Runner]:
    """Run what is asked in one event loop: to make one takes longer than most answers."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def ask(loop) -> Callable[..., Got]:
    """Ask an application, GET as anybody where nothing else is said, and return what it answers."""

    def run(app, path, method="GET", headers=(), peer="127.0.0.1", leaves_after=None, version="1.1") -> Got:
        raw, _, query = path.encode().partition(b"?")
        fields = [(b"host", b"localhost"), *((name.encode(), value.encode("latin-1")) for name, value in headers)]
        scope = {"type": "http", "http_version": version, "method": method, "raw_path": raw, "query_string": query}
        return loop.run(_ask(app, {**scope, "headers": fields, "client": (peer, 1)}, leaves_after))

    return run


async def _ask(app, scope, leaves_after) -> Got:
    left, messages = asyncio.Event(), []
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if not requests:
            await left.wait()
        return requests.pop() if requests else {"type": "http.disconnect"}

    async def send(message):
        messages.append(message)
        if leaves_after is not None and len(messages) > leaves_after:
            left.set()
            await asyncio.sleep(0)

    await app(scope, receive, send)
    start, *pieces = messages
    headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    assert len(headers) == len(start["headers"])
    ended = bool(pieces) and not pieces[-1].get("more_body")
    return Got(start["status"], headers, b"".join(piece["body"] for piece in pieces), ended)
