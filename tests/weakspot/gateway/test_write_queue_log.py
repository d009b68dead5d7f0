"""The log says once that an interaction waits, however often it is tried again."""

import asyncio

from weakspot.config import Config
from weakspot.gateway import write_queue
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.write_queue import WriteQueue


async def test_what_waits_is_told_once(workspace, caplog, monkeypatch):
    monkeypatch.setattr(write_queue, "RETRY_SECONDS", 0.001)
    stored, tries = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def refused_four_times(_journal):
        tries.append("tried")
        if len(tries) < 5:
            raise OSError(28, "No space left on device")
        loop.call_soon_threadsafe(stored.set)

    one = WriteQueue(workspace, Config(), Metrics())
    await one.store(refused_four_times)
    async with asyncio.timeout(120):
        await stored.wait()
    await one.close()
    assert len(tries) == 5
    assert [record.getMessage() for record in caplog.records] == [
        "not stored yet, will try again: [Errno 28] No space left on device"
    ]
