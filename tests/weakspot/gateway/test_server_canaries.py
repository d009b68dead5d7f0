"""Fifty keys, in headers, questions, answers and errors, are found in no log, record or metric, nor with a stranger."""

import asyncio
import logging

import aiohttp
from tests.servers import Asked, Reply
from tests.weakspot.gateway.worlds import KEYS, SOAK, World

REQUESTS = 10_000 if SOAK else 500
# Half look like a provider's, half like nothing at all: those are ours, and are known by their values.
CLIENT_KEYS = [f"sk-proj-{n:03}Q7dK2vX9mLwZ4tYb8NcR5hJf3GsP6aEu" for n in range(48)]
CANARIES = [*CLIENT_KEYS, *KEYS.values()]


def echoed(asked: Asked) -> Reply:
    """Answer, or fail, quoting whatever key one was given."""
    key = asked.headers.get("x-api-key") or asked.headers.get("Authorization", "")
    number = len(asked.data) % 4
    if number == 0:
        return Reply(f"Incorrect API key provided: {key}.", status=(401, 400, 500, 429)[len(asked.data) % 16 // 4])
    return Reply(f"Your key is {key}, and it should not be here.")


async def flooded(one: World, session: aiohttp.ClientSession, number: int) -> None:
    key = CLIENT_KEYS[number % len(CLIENT_KEYS)]
    teacher = ("sonnet", "coder")[number % 2]
    messages = [
        {"role": "user", "content": f"My key {key} is refused {'x' * (number % 7)} times {number}, why?"},
        {"role": "assistant", "content": "No idea."},
    ]
    if number % 3:
        messages.append({"role": "user", "content": f"consult {teacher}"})
    path = "/v1/chat/completions" if number % 5 else "/v1/messages"
    headers = {"Authorization": f"Bearer {key}", "x-api-key": key}
    body = {"model": "m", "max_tokens": 100, "messages": messages, "stream": number % 4 == 1}
    if number % 50 == 49:
        body["messages"] = key  # what is no request is an error that might quote it
    async with session.post(f"{one.address}{path}", json=body, headers=headers) as answer:
        await answer.read()


async def test_no_key_is_found_where_it_does_not_belong(world, caplog):
    caplog.set_level(logging.DEBUG)
    async with world() as one, aiohttp.ClientSession() as session:
        for server in one.servers:
            server.script = echoed
        for start in range(0, REQUESTS, 50):
            await asyncio.gather(*(flooded(one, session, n) for n in range(start, start + 50)))
        async with session.get(f"{one.address}/metrics") as answer:
            metrics = await answer.text()
        stored = one.workspace.raw.read_text()
        assert stored.count("\n") > REQUESTS / 4
        places = {"logs": caplog.text, "records": stored, "metrics": metrics}
        assert {name: [key for key in CANARIES if key in text] for name, text in places.items()} == {
            name: [] for name in places
        }
        given = {
            name: {key for asked in server.asked for key in CANARIES if key in str(dict(asked.headers))}
            for name, server in (("upstream", one.upstream), ("sonnet", one.sonnet), ("coder", one.coder))
        }
    assert given["sonnet"] == {KEYS["SONNET_KEY"]}
    assert given["coder"] == {KEYS["CODER_KEY"]}
    assert given["upstream"] <= set(CLIENT_KEYS)
