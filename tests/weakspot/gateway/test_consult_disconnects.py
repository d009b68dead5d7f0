"""A client that goes away takes its request with it, at any moment, and leaves no half answer that looks whole."""

import asyncio
import random

import aiohttp
import pytest
from tests.servers import NEVER_SECONDS, Asked, Reply
from tests.waiting import PATIENCE_SECONDS, happens
from tests.weakspot.gateway.worlds import SOAK, World

pytestmark = pytest.mark.slow

TRIALS, AT_ONCE = (200, 20) if SOAK else (6, 6)
# No server comes to an end by itself while a test runs.
WINDOWS = {
    "before the server answers": (True, {"seconds_before_headers": NEVER_SECONDS}),
    "before the first token": (True, {"seconds_before_first": NEVER_SECONDS}),
    "mid-stream": (True, {"seconds_a_piece": 0.1, "pieces": 3000}),
    "not a stream": (False, {"seconds_before_headers": NEVER_SECONDS}),
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


async def leave(world: World, way: str, window: str, number: int) -> None:
    """Ask, leave in that window, and return when each server that was asked knows."""
    path, model, whose = WAYS[way]
    stream, _ = WINDOWS[window]
    # Where a teacher is consulted, the local model is asked for its attempt as well.
    servers, chance = {world.upstream, getattr(world, whose)}, random.Random(number)
    heard = asyncio.Event()

    async def ask() -> None:
        messages = [{"role": "user", "content": f"[trial {number}]"}]
        body = {"model": model, "max_tokens": 10, "stream": stream, "messages": messages}
        async with aiohttp.ClientSession() as session, session.post(world.address + path, json=body) as answer:
            async for data in answer.content:
                if b"word" in data:
                    heard.set()

    asking = asyncio.create_task(ask())
    await happens(lambda: all(of_trial(server.chats, number) for server in servers))
    if window == "mid-stream":
        await heard.wait()
    await asyncio.sleep(chance.random() * 0.1)
    asking.cancel()
    await asyncio.wait([asking])
    for server in servers:
        await asyncio.wait_for(of_trial(server.chats, number).aborted, PATIENCE_SECONDS)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("way", WAYS)
async def test_who_leaves_takes_the_request_along(world, way, window):
    _, slow = WINDOWS[window]
    async with world() as one:
        for server in one.servers:
            server.script = Reply("word " * 3000, **slow)
        if way not in ("local", "local, translated"):
            one.upstream.script = Reply("never", seconds_before_headers=NEVER_SECONDS)
        for first in range(0, TRIALS, AT_ONCE):
            await asyncio.gather(*(leave(one, way, window, first + n) for n in range(AT_ONCE)))
        await one.counted("weakspot_in_flight", 0)
    # What an expert had begun to say is kept, and marked; nobody's silence is.
    kept = TRIALS if window == "mid-stream" and WAYS[way][2] != "upstream" else 0
    assert [record.metadata.incomplete for record in one.records] == [True] * kept
    assert {record.metadata.attempt for record in one.records} <= {"missing"}


@pytest.mark.parametrize("way", ["sonnet", "coder"])
async def test_who_leaves_while_the_record_is_stored_leaves_one_whole_record(world, way):
    """The answer is whole, and waits for the local model's attempt: the client goes away just then."""
    path, model, whose = WAYS[way]
    async with world() as one, aiohttp.ClientSession() as session:
        one.upstream.script = Reply("No idea.", held=(left := asyncio.Event()))
        getattr(one, whose).script = Reply("answer", pieces=1)
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "q"}]}
        async with session.post(one.address + path, json=body) as answer:
            async for data in answer.content:
                if b"answer" in data:
                    break
            # The whole answer came, and its record waits.
            await one.counted(f'weakspot_consultations_total{{outcome="answered",teacher="{model[7:]}"}}', 1)
            answer.close()
        await one.counted("weakspot_in_flight", 0)
        left.set()
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
