"""Asks the builders of answers as the server does, and reads what comes."""

import asyncio
import os
from urllib.parse import quote

from starlette.datastructures import Headers

from zddc.server.answer import Answer, Path, Request
from zddc.server.answers import answer_file


def request(method="GET", path="/", headers=(), email="kim@acme.example", query=None):
    """Make a request; ``headers`` are pairs of text, some of them perhaps with the same name."""
    names = tuple(name for name in path.split("/") if name)
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request(method, Path(names, path.endswith("/")), query or {}, Headers(raw=raw), email, quote(path).encode())


def body_of(answer: Answer) -> bytes:
    """Return the whole body, and close it."""
    if isinstance(answer.body, bytes):
        return answer.body

    async def read():
        try:
            return b"".join([piece async for piece in answer.body])
        finally:
            await answer.body.aclose()

    return asyncio.run(read())


def get_file(file, asked: Request, name=None) -> Answer:
    """Ask for a file on the disk."""
    opened = os.open(file, os.O_RDONLY)
    return answer_file(asked, name or file.name, opened, os.fstat(opened))


def without_dates(answer: Answer) -> dict[str, str]:
    """Return the headers, each of which may be there once only."""
    found = dict(answer.headers)
    assert len(found) == len(answer.headers)
    return found
