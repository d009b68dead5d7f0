"""Clients with keys of their own: their budgets, their names in what is counted, and keys that go nowhere."""

import asyncio
import contextlib
import json

import aiohttp
import anthropic
import openai
import pytest
from tests.servers import Reply
from tests.weakspot.gateway.worlds import opened

from weakspot.access.client_keys import add_client, remove_client
from weakspot.pipeline.status import status
from weakspot.records import UsageEvent
from weakspot.storage import append_log
from weakspot.storage.ledger import Ledger

pytestmark = pytest.mark.slow

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
Q, A = {"role": "user", "content": "Which files are here?"}, {"role": "assistant", "content": "I do not know."}
UNKNOWN = "wk-" + "A" * 43


@pytest.fixture
def key_of(workspace):
    """Give a client a key in the workspace."""
    return lambda name, *limits: add_client(workspace.clients, name, *limits)


async def consult(client, teacher: str = "sonnet"):
    """Consult a teacher with a client of either protocol."""
    asked = {"model": f"expert/{teacher}", "messages": [Q, A]}
    if isinstance(client, openai.AsyncOpenAI):
        return await client.chat.completions.create(**asked)
    return await client.messages.create(**asked, max_tokens=9)


async def test_over_its_own_limit_a_client_gets_a_429_of_its_protocol_and_others_go_on(world, key_of):
    alice, bob = key_of("alice", None, 1), key_of("bob", 0)
    async with world() as one, one.openai(api_key=alice) as ours, one.anthropic(api_key=alice) as theirs:
        await consult(ours)
        whose = "client alice: not asked, 1 of 1 consultations in the last hour; wait \\d+ seconds, or ask for a key"
        with pytest.raises(openai.RateLimitError, match=whose) as error:
            await consult(ours, "coder")
        assert 3500 < int(error.value.response.headers["Retry-After"]) <= 3600
        with pytest.raises(anthropic.RateLimitError, match=whose) as refused:
            await consult(theirs)
        assert refused.value.body["error"]["type"] == "rate_limit_error"
        async with one.openai(api_key=bob) as other:
            with pytest.raises(openai.RateLimitError, match=r"client bob: not asked, 0\.00 of 0\.00 US") as error:
                await consult(other)
            assert "Retry-After" not in error.value.response.headers
        async with one.openai() as nobody:
            await consult(nobody)
        assert (len(one.sonnet.chats), len(one.coder.chats)) == (2, 0)
        # What was refused was taken from no account.
        ledger = Ledger(one.workspace.spending)
        assert [ledger.balance(name).count for name in ("sonnet", "client:alice", "client:bob")] == [2, 1, 0]


async def test_a_teacher_s_limit_holds_too_and_takes_nothing_from_the_client(world, key_of):
    key = key_of("alice", 100, 100)
    async with world() as one, one.openai(api_key=key) as client:
        one.config.teachers["sonnet"].__dict__["consultations_per_hour"] = 1
        await consult(client)
        with pytest.raises(openai.RateLimitError, match="teacher sonnet: not asked, 1 of 1 consultations"):
            await consult(client)
        assert Ledger(one.workspace.spending).balance("client:alice").count == 1


async def test_a_budget_is_that_of_one_client_at_two_gateways_at_once(world, workspace, key_of, tmp_path):
    """Each question costs 30 cents and is reserved at about as much, of 2 dollars of the client's."""
    key = key_of("alice", 2)
    async with world() as first, opened(workspace) as second:
        asked = []
        for one in (first, second):
            one.sonnet.script = Reply("Dear.", usage=(100_000, 10_000))

        async def consult_once(one, number):
            question = {"role": "user", "content": f"Question {number}"}
            async with one.openai(api_key=key) as client:
                with contextlib.suppress(openai.RateLimitError):
                    await client.chat.completions.create(
                        model="expert/sonnet", messages=[question, A], max_tokens=30_000
                    )
                    asked.append(number)

        await asyncio.gather(*(consult_once(one, n) for n in range(10) for one in (first, second)))
        spent = Ledger(workspace.spending).balance("client:alice")
        assert len(asked) == spent.count == len(first.sonnet.chats) + len(second.sonnet.chats)
        assert spent.usd == pytest.approx(0.3 * len(asked))
        assert 2 <= spent.usd < 2 + 20 * 0.5


async def test_a_client_appears_by_its_name_in_what_is_counted(world, key_of):
    key = key_of("alice", 5)
    async with world() as one:
        async with one.openai(api_key=key) as client:
            await consult(client)
            await client.chat.completions.create(model="m", messages=[Q])
        async with one.openai() as client:
            await client.chat.completions.create(model="m", messages=[Q])
        assert await one.metric('weakspot_client_consultations_total{client="alice",outcome="answered"}') == 1
        assert await one.metric('weakspot_client_questions_total{client="alice"}') == 1
        assert await one.metric("weakspot_client_cost_usd_total") > 0
        (left,) = status(one.workspace, one.config).clients
        assert (left.client, left.consultations_last_hour) == ("alice", 1)
        assert 0 < left.usd_last_24_hours < 5
    events = [UsageEvent.from_json(line.data) for line in append_log.read_lines(one.workspace.usage)]
    assert {(event.consulted, event.client) for event in events} == {(True, "alice"), (False, "alice"), (False, None)}


async def test_a_key_that_nobody_has_is_a_401_of_each_protocol_and_asks_nobody(world, key_of):
    alice = key_of("alice")
    async with world() as one:
        for key in (UNKNOWN, f"{alice}x", f"{alice} {alice}"):
            async with one.openai(api_key=key) as ours, one.anthropic(api_key=key) as theirs:
                with pytest.raises(openai.AuthenticationError, match="the key is not that of one client"):
                    await consult(ours)
                with pytest.raises(anthropic.AuthenticationError, match="the key is not that of one client") as error:
                    await consult(theirs)
                assert error.value.body["error"]["type"] == "authentication_error"
                assert key not in str(error.value)
        assert [server.asked for server in one.servers] == [[], [], []]


async def test_a_running_gateway_sees_a_key_that_is_made_and_one_that_is_removed(world, workspace, key_of):
    async with world() as one:
        key = key_of("alice")
        async with one.openai(api_key=key) as client:
            await consult(client)
            remove_client(workspace.clients, "alice")
            with pytest.raises(openai.AuthenticationError):
                await consult(client)
            again = key_of("alice", None, 1)
        async with one.openai(api_key=again) as client:  # another key, the same account
            with pytest.raises(openai.RateLimitError, match="client alice: not asked, 1 of 1"):
                await consult(client)


async def test_a_client_that_is_in_an_answer_when_its_key_is_removed_gets_all_of_it(world, workspace, key_of):
    async with world() as one, one.openai(api_key=key_of("alice")) as client:
        one.sonnet.script = Reply("The whole of it.", held=(held := asyncio.Event()))
        asking = asyncio.create_task(consult(client))
        await one.sonnet.next_asked()
        remove_client(workspace.clients, "alice")
        held.set()
        assert (await asking).choices[0].message.content == "The whole of it."


@pytest.mark.parametrize("header", ["Authorization: bearer {}", "x-api-key: {}", "api-key: {}"])
async def test_a_key_goes_to_no_server(world, key_of, header):
    key = key_of("alice")
    name, _, value = header.partition(": ")
    headers = {name: value.format(key), "X-Odd": f"see {UNKNOWN}", "X-Request-Id": "7"}
    said = {"role": "user", "content": f"my key is {UNKNOWN}, or {key}"}
    async with world() as one, aiohttp.ClientSession(headers=headers) as session:
        for path, body in (
            (CHAT, {"model": "m", "messages": [Q]}),
            ("/v1/completions", {"model": "m", "prompt": "q"}),
            (MESSAGES, {"model": "m", "max_tokens": 9, "messages": [Q]}),
            (CHAT, {"model": "expert/sonnet", "messages": [Q, A, said]}),
            (CHAT, {"model": "expert/coder", "messages": [Q, A, said]}),
        ):
            async with session.post(one.address + path, json=body) as answer:
                assert answer.status == 200, await answer.text()
        seen = [asked for server in one.servers for asked in server.asked]
        assert len(one.upstream.asked) >= 3
        assert [asked for asked in seen if "wk-" in json.dumps(dict(asked.headers)) + asked.path] == []
        taught = [asked for server in (one.sonnet, one.coder) for asked in server.asked]
        assert len(taught) == 2
        assert [asked for asked in taught if b"wk-" in asked.data] == []


async def test_another_key_beside_a_client_s_goes_to_no_server_either(world, key_of):
    headers = {"Authorization": "Bearer the-canary", "api-key": key_of("alice")}
    async with world() as one, aiohttp.ClientSession(headers=headers) as session:
        async with session.post(one.address + CHAT, json={"model": "m", "messages": [Q]}) as answer:
            assert answer.status == 200
        assert "the-canary" not in json.dumps(dict(one.upstream.chats[0].headers))


async def test_a_key_in_an_address_is_refused_and_asks_nobody(world, key_of):
    key = key_of("alice")
    async with world() as one, aiohttp.ClientSession() as session:
        for query in (f"api_key={key}", f"key={key.replace('w', '%77')}"):
            for path in (CHAT, MESSAGES, "/v1/completions"):
                async with session.post(f"{one.address}{path}?{query}", json={"messages": [Q]}) as answer:
                    assert (answer.status, key in await answer.text()) == (401, False)
        assert [server.asked for server in one.servers] == [[], [], []]


async def test_beyond_loopback_a_client_s_key_does_as_well_as_the_token(world, key_of, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    key = key_of("alice")
    async with world(listen="0.0.0.0:0") as one, aiohttp.ClientSession() as session:
        address = one.address.replace("0.0.0.0", "127.0.0.1")
        for sent, expected in ((key, 200), (UNKNOWN, 401), ("sk-any", 401)):
            async with session.get(f"{address}/v1/models", headers={"x-api-key": sent}) as answer:
                assert answer.status == expected
