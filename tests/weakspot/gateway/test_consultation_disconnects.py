"""A client that goes away takes its request with it, at any moment, and leaves no half answer that looks whole."""

import asyncio
import random
import time

import aiohttp
import pytest
from tests.servers import Asked, Reply
from tests.weakspot.gateway.worlds import SOAK, World

TRIALS, AT_ONCE = (200, 20) if SOAK else (6, 6)
WINDOWS = {
    "before the server answers": (True, {"seconds_before_headers": 30}),
    "before the first token": (True, {"seconds_before_first": 30}),
    "mid-stream": (True, {"seconds_a_piece": 0.03, "pieces": 1000}),
    "not a stream": (False, {"seconds_before_headers": 30}),
}
# Path, model, and whose server is asked.
WAYS = {
    "local": ("/v1/chat/completions", "local-model", "upstream"),
    "local, translated": ("/v1/messages", "claude", "upstream"),
    "sonnet": ("/v1/chat/completions", "expert/sonnet", "sonnet"),
    "sonnet, translated": ("/v1/messages", "expert/sonnet", "sonnet"),
    "coder": ("/v1/chat/completions", "expert/coder", "coder"),
}


def of_trial(asked: list[Asked], number: int) -> Asked | None:
    return next((one for one in asked if f"[trial {number}]".encode() in one.data), None)


async def leave(world: World, way: str, window: str, number: int) -> float:
    """Ask, leave in that window, and return how many seconds later the server knew."""
    path, model, whose = WAYS[way]
    stream, _ = WINDOWS[window]
    server, chance = getattr(world, whose), random.Random(number)
    heard = asyncio.Event()

    async def ask() -> None:
        messages = [{"role": "user", "content": f"[trial {number}]"}]
        body = {"model": model, "max_tokens": 10, "stream": stream, "messages": messages}
        async with aiohttp.ClientSession() as session, session.post(world.address + path, json=body) as answer:
            async for data in answer.content:
                if b"word" in data:
                    heard.set()

    asking = asyncio.create_task(ask())
    while of_trial(server.chats, number) is None:
        await asyncio.sleep(0.005)
    if window == "mid-stream":
        await heard.wait()
    await asyncio.sleep(chance.random() * 0.1)
    left = time.monotonic()
    asking.cancel()
    try:
        seconds = await asyncio.wait_for(of_trial(server.chats, number).aborted, 5) - left
        if whose != "upstream":  # the local model had been asked for its attempt
            attempt = of_trial(world.upstream.chats, number)
            assert attempt is not None
            seconds = max(seconds, await asyncio.wait_for(attempt.aborted, 5) - left)
    finally:
        await asyncio.wait([asking])
    return seconds


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("way", WAYS)
async def test_who_leaves_is_noticed_within_a_second(world, way, window):
    _, slow = WINDOWS[window]
    async with world() as one:
        for server in one.servers:
            server.script = Reply("word " * 1000, **slow)
        if way not in ("local", "local, translated"):
            one.upstream.script = Reply("never", seconds_before_headers=30)
        seconds: list[float] = []
        for first in range(0, TRIALS, AT_ONCE):
            seconds += await asyncio.gather(*(leave(one, way, window, first + n) for n in range(AT_ONCE)))
        assert max(seconds) < 1
        for _ in range(100):
            if await one.metric("weakspot_in_flight") == 0:
                break
            await asyncio.sleep(0.02)
        assert await one.metric("weakspot_in_flight") == 0
    # What an expert had begun to say is kept, and marked; nobody's silence is.
    kept = TRIALS if window == "mid-stream" and WAYS[way][2] != "upstream" else 0
    assert [record.metadata.incomplete for record in one.records] == [True] * kept
    assert {record.metadata.attempt for record in one.records} <= {"missing"}


@pytest.mark.parametrize("way", ["sonnet", "coder"])
async def test_who_leaves_while_the_record_is_stored_leaves_one_whole_record(world, way):
    """The answer is whole, and waits for the local model's attempt: the client goes away just then."""
    path, model, whose = WAYS[way]
    async with world() as one, aiohttp.ClientSession() as session:
        one.upstream.script = Reply("No idea.", seconds_before_headers=0.5)
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "q"}]}
        async with session.post(one.address + path, json=body) as answer:
            async for data in answer.content:
                if b"answer" in data:
                    break
            await asyncio.sleep(0.1)
            answer.close()
        assert getattr(one, whose).chats[0].aborted.done() is False
    assert (one.record.local.content, one.record.metadata.attempt) == ("No idea.", "asked")


async def test_a_teacher_that_breaks_off_leaves_a_record_that_is_marked(world):
    async with world() as one:
        for teacher, server in (("sonnet", one.sonnet), ("coder", one.coder)):
            server.script = Reply("a b c d e f", pieces=6, break_after=6)
            body = {"model": f"expert/{teacher}", "messages": [{"role": "user", "content": teacher}]}
            async with aiohttp.ClientSession() as session:
                for stream in (True, False):
                    async with session.post(
                        f"{one.address}/v1/chat/completions", json={**body, "stream": stream}
                    ) as got:
                        assert got.status == (200 if stream else 502)
                        assert "broke off" in await got.text()
        assert [record.metadata.incomplete for record in one.records] == [True] * 4
        assert await one.metric('weakspot_consultations_total{outcome="failed",teacher="sonnet"}') == 2
