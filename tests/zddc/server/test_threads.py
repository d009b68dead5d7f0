"""Jobs of an event loop are done in as many threads as they need, and in no more."""

import asyncio
import threading
import time

import pytest
from tests.waiting import PATIENCE_SECONDS, happens, until

from zddc.server.threads import Threads, run_in_thread


def in_loop(work, most=8):
    """Run a coroutine function with threads, which it is given."""

    async def run():
        with Threads.of_this_loop(most) as threads:
            return await work(threads)

    return asyncio.run(run())


def test_a_job_returns_or_raises_what_its_function_does():
    async def work(threads):
        name = await run_in_thread(lambda: threading.current_thread().name)
        with pytest.raises(KeyError, match="gone"):
            await run_in_thread({}.__getitem__, "gone")
        return name, await run_in_thread(divmod, 7, 2)

    assert in_loop(work) == ("disk-1", (3, 1))


def test_a_loop_without_threads_has_those_of_asyncio():
    async def work():
        return await run_in_thread(lambda: threading.current_thread().name)

    assert not asyncio.run(work()).startswith("disk-")


def test_quick_jobs_need_one_thread():
    """Where the machine lets them be quick: one that is busy with something else makes any job wait at times."""

    async def work(threads):
        found = [await asyncio.gather(*(run_in_thread(str, number) for number in range(20))) for _ in range(100)]
        assert found == [[str(number) for number in range(20)]] * 100
        return threads.count

    until(lambda: in_loop(work) == 1)


def test_jobs_that_take_long_enough_to_wait_for_get_another_thread():
    async def work(threads):
        rounds = 0
        while threads.count == 1 and rounds < 100:
            await asyncio.gather(*(run_in_thread(time.sleep, 0.003) for _ in range(15)))
            rounds += 1
        return threads.count

    assert in_loop(work) > 1


def test_jobs_that_wait_get_a_thread_each_up_to_the_most():
    """All of them have to be under way at the same time, so one that had no thread would break the barrier."""

    async def work(threads):
        barrier = threading.Barrier(5)
        await asyncio.gather(*(run_in_thread(barrier.wait, PATIENCE_SECONDS) for _ in range(5)))
        barrier = threading.Barrier(9)
        waiting = [asyncio.ensure_future(run_in_thread(barrier.wait, PATIENCE_SECONDS)) for _ in range(9)]
        while threads.count < 8:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        count = threads.count
        barrier.wait(PATIENCE_SECONDS)  # in place of the ninth
        await asyncio.gather(*waiting[:8])
        barrier.abort()
        await asyncio.gather(*waiting, return_exceptions=True)
        return count

    assert in_loop(work) == 8


def test_a_job_that_hangs_keeps_no_other_from_its_end():
    async def work(threads):
        ended = threading.Event()
        hanging = asyncio.ensure_future(run_in_thread(ended.wait))
        assert await run_in_thread(str, 1) == "1"
        ended.set()
        return await hanging

    assert in_loop(work)


def test_threads_end_that_are_no_longer_needed(monkeypatch):
    monkeypatch.setattr("zddc.server.threads._IDLE_SECONDS", 0.05)
    before = threading.enumerate()  # those of servers that other tests still have

    async def work(threads):
        counts = []
        barrier = threading.Barrier(4, lambda: counts.append(threads.count))
        await asyncio.gather(*(run_in_thread(barrier.wait, PATIENCE_SECONDS) for _ in range(4)))
        while threads.count > 1:
            await asyncio.sleep(0.01)
        return counts, await run_in_thread(str, 1)

    (most,), told = in_loop(work)
    assert most >= 4
    assert told == "1"
    until(lambda: not any(one.name.startswith("disk-") for one in threading.enumerate() if one not in before))


def test_who_was_cancelled_is_told_nothing_and_the_others_are():
    async def work(threads):
        started, ended = threading.Event(), threading.Event()

        def wait():
            started.set()
            return ended.wait(PATIENCE_SECONDS)

        left = asyncio.ensure_future(run_in_thread(wait))
        other = asyncio.ensure_future(run_in_thread(started.wait, PATIENCE_SECONDS))
        assert await other
        left.cancel()
        ended.set()
        with pytest.raises(asyncio.CancelledError):
            await left
        return await run_in_thread(str, 1)

    assert in_loop(work) == "1"


def test_what_nobody_waits_for_is_done_whichever_thread_asks_for_it(caplog):
    async def work(threads):
        names = []

        def note():
            names.append(threading.current_thread().name)

        def put():
            threads.put(note)
            threads.put({}.__getitem__, "gone")
            threads.put(note)

        await asyncio.to_thread(put)
        await happens(lambda: len(names) == 2 and "a job of a thread failed" in caplog.text)
        return {name[:5] for name in names}, await run_in_thread(str, 1)

    assert in_loop(work) == ({"disk-"}, "1")


def test_what_nobody_waits_for_gets_another_thread_where_one_hangs():
    async def work(threads):
        barrier = threading.Barrier(4)

        def put():
            for _ in range(3):
                threads.put(barrier.wait, PATIENCE_SECONDS)
            barrier.wait(PATIENCE_SECONDS)

        await asyncio.to_thread(put)
        return threads.count

    assert in_loop(work) >= 3
