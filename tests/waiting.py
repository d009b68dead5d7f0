"""Waits for what must happen, however slow the machine is, and fails only where it never does."""

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TypeVar

PATIENCE_SECONDS = 120.0
Result = TypeVar("Result")


def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


async def happens(condition: Callable[[], object | Awaitable[object]]) -> None:
    """Return when the condition, which may be a coroutine, holds; others go on meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (await found if isinstance(found := condition(), Awaitable) else found):
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.005)


def run_in_no_time(coroutine: Coroutine[object, object, Result]) -> Result:
    """Run what waits for nothing but the time of its event loop, which is over as soon as all wait for it.

    However slow the machine is, nothing takes time there but waiting.
    """
    selector, passed = selectors.DefaultSelector(), 0.0
    loop, select = asyncio.SelectorEventLoop(selector), selector.select

    def selected(timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        nonlocal passed
        passed += timeout or 0.0
        return select(timeout and 0.0)

    selector.select, loop.time = selected, lambda: passed
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(coroutine)


def somebody_waits_for(file: Path) -> bool:
    """Tell whether the kernel knows somebody who waits for a lock of the file."""
    inode = f":{file.stat().st_ino} "
    return any(" -> " in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def all_is_read(address: tuple[str, int]) -> bool:
    """Tell whether who has this end of a connection on this machine has read all that came to it."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, _, queues, *_ = line.split()
        if int(local.partition(":")[2], 16) == address[1]:
            return int(queues.partition(":")[2], 16) == 0
    return False
