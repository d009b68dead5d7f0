"""A body in pieces lets go what it is read from, and a line of text is harmless."""

import asyncio
import os
import threading

import pytest
from tests.zddc.server.asking import without_dates

from zddc.server.answer import Pieces, answer_text


def test_one_that_is_closed_while_a_thread_reads_waits_for_the_thread(tmp_path):
    file = tmp_path / "pipe"
    os.mkfifo(file)
    reader, writer = os.open(file, os.O_RDONLY | os.O_NONBLOCK), os.open(file, os.O_WRONLY)
    os.set_blocking(reader, True)
    began = threading.Event()

    def pieces():
        began.set()
        while piece := os.read(reader, 10):
            yield piece

    async def read_and_close():
        body = Pieces(pieces(), lambda: os.close(reader))
        reading = asyncio.ensure_future(anext(body))
        await asyncio.to_thread(began.wait)
        reading.cancel()
        closing = asyncio.ensure_future(body.aclose())
        await asyncio.sleep(0.01)
        assert not closing.done()
        os.fstat(reader)  # still open, as the thread reads
        os.write(writer, b"1")
        await closing

    asyncio.run(read_and_close())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
    os.close(writer)


def test_pieces_are_small_while_many_bodies_are_open():
    alone, bodies, sizes = Pieces.size(), [], []
    for _ in range(500):
        bodies.append(Pieces(iter(()), lambda: None))
        sizes.append(Pieces.size())
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[3], sizes[7], sizes[-1]) == (512 * 1024, 512 * 1024, 128 * 1024, 8 * 1024)
    assert sum(sizes) < 10 * 1024 * 1024
    for body in (*bodies, *bodies):  # once more does no harm
        body.close()
    assert Pieces.size() == alone == sizes[0]


def test_a_line_of_text_is_as_harmless():
    answer = answer_text(404, "there is nothing here")
    assert answer.body == b"there is nothing here\n"
    assert without_dates(answer) == {
        "content-type": "text/plain; charset=utf-8",
        "content-length": "22",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
