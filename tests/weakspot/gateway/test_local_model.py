"""What the local model is asked through the gateway, and what is noted of it."""

import time

import pytest
from tests.servers import Reply
from tests.weakspot.gateway.worlds import said

from weakspot.deployment.releases import publish
from weakspot.records import AdapterManifest, BaseReference, Release, UsageEvent
from weakspot.storage import append_log, atomic
from weakspot.workspace import AdapterName

pytestmark = pytest.mark.slow

NAMING = [{"role": "user", "content": "Which revision is 123456-EL-SPC-2623_B?"}]
ASK = {"role": "user", "content": "consult the big coder"}


def uses(one) -> list[UsageEvent]:
    return [UsageEvent.from_json(line.data) for line in append_log.read_lines(one.workspace.usage)]


def release(one, adapter: str, **more) -> int:
    values = {"domain": "zddc-naming", "location": f"{one.upstream.url}/v1", "served_name": adapter, **more}
    draft = Release.model_validate({"action": "deploy", "target": "gateway", "adapter": adapter, **values})
    return publish(one.workspace, one.config, draft).number


async def ask(client, model: str, messages: list[dict], *, stream: bool = False) -> None:
    """Ask through either client, to the answer's end."""
    if hasattr(client, "chat"):
        answer = await client.chat.completions.create(model=model, messages=messages, stream=stream, max_tokens=9)
        if stream:
            async for _ in answer:
                pass
    elif stream:
        async with client.messages.stream(model=model, messages=messages, max_tokens=9) as events:
            await events.get_final_message()
    else:
        await client.messages.create(model=model, messages=messages, max_tokens=9)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_a_client_that_asks_the_alias_hears_the_released_adapter(world, protocol, stream):
    started = time.monotonic()
    async with world() as one, one.openai() as ours, one.anthropic() as theirs:
        one.upstream.models = ("base", "zddc-naming-lora-v1")
        number = release(one, "zddc-naming-lora-v1")
        await ask(ours if protocol == "openai" else theirs, "local", NAMING, stream=stream)
        assert one.upstream.chats[-1].body["model"] == "zddc-naming-lora-v1"
    [use] = uses(one)
    assert (use.domain, use.model, use.release, use.consulted) == ("zddc-naming", "zddc-naming-lora-v1", number, False)
    assert 0 <= use.seconds < time.monotonic() - started


async def test_what_is_asked_of_a_model_by_its_own_name_goes_on_as_the_bytes_that_came(world):
    async with world() as one, one.openai() as client:
        release(one, "zddc-naming-lora-v1")
        options = {"temperature": 1.0, "metadata": {"ü": "1"}}
        await client.chat.completions.create(model="local-model", messages=NAMING, **options)
        assert one.upstream.chats[-1].body == {"model": "local-model", "messages": NAMING, **options}


async def test_a_question_is_noted_once_however_many_steps_an_agent_takes(world):
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    steps = [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "1"}]
    async with world() as one, one.openai() as client:
        for messages in (NAMING, [*NAMING, steps[0], {**steps[1], "content": "found"}]):
            await ask(client, "local", messages)
    assert len(uses(one)) == 1


async def test_an_answer_that_failed_is_not_noted(world):
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply("no", status=500)
        with pytest.raises(Exception, match="500"):
            await ask(client, "local", NAMING)
    assert uses(one) == []


async def test_a_consultation_is_noted_with_its_price_and_the_release_that_was_not_enough(world):
    async with world() as one, one.openai() as client:
        one.upstream.models = ("base", "zddc-naming-lora-v1")
        number = release(one, "zddc-naming-lora-v1")
        await ask(client, "local", NAMING)
        await ask(client, "local", [*NAMING, {"role": "assistant", "content": "A"}, ASK])
        await ask(client, "expert/sonnet", [{"role": "user", "content": "How deep is the sea?"}])
    found = uses(one)
    assert sorted((use.model, use.release, use.consulted) for use in found) == [
        ("base", None, False),  # the attempt that the gateway asked for itself
        ("expert/coder", number, True),
        ("expert/sonnet", None, True),
        ("zddc-naming-lora-v1", number, False),
    ]
    assert {use.model: use.cost_usd is not None for use in found if use.consulted} == {
        "expert/coder": False,
        "expert/sonnet": True,
    }


async def test_past_answers_of_experts_are_shown_where_the_settings_ask_for_it(world, capture, interaction):
    one_like_it = "Which revision is 123456-EL-SPC-2623_A?"
    async with world(more="[retrieval]\nenabled = true") as one, one.openai() as ours, one.anthropic() as theirs:
        await ask(ours, "local", NAMING)
        assert said(one.upstream.chats[-1]) == [("user", NAMING[0]["content"])]
        capture(one.workspace, [interaction(one_like_it, "A")])
        for client in (ours, theirs):
            await ask(client, "local", NAMING)
            shown = [("user", one_like_it), ("assistant", "A"), ("user", NAMING[0]["content"])]
            assert said(one.upstream.chats[-1]) == shown
        await ask(ours, "local", [*NAMING, {"role": "assistant", "content": "B"}, ASK])
        assert one.records[-1].query.content == NAMING[0]["content"]
        assert len(one.records[-1].messages) == 4


async def test_an_adapter_is_asked_the_bare_question(world, capture, interaction):
    async with world(more="[retrieval]\nenabled = true") as one, one.openai() as client:
        capture(one.workspace, [interaction("Which revision is 123456-EL-SPC-2623_A?", "A")])
        one.upstream.models = ("base", "zddc-naming-lora-v1")
        release(one, "zddc-naming-lora-v1")
        await ask(client, "local", NAMING)
        assert said(one.upstream.chats[-1]) == [("user", NAMING[0]["content"])]


async def test_a_damaged_decision_shows_no_examples_and_stops_no_question(world, capture, interaction):
    async with world(more="[retrieval]\nenabled = true") as one, one.openai() as client:
        capture(one.workspace, [interaction("Which revision is 123456-EL-SPC-2623_A?", "A")])
        one.workspace.decisions.write_text("nonsense\n")
        await ask(client, "local", NAMING)
        assert said(one.upstream.chats[-1]) == [("user", NAMING[0]["content"])]


async def test_a_use_that_cannot_be_stored_is_counted_and_stops_no_question(world):
    async with world() as one, one.openai() as client:
        one.workspace.usage.mkdir()
        await ask(client, "local", NAMING)
        await ask(client, "local", NAMING)
        await one.counted("weakspot_uses_lost_total", 2)


def trained(one, adapter: str, thinking: str) -> None:
    """Write the manifest of an adapter that was trained in a thinking mode."""
    name = AdapterName.parse(adapter)
    manifest = AdapterManifest(
        **{"name": adapter, "domain": name.domain, "version": 1, "snapshot": "v1", "examples": 1, "domain_examples": 1},
        **{"settings": {}, "seed": 1, "steps": 1, "best_step": 1, "train_loss": 1.0, "val_loss": None, "seconds": 1.0},
        **{"created": "2026-11-28T00:00:00+00:00", "versions": {}, "files": {}, "thinking": thinking},
        base=BaseReference(name="base", location="/base", revision=None, identity="0"),
    )
    atomic.make_folder(one.workspace.adapter(name))
    atomic.write_atomically(one.workspace.adapter_manifest(name), manifest.to_document())


@pytest.mark.parametrize(
    ("mode", "given", "sent"),
    [
        ("off", {}, {"enable_thinking": False, "thinking": False}),
        ("on", {}, {"enable_thinking": True, "thinking": True}),
        ("default", {}, None),
        ("off", {"chat_template_kwargs": {"enable_thinking": True}}, {"enable_thinking": True}),
        ("off", {"chat_template_kwargs": {"tone": 1}}, {"enable_thinking": False, "thinking": False, "tone": 1}),
        ("off", {"reasoning_effort": "high"}, None),
    ],
)
async def test_an_adapter_is_asked_in_the_mode_of_its_training_unless_the_client_says_otherwise(
    world, mode, given, sent
):
    async with world() as one, one.openai() as client:
        one.upstream.models = ("base", "zddc-naming-lora-v1")
        release(one, "zddc-naming-lora-v1")
        trained(one, "zddc-naming-lora-v1", mode)
        await client.chat.completions.create(model="local", messages=NAMING, extra_body=given)
        await client.chat.completions.create(model="base", messages=NAMING)
        first, second = one.upstream.chats
        assert first.body.get("chat_template_kwargs") == sent
        assert "chat_template_kwargs" not in second.body
