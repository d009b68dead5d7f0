"""The gateway as real clients of both protocols see it, with the local model and with both kinds of teacher."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys

import aiohttp
import pytest
from tests.servers import Reply, Server
from tests.waiting import PATIENCE_SECONDS
from tests.weakspot.gateway.worlds import ANTHROPIC_TOOLS, TOOLS, World, settings
from yarl import URL

from weakspot.config import load
from weakspot.gateway import app
from weakspot.storage import append_log
from zddc.errors import UserError

pytestmark = pytest.mark.slow

LOOK = (("call_1", "look", '{"what": "the sky"}'),)


async def ask_openai(world: World, messages: list[dict], *, stream: bool, **options) -> tuple[str, list, str]:
    """Return the text, the tool calls as name and arguments, and why the answer ended."""
    async with world.openai() as client:
        options = {"model": "local-model", **options}
        if not stream:
            answer = await client.chat.completions.create(messages=messages, **options)
        else:
            async with client.chat.completions.stream(messages=messages, **options) as events:
                answer = await events.get_final_completion()
    choice = answer.choices[0]
    calls = [(one.function.name, json.loads(one.function.arguments)) for one in choice.message.tool_calls or ()]
    return choice.message.content or "", calls, choice.finish_reason


async def ask_anthropic(world: World, messages: list[dict], *, stream: bool, **options) -> tuple[str, list, str]:
    """Return the text, the tool calls as name and arguments, and why the answer ended."""
    options = {"model": "claude-sonnet-5-5", "max_tokens": 1000, **options}
    async with world.anthropic() as client:
        if not stream:
            answer = await client.messages.create(messages=messages, **options)
        else:
            async with client.messages.stream(messages=messages, **options) as events:
                answer = await events.get_final_message()
    text = "".join(block.text for block in answer.content if block.type == "text")
    calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
    reason = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length"}[answer.stop_reason]
    return text, calls, reason


async def ask_responses(world: World, messages: list[dict], *, stream: bool, **options) -> tuple[str, list, str]:
    """Return the text, the tool calls as name and arguments, and why the answer ended."""
    options = {"model": "gpt-5.5", **options}
    async with world.openai() as client:
        if not stream:
            answer = await client.responses.create(input=messages, **options)
        else:
            async with client.responses.stream(input=messages, **options) as events:
                answer = await events.get_final_response()
    calls = [(one.name, json.loads(one.arguments)) for one in answer.output if one.type == "function_call"]
    return answer.output_text, calls, "tool_calls" if calls else "stop"


RESPONSES_TOOLS = [{"type": "function", **TOOLS[0]["function"]}]
CLIENTS = {
    "openai": (ask_openai, TOOLS),
    "anthropic": (ask_anthropic, ANTHROPIC_TOOLS),
    "responses": (ask_responses, RESPONSES_TOOLS),
}
either_client = pytest.mark.parametrize("client", CLIENTS)
streamed_or_whole = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@either_client
@streamed_or_whole
@pytest.mark.parametrize("reply", [Reply("Blue, of course."), Reply("Let me see.", calls=LOOK)], ids=["chat", "tools"])
async def test_a_client_talks_to_the_local_model(world, client, stream, reply):
    ask, tools = CLIENTS[client]
    async with world() as one:
        one.upstream.script = reply
        messages = [{"role": "user", "content": "Which colour has the sky?"}]
        answer = await ask(one, messages, stream=stream, **({"tools": tools} if reply.calls else {}))
        assert answer == (
            reply.text,
            [(name, json.loads(arguments)) for _, name, arguments in reply.calls],
            "tool_calls" if reply.calls else "stop",
        )
        [asked] = one.upstream.chats
        assert asked.body["messages"] == messages
        assert asked.body.get("tools") == (TOOLS if reply.calls else None)
        assert asked.body["model"] == "local-model"
        assert one.sonnet.asked == one.coder.asked == one.records == []


@either_client
@streamed_or_whole
@pytest.mark.parametrize("teacher", ["sonnet", "coder"])
@pytest.mark.parametrize("way", ["phrase", "model", "header"])
async def test_a_teacher_is_consulted(world, client, stream, teacher, way):
    ask, tools = CLIENTS[client]
    answer = f"{teacher}: blue — because of Rayleigh."
    async with world() as one:
        one.teacher(teacher).script = Reply(answer, thought="Let me think.", usage=(1000, 200), model="served-model")
        context = [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Hello."}]
        query, attempt = (
            {"role": "user", "content": "Why is the sky blue?"},
            {"role": "assistant", "content": "It is not."},
        )
        options: dict = {"tools": tools}
        if way == "phrase":
            escalation = f"consult {teacher}, please"
            messages = [*context, query, attempt, {"role": "user", "content": escalation}]
        else:
            messages, escalation = [*context, query, attempt], f"consult {teacher.capitalize()}"
            options |= (
                {"model": f"expert/{teacher}"} if way == "model" else {"extra_headers": {"x-weakspot-consult": teacher}}
            )
        assert await ask(one, messages, stream=stream, **options) == (answer, [], "stop")
        assert one.upstream.chats == []
        record = one.record
        assert [message.model_dump(exclude_unset=True) for message in record.messages] == [
            *context,
            query,
            attempt,
            {"role": "user", "content": escalation},
            {"role": "assistant", "content": answer},
        ]
        assert record.tools == TOOLS
        metadata = record.metadata
        assert (metadata.source, metadata.attempt, metadata.incomplete) == ("gateway", "sent", None)
        consultation = metadata.consultation
        assert consultation.seconds >= 0
        settings = one.config.teachers[teacher]
        assert consultation.model_dump(exclude={"seconds"}) == {
            "teacher": teacher,
            "model": "served-model",
            "policy": "allow",
            "terms": settings.terms,
            "input_tokens": 1000,
            "output_tokens": 200,
            "cost_usd": 0.004 if teacher == "sonnet" else None,
            "stop_reason": "stop",
        }


@either_client
@streamed_or_whole
@pytest.mark.parametrize("teacher", ["sonnet", "coder"])
async def test_tool_calls_of_a_teacher_reach_the_client(world, client, stream, teacher):
    ask, tools = CLIENTS[client]
    async with world() as one:
        calls = (*LOOK, ("call_2", "look", '{"what": "the sea"}'))
        one.teacher(teacher).script = Reply("Let me see.", calls=calls)
        messages = [
            {"role": "user", "content": "Which colour?"},
            {"role": "assistant", "content": "Red."},
            {"role": "user", "content": f"consult {teacher}"},
        ]
        answer = await ask(one, messages, stream=stream, tools=tools)
        assert answer == ("Let me see.", [("look", {"what": "the sky"}), ("look", {"what": "the sea"})], "tool_calls")
        found = one.record.expert.tool_calls
        assert [call.function.arguments for call in found] == [{"what": "the sky"}, {"what": "the sea"}]
        assert one.record.tools == TOOLS


# the other endpoints


async def test_the_models_are_the_server_s_and_the_teachers(world):
    async with world() as one, one.openai() as client, one.anthropic() as other:
        names = [model.id async for model in client.models.list()]
        assert names == ["local-model", "local", "expert/sonnet", "expert/opus", "expert/coder"]
        assert [model.id async for model in other.models.list()] == names


@pytest.mark.parametrize("reply", [Reply(data=b"no", status=500), Reply(data=b"<html>"), Reply(data=b"[]")])
async def test_models_of_a_server_that_we_do_not_understand_are_passed_on(world, reply):
    async with world() as one, aiohttp.ClientSession() as session:
        one.upstream.models, one.upstream.script = (), reply
        async with session.get(f"{one.address}/v1/models") as answer:
            assert answer.status == reply.status
            assert await answer.read() == reply.data


async def test_health_tells_whether_the_local_server_answers(world):
    async with world() as one, aiohttp.ClientSession() as session:
        async with session.get(f"{one.address}/health") as answer:
            found = await answer.json()
        assert found == {"status": "ok", "upstream": "ok", "models": ["local-model"], "live": {}}
        await one.upstream._runner.cleanup()
        async with session.get(f"{one.address}/health") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok", "upstream": "down", "models": []})


async def test_embeddings_and_completions_are_the_server_s(world):
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply(
            data=b'{"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [1.5]}]}'
        )
        found = await client.embeddings.create(model="m", input="q", encoding_format="float")
        assert found.data[0].embedding == [1.5]
        one.upstream.script = Reply(
            data=b'data: {"choices": [{"text": "a", "index": 0}]}\n\ndata: [DONE]\n\n',
            headers={"Content-Type": "text/event-stream"},
        )
        stream = await client.completions.create(model="m", prompt="q", stream=True)
        assert [chunk.choices[0].text async for chunk in stream] == ["a"]
        assert [asked.path for asked in one.upstream.asked] == ["/v1/embeddings", "/v1/completions"]


# the process


def test_the_command_runs_until_it_is_told_to_stop(workspace):
    """What is at work when it is told so is finished, or kept as incomplete."""

    async def scenario() -> None:
        async with Server(Reply("word " * 3000, pieces=3000, seconds_a_piece=0.05)) as teacher:
            workspace.root.mkdir()
            text = settings("http://127.0.0.1:9", teacher.url, teacher.url, "ask_missing_attempt = false")
            workspace.config_file.write_text(text)
            command = [sys.executable, "-m", "weakspot", "gateway", "--json", "--workspace", str(workspace.root)]
            process = await asyncio.create_subprocess_exec(
                *command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PATH": "", "SONNET_KEY": "k1", "CODER_KEY": "k2"},
            )
            try:
                address = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS))["listening"]
                async with aiohttp.ClientSession() as session:
                    body = {"model": "expert/coder", "messages": [{"role": "user", "content": "q"}], "stream": True}
                    async with session.post(f"{address}/v1/chat/completions", json=body) as answer:
                        async for data in answer.content:
                            if b"word" in data:
                                break
                        process.send_signal(signal.SIGTERM)
                        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0
                assert "Traceback" not in (await process.stderr.read()).decode()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    asyncio.run(scenario())
    [line] = append_log.read_lines(workspace.raw)
    assert json.loads(line.data)["metadata"]["incomplete"] is True


async def test_an_address_that_is_taken_is_the_user_s_mistake(workspace, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for listen in (address, "127.0.0.1:99999", "192.0.2.77:80"):
            with pytest.raises(UserError) as error:
                await app.start_server(workspace, load(tmp_path / "none.toml", [f"gateway.listen={listen}"]))
            assert str(error.value).startswith(f"{listen}: ")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
async def test_an_address_may_be_one_of_ipv6(workspace, tmp_path):
    config = load(tmp_path / "none.toml", ['gateway.listen="[::1]:0"', "gateway.upstream=http://127.0.0.1:9"])
    runner, address = await app.start_server(workspace, config)
    async with aiohttp.ClientSession() as session, session.get(f"{address}/health") as answer:
        assert answer.status == 200
    await runner.cleanup()
    assert address.startswith("http://[::1]:")


@pytest.mark.parametrize(
    "path", ["/v1/models/expert/sonnet", "/v1/models/expert%2Fsonnet", "/v1/v1/models/expert/sonnet"]
)
async def test_a_teacher_is_a_model_that_can_be_asked_for(world, path):
    async with world() as one, aiohttp.ClientSession() as session:
        async with session.get(URL(one.address + path, encoded=True)) as got:
            assert (got.status, (await got.json())["id"]) == (200, "expert/sonnet")
        assert one.upstream.asked == []
        one.upstream.script = Reply(data=b"{}")
        async with session.get(f"{one.address}/v1/models/local-model") as got:
            assert got.status == 200
        assert one.upstream.asked[-1].path == "/v1/models/local-model"


@pytest.mark.parametrize("path", ["/models", "//v1/models/", "/v1/v1/models"])
async def test_models_are_listed_at_other_paths(world, path):
    async with (
        world() as one,
        aiohttp.ClientSession() as session,
        session.get(URL(one.address + path, encoded=True)) as got,
    ):
        assert "expert/sonnet" in await got.text()


@pytest.mark.parametrize("teacher", ["sonnet", "coder"])
async def test_what_a_client_asks_of_an_answer_reaches_the_teacher(world, teacher):
    async with world() as one, one.openai() as client:
        await client.chat.completions.create(
            model=f"expert/{teacher}",
            messages=[{"role": "user", "content": "q"}],
            tools=TOOLS,
            tool_choice="required",
            temperature=0.5,
            stop=["END"],
            max_tokens=7,
        )
        asked = one.teacher(teacher).chats[-1].body
        stop = "stop" if teacher == "coder" else "stop_sequences"
        assert asked["tool_choice"] == ("required" if teacher == "coder" else {"type": "any"})
        assert (asked[stop], asked["temperature"], asked["max_tokens"]) == (["END"], 0.5, 7)
