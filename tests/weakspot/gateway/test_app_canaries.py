"""Fifty keys, in headers, questions, answers and errors, are found in no log, record or metric, nor with a stranger."""

import asyncio
import logging
import random

import aiohttp
import pytest
from tests.servers import Asked, Reply
from tests.waiting import PATIENCE_SECONDS
from tests.weakspot.gateway.worlds import KEYS, SOAK, World

pytestmark = pytest.mark.slow

REQUESTS = 10_000 if SOAK else 300
LOCAL_KEY = "local-server-7Hk2Zq94LmXw"
# A third look like a provider's, the others like nothing at all, and are known by who sent them.
FORMS = ("sk-proj-{:03}Q7dK2vX9mLwZ4tYb8NcR5hJf3GsP6aEu", "{:03}hJ5Kw-team-north-8Qz", "client.{:03}.of/no+known=form")
CLIENT_KEYS = [FORMS[n % 3].format(n) for n in range(47)]
CANARIES = [*CLIENT_KEYS, *KEYS.values(), LOCAL_KEY]


def echoed(asked: Asked) -> Reply:
    """Answer, fail or break off, quoting whatever one was given."""
    chance = random.Random(asked.data)
    quoted = f"{dict(asked.headers)} {asked.data.decode('utf-8', 'replace')}"
    match chance.randrange(6):
        case 0:
            return Reply(f"Incorrect API key: {quoted}", status=chance.choice([400, 401, 403, 429, 500, 503]))
        case 1:
            return Reply(f"Your key is {quoted}", pieces=20, break_after=chance.randrange(15))
        case 2:
            return Reply(status=502, data=f"<html>{quoted}</html>".encode())
        case 3:
            return Reply("", calls=(("c1", "look", '{"key": "the same"}'),))
        case _:
            return Reply(f"Your key is {quoted}")


async def ask(world: World, session: aiohttp.ClientSession, number: int) -> None:
    chance, key = random.Random(number), CLIENT_KEYS[number % len(CLIENT_KEYS)]
    ours = [LOCAL_KEY] if world.config.gateway.upstream_api_key_env else []
    shown = chance.choice([key, *KEYS.values(), *ours])
    messages: list[dict] = [
        {"role": "user", "content": f"Request {number}: my key {key} is refused, and `env` shows {shown}. Why?"},
        {"role": "assistant", "content": f"I do not know {shown}."},
    ]
    model = "m"
    match chance.randrange(5):
        case 0 | 1:
            messages.append({"role": "user", "content": f"consult {chance.choice(['sonnet', 'the big coder'])}"})
        case 2:
            model, messages = f"expert/{chance.choice(['sonnet', 'coder'])}", messages[:1]
        case 3:
            messages[0]["content"] = [{"type": "text", "text": messages[0]["content"]}]
    headers = chance.choice([{"Authorization": f"Bearer {key}"}, {"x-api-key": key}, {"api-key": key, "Cookie": key}])
    body: dict = {"model": model, "max_tokens": 100, "messages": messages, "stream": chance.random() < 0.5}
    if chance.random() < 0.05:
        body["messages"] = chance.choice([key, [key], [{"role": key}], [{"role": "user", "content": [key]}]])
    path = chance.choice(["/v1/chat/completions", "/v1/messages", f"/v1/{key.replace('/', '')}"])
    try:
        async with session.post(f"{world.address}{path}", json=body, headers=headers) as answer:
            # Some lose their patience.
            await asyncio.wait_for(answer.read(), chance.choice([0.005, *[PATIENCE_SECONDS] * 3]))
    except (aiohttp.ClientPayloadError, TimeoutError):
        pass


async def test_no_key_is_found_where_it_does_not_belong(world, caplog, monkeypatch):
    monkeypatch.setenv("LOCAL_KEY", LOCAL_KEY)
    caplog.set_level(logging.DEBUG)
    for with_local_key in (True, False):
        more = 'upstream_api_key_env = "LOCAL_KEY"' if with_local_key else ""
        async with world(more) as one, aiohttp.ClientSession() as session:
            for server in one.servers:
                server.script = echoed
            for start in range(0, REQUESTS // 2, 25):
                await asyncio.gather(*(ask(one, session, n) for n in range(start, start + 25)))
            async with session.get(f"{one.address}/metrics") as answer:
                metrics = await answer.text()
            for server, own in ((one.sonnet, KEYS["SONNET_KEY"]), (one.coder, KEYS["CODER_KEY"])):
                assert len(server.asked) > REQUESTS / 20
                for asked in server.asked:
                    assert [key for key in CANARIES if key in str(dict(asked.headers))] == [own]
                    assert [key for key in CANARIES if key in asked.data.decode()] == []
            # What a client itself says to the local model goes there as it is.
            for asked in one.upstream.asked:
                sent = [key for key in CANARIES if key in str(dict(asked.headers))]
                assert sent == [LOCAL_KEY] if with_local_key else set(sent) <= set(CLIENT_KEYS)
        stored = one.workspace.raw.read_text()
        assert stored.count("\n") > REQUESTS / 20
        for name, text in {"log": caplog.text, "records": stored, "metrics": metrics}.items():
            assert [key for key in CANARIES if key in text] == [], name
        assert "teacher sonnet: HTTP" in caplog.text
