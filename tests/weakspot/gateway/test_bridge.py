"""Clients of Anthropic's messages talk to a local model that knows nothing of that protocol."""

import asyncio
import gzip
import json
import zlib

import anthropic
import pytest
from tests.servers import Reply, chunks, completion, endless_server, raw_server, sse
from tests.waiting import PATIENCE_SECONDS
from tests.weakspot.gateway.worlds import ANTHROPIC_TOOLS, TOOLS

pytestmark = pytest.mark.slow

QUESTION = [{"role": "user", "content": "q"}]
OPTIONS = {"model": "claude-sonnet-5-5", "max_tokens": 50}


async def test_the_local_model_is_asked_by_its_own_name(world):
    async with world() as one, one.anthropic() as client:
        one.upstream.models = ("qwen", "qwen-lora")
        for asked, expected in (("claude-x", "qwen"), ("qwen-lora", "qwen-lora"), ("claude-y", "qwen")):
            answer = await client.messages.create(model=asked, max_tokens=5, messages=QUESTION)
            assert answer.model == asked
            assert one.upstream.chats[-1].body["model"] == expected
        # The names are asked for once a minute, and for a server that does not tell them, none is replaced.
        assert [one.path for one in one.upstream.asked].count("/v1/models") == 1


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"data": 5}', b'{"data": []}'])
async def test_a_server_that_does_not_name_its_models_is_asked_for_what_the_client_wants(world, answer):
    def reply(request: bytes) -> list[bytes]:
        body = (
            answer
            if request.startswith(b"GET")
            else b'{"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}'
        )
        asked.append(request)
        return [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)]

    asked: list[bytes] = []
    async with raw_server(reply) as upstream, world(upstream=upstream) as one, one.anthropic() as client:
        assert (await client.messages.create(messages=QUESTION, **OPTIONS)).content[0].text == "a"
    assert b'"model": "claude-sonnet-5-5"' in asked[-1]


async def test_the_whole_request_is_translated(world):
    async with world() as one, one.anthropic() as client:
        await client.messages.create(
            system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
            messages=QUESTION,
            tools=ANTHROPIC_TOOLS,
            tool_choice={"type": "any", "disable_parallel_tool_use": True},
            stop_sequences=["x"],
            extra_body={"temperature": 0.3},
            **OPTIONS,
        )
        assert one.upstream.chats[0].body == {
            "model": "local-model",
            "max_tokens": 50,
            "messages": [{"role": "system", "content": "s"}, *QUESTION],
            "tools": TOOLS,
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "stop": ["x"],
            "temperature": 0.3,
        }


async def test_the_client_s_key_stays_here(world):
    async with world() as one, one.anthropic(api_key="sk-ant-the-client-s-own") as client:
        await client.messages.create(messages=QUESTION, **OPTIONS)
        await client.messages.count_tokens(model="m", messages=QUESTION)
        async with client.messages.stream(messages=QUESTION, **OPTIONS) as events:
            await events.get_final_message()
        for asked in one.upstream.asked:
            assert "the-client-s-own" not in str(asked.headers)


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_of_the_local_model_are_thinking_blocks(world, stream):
    async with world() as one, one.anthropic() as client:
        one.upstream.script = Reply("a", thought="hm hm")
        if stream:
            async with client.messages.stream(messages=QUESTION, **OPTIONS) as events:
                answer = await events.get_final_message()
        else:
            answer = await client.messages.create(messages=QUESTION, **OPTIONS)
        assert [block.type for block in answer.content] == ["thinking", "text"]
        assert answer.content[0].thinking == "hm hm"
        # They come back with the next request, and are no part of it.
        messages = [*QUESTION, {"role": "assistant", "content": answer.content}, *QUESTION]
        await client.messages.create(messages=messages, **OPTIONS)
        assert one.upstream.chats[-1].body["messages"] == [*QUESTION, {"role": "assistant", "content": "a"}, *QUESTION]


@pytest.mark.parametrize("stream", [True, False])
async def test_parallel_calls_are_blocks_of_their_own(world, stream):
    calls = (("1", "look", '{"what": "a"}'), ("2", "look", '{"what": "b"}'), ("3", "look", ""))
    async with world() as one, one.anthropic() as client:
        one.upstream.script = Reply("Let me see.", calls=calls, reason="stop", usage=(5, 6))
        if stream:
            async with client.messages.stream(messages=QUESTION, **OPTIONS) as events:
                answer = await events.get_final_message()
        else:
            answer = await client.messages.create(messages=QUESTION, **OPTIONS)
        found = [(block.id, block.input) for block in answer.content if block.type == "tool_use"]
        assert found == [("1", {"what": "a"}), ("2", {"what": "b"}), ("3", {})]
        assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("tool_use", 5, 6)


@pytest.mark.parametrize(
    "events",
    [
        [sse({"choices": [{"delta": {"content": "half"}}]})],
        [sse({"choices": [{"delta": {"content": "half"}}]}), b"data: [DONE]\n\n"],
        [sse({"choices": [{"delta": {"content": "half"}}]}), sse({"error": {"message": "out of memory"}})],
        [b"data: <html>\n\n"],
        [b"nothing that is an event"],
        [],
    ],
)
@pytest.mark.parametrize("cut", [True, False])
async def test_a_stream_that_does_not_come_to_its_end_is_an_error(world, events, cut):
    def reply(request: bytes) -> list[bytes]:
        if request.startswith(b"GET"):
            return [b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"data": []}']
        chunks = [b"%x\r\n%b\r\n" % (len(one), one) for one in events]
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
        return [head, *chunks, *([] if cut else [b"0\r\n\r\n"])]

    async with raw_server(reply) as upstream, world(upstream=upstream) as one, one.anthropic() as client:
        with pytest.raises(anthropic.APIStatusError, match="the local model's"):
            async with client.messages.stream(messages=QUESTION, **OPTIONS) as answer:
                await answer.get_final_message()
        # Half an answer is no attempt.
        await client.messages.create(**{**OPTIONS, "model": "expert/sonnet"}, messages=QUESTION)
        assert one.record.metadata.attempt == "missing"


async def test_tokens_are_counted_by_the_local_server(world):
    async with world() as one, one.anthropic() as client:
        one.upstream.script = Reply("a", usage=(321, 1))
        counted = await client.messages.count_tokens(model="m", messages=QUESTION, system="s", tools=ANTHROPIC_TOOLS)
        assert counted.input_tokens == 321
        [asked] = one.upstream.chats
        assert asked.body["max_tokens"] == 1
        assert asked.body["tools"] == TOOLS
        one.upstream.script = Reply("a", usage=None)
        with pytest.raises(anthropic.InternalServerError, match="does not count tokens"):
            await client.messages.count_tokens(model="m", messages=QUESTION)


@pytest.mark.parametrize("stream", [True, False])
async def test_what_was_translated_is_remembered_as_an_attempt(world, stream):
    async with world() as one, one.anthropic() as client:
        one.upstream.script = Reply("Local.", calls=(("1", "look", '{"what": 1}'),))
        if stream:
            async with client.messages.stream(messages=QUESTION, **OPTIONS) as events:
                await events.get_final_message()
        else:
            await client.messages.create(messages=QUESTION, **OPTIONS)
        await client.messages.create(**{**OPTIONS, "model": "expert/sonnet"}, messages=QUESTION)
        record = one.record
        assert (record.local.content, record.metadata.attempt) == ("Local.", "remembered")
        assert record.local.tool_calls[0].function.arguments == {"what": 1}


async def test_an_error_in_the_stream_names_no_key(world, monkeypatch):
    monkeypatch.setenv("LOCAL_KEY", "local-3Gh5Kp92")
    body = sse({"error": {"message": "no such key: local-3Gh5Kp92"}})
    async with world('upstream_api_key_env = "LOCAL_KEY"') as one, one.anthropic() as client:
        one.upstream.script = Reply(data=body, headers={"Content-Type": "text/event-stream"})
        with pytest.raises(anthropic.APIStatusError) as error:
            async with client.messages.stream(messages=QUESTION, **OPTIONS) as answer:
                await answer.get_final_message()
        one.upstream.script = Reply(data=json.dumps({"error": {"message": "no such key: local-3Gh5Kp92"}}).encode())
        with pytest.raises(anthropic.APIStatusError) as other:
            await client.messages.create(messages=QUESTION, **OPTIONS)
    for one_ in (error, other):
        assert "no such key: <API_KEY>" in str(one_.value)


async def answered(one, stream: bool) -> str:
    """Ask the local model as a client of messages; return the text of its answer."""
    async with one.anthropic() as client:
        if not stream:
            return "".join(block.text for block in (await client.messages.create(messages=QUESTION, **OPTIONS)).content)
        async with client.messages.stream(messages=QUESTION, **OPTIONS) as events:
            return "".join([text async for text in events.text_stream])


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("sent", ["stream", "whole"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_an_answer_of_another_form_than_asked_for_is_read(world, stream, sent, encoding):
    reply = Reply("A plain answer.")
    data = b"".join(chunks(reply)) if sent == "stream" else json.dumps(completion(reply)).encode()
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}[encoding](data)
    async with world() as one:
        one.upstream.script = Reply(data=packed, headers={"Content-Encoding": encoding, "Content-Type": "text/html"})
        assert await answered(one, stream) == "A plain answer."
        async with one.anthropic() as client:
            assert (await client.messages.count_tokens(model="m", messages=QUESTION)).input_tokens == 12


@pytest.mark.parametrize("stream", [True, False])
async def test_an_encoding_that_cannot_be_read_is_one_line(world, stream):
    async with world() as one:
        one.upstream.script = Reply(data=b"x", headers={"Content-Encoding": "br"})
        with pytest.raises(anthropic.APIStatusError, match="compressed as br, which was not asked for"):
            await answered(one, stream)


@pytest.mark.parametrize("ending", [b"data: [DONE]\n\n", b""])
async def test_a_stream_ends_though_the_server_keeps_the_connection(world, ending):
    events = b"".join(chunks(Reply("A plain answer."))[:-1]) + ending
    async with endless_server(events) as (url, left), world(upstream=url) as one:
        assert await asyncio.wait_for(answered(one, True), PATIENCE_SECONDS) == "A plain answer."
        await asyncio.wait_for(left.wait(), PATIENCE_SECONDS)


PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUhEUgAA"}
SEEN = [
    {"role": "user", "content": "What does it show?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "image", "source": PNG}]},
            {"type": "text", "text": "Well?"},
        ],
    },
]


async def test_a_picture_in_a_tool_s_result_reaches_both_models(world):
    async with world() as one, one.anthropic() as client:
        await client.messages.create(messages=SEEN, tools=ANTHROPIC_TOOLS, **OPTIONS)
        _, _, result, user = one.upstream.chats[-1].body["messages"]
        assert (result["role"], result["content"]) == ("tool", "(see the next message)")
        url = f"data:image/png;base64,{PNG['data']}"
        assert user["content"] == [
            {"type": "text", "text": "Result of the tool call toolu_1:"},
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": "Well?"},
        ]
        await client.messages.create(messages=SEEN, tools=ANTHROPIC_TOOLS, **{**OPTIONS, "model": "expert/sonnet"})
        asked = one.sonnet.chats[-1].body["messages"]
        assert asked[2] == SEEN[2]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [400, 500])
async def test_a_local_model_that_cannot_see_is_told_what_there_was(world, stream, status):
    async with world() as one, one.anthropic() as client:
        one.upstream.script = lambda asked: (
            Reply("image input is not supported", status=status) if b"image_url" in asked.data else Reply("Blind.")
        )
        if stream:
            async with client.messages.stream(messages=SEEN, **OPTIONS) as events:
                answer = await events.get_final_message()
        else:
            answer = await client.messages.create(messages=SEEN, **OPTIONS)
        assert answer.content[0].text == "Blind."
        assert "[image: this model cannot see it]" in str(one.upstream.chats[-1].body)


async def test_what_a_client_writes_for_its_provider_reaches_no_model(world):
    async with world() as one, one.anthropic() as client:
        header = "x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=36ee5;"
        blocks = [{"type": "text", "text": header}, {"type": "text", "text": "You are Claude Code."}]
        for system in (blocks, f"{header}\nYou are Claude Code."):
            for model in ("m", "expert/sonnet"):
                await client.messages.create(messages=QUESTION, system=system, **{**OPTIONS, "model": model})
            assert one.upstream.chats[-1].body["messages"][0]["content"] == "You are Claude Code."
            assert one.sonnet.chats[-1].body["system"] == "You are Claude Code."
        assert all("billing" not in record.to_json() for record in one.records)
