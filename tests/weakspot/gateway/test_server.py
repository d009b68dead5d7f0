"""The gateway as real clients of both protocols see it, with the local model and with both kinds of teacher."""

import json

import pytest
from tests.servers import Reply
from tests.weakspot.gateway.worlds import ANTHROPIC_TOOLS, TOOLS, World

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


CLIENTS = {"openai": (ask_openai, TOOLS), "anthropic": (ask_anthropic, ANTHROPIC_TOOLS)}
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
