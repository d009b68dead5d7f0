"""Clients of the Responses API talk to a local model that knows nothing of it, and consult from there."""

import json

import aiohttp
import openai
import pydantic
import pytest
from tests.servers import Reply, chunks, sse
from tests.weakspot.gateway.worlds import TOOLS, said

pytestmark = pytest.mark.slow

LOOK = {"type": "function", **TOOLS[0]["function"], "strict": False}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edit files."}
Q = {"role": "user", "content": [{"type": "input_text", "text": "Which is newer, A or B?"}]}
A = {"role": "assistant", "content": [{"type": "output_text", "text": "A."}]}
ASK = {"role": "user", "content": "consult Sonnet"}
PNG = "data:image/png;base64,iVBORw0KGgo="


async def respond(client, stream, **options):
    """Return a response, whole or put together from its stream."""
    options = {"model": "m", "input": "q", **options}
    if not stream:
        return await client.responses.create(**options)
    async with client.responses.stream(**options) as events:
        return await events.get_final_response()


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_of_the_local_model(world, stream):
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply("a and b", thought="hm hm", usage=(5, 6))
        answer = await respond(client, stream, instructions="Be brief.", max_output_tokens=9, model="gpt-5.5-codex")
        assert (answer.output_text, answer.status, answer.model) == ("a and b", "completed", "gpt-5.5-codex")
        assert answer.output[0].summary[0].text == "hm hm"
        assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (5, 6, 11)
        [asked] = one.upstream.chats
        assert (asked.body["model"], asked.body["max_tokens"]) == ("local-model", 9)
        assert said(asked) == [("system", "Be brief."), ("user", "q")]
        assert "client-key-of-openai" not in str(asked.headers)


@pytest.mark.parametrize("stream", [True, False])
async def test_tools_are_called_and_answered(world, stream):
    calls = (("1", "look", '{"what": "a"}'), ("2", "apply_patch", '{"input": "*** Begin"}'), ("3", "look", ""))
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply("Let me see.", calls=calls)
        options = {"tools": [LOOK, PATCH, {"type": "web_search"}], "parallel_tool_calls": True}
        answer = await respond(client, stream, **options)
        found = [
            (item.type, getattr(item, "arguments", None) or getattr(item, "input", None)) for item in answer.output[1:]
        ]
        assert found == [
            ("function_call", '{"what": "a"}'),
            ("custom_tool_call", "*** Begin"),
            ("function_call", "{}"),
        ]
        assert [tool["function"]["name"] for tool in one.upstream.chats[0].body["tools"]] == ["look", "apply_patch"]
        assert [tool.type for tool in answer.tools] == ["function", "custom"]

        one.upstream.script = Reply("B.")
        results = [
            {"type": f"{item.type}_output", "call_id": item.call_id, "output": f"seen {item.call_id}"}
            for item in answer.output[1:]
        ]
        answer = await respond(client, stream, input=results, previous_response_id=answer.id, **options)
        assert answer.output_text == "B."
        told = one.upstream.chats[-1].body["messages"]
        assert [one["role"] for one in told] == ["user", "assistant", "tool", "tool", "tool"]
        assert [one["id"] for one in told[1]["tool_calls"]] == ["1", "2", "3"]
        assert [one["content"] for one in told[2:]] == ["seen 1", "seen 2", "seen 3"]


@pytest.mark.parametrize("remembered", [True, False])
async def test_the_local_model_gets_its_own_thoughts_again_and_a_teacher_does_not(world, remembered):
    # router-for-me/CLIProxyAPI#3710, BerriAI/litellm#36355: a model forgot what it had worked out one call earlier.
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply("", thought="The word is ochre.", calls=(("1", "look", "{}"),))
        first = await respond(client, stream=True, tools=[LOOK])
        result = {"type": "function_call_output", "call_id": "1", "output": "a.py"}
        whole = [{"role": "user", "content": "q"}, *(item.model_dump() for item in first.output), result]
        one.upstream.script = Reply("Ochre it is.")
        if remembered:
            await respond(client, stream=False, input=[result], previous_response_id=first.id, tools=[LOOK])
        else:
            await respond(client, stream=False, input=whole, tools=[LOOK])
        told = one.upstream.chats[-1].body["messages"]
        assert [message.get("reasoning_content") for message in told] == [None, "The word is ochre.", None]

        await respond(client, stream=False, input=[*whole, A, ASK])
        [asked] = one.sonnet.chats
        assert "a.py" in str(asked.body)
        assert "ochre" not in str(asked.body)


class Revision(pydantic.BaseModel):
    letter: str


async def test_structured_answers_are_parsed(world):
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply('<think>hm</think>{"letter": "B"}')
        answer = await client.responses.parse(model="m", input="q", text_format=Revision)
        assert answer.output_parsed == Revision(letter="B")
        asked = one.upstream.chats[0].body["response_format"]["json_schema"]
        assert (asked["name"], asked["strict"], asked["schema"]["required"]) == ("Revision", True, ["letter"])
        async with client.responses.stream(model="m", input="q", text_format=Revision) as events:
            assert (await events.get_final_response()).output_parsed == Revision(letter="B")


async def test_tokens_are_counted_by_the_local_server(world):
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply("a", usage=(42, 1))
        counted = await client.responses.input_tokens.count(model="m", input="q", instructions="i", tools=[LOOK])
        assert counted.input_tokens == 42
        [asked] = one.upstream.chats
        assert (asked.body["max_tokens"], len(asked.body["messages"]), len(asked.body["tools"])) == (1, 2, 1)


async def test_pictures_of_the_user_and_of_a_tool_reach_the_local_model(world):
    async with world() as one, one.openai() as client:
        shown = [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": PNG, "detail": "auto"}]
        await client.responses.create(
            model="m",
            input=[
                {"role": "user", "content": shown},
                {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "1", "output": shown[1:]},
            ],
        )
        told = one.upstream.chats[0].body["messages"]
        assert [json.dumps(message).count(PNG) for message in told] == [1, 0, 0, 1]


# what is remembered


@pytest.mark.parametrize("stream", [True, False])
async def test_the_next_request_follows_the_one_that_it_names(world, stream):
    async with world() as one, one.openai() as client:
        first = await respond(client, stream, input="My name is Ada.", instructions="Be brief.")
        one.upstream.script = Reply("Ada.")
        second = await respond(client, stream, input="What is my name?", previous_response_id=first.id)
        third = await respond(client, stream, input="Sure?", previous_response_id=second.id)
        assert said(one.upstream.chats[-1]) == [
            ("user", "My name is Ada."),
            ("assistant", "No idea."),
            ("user", "What is my name?"),
            ("assistant", "Ada."),
            ("user", "Sure?"),
        ]
        assert third.previous_response_id == second.id
        assert (await client.responses.retrieve(second.id)).output_text == "Ada."
        listed = await client.responses.input_items.list(second.id, order="asc")
        assert listed.data[0].content == "My name is Ada."
        await client.responses.delete(second.id)
        for gone in (
            client.responses.retrieve(second.id),
            client.responses.delete(second.id),
            client.responses.input_items.list(second.id),
        ):
            with pytest.raises(openai.NotFoundError, match="Response with id"):
                await gone


async def test_the_text_before_a_lone_closing_mark_of_thoughts_is_not_remembered_as_an_answer(world):
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply("hm hm\n</think>\n\nB.", pieces=9)
        answer = await respond(client, stream=True)
        assert answer.output_text == "B."
        await respond(client, stream=True, previous_response_id=answer.id)
        assert said(one.upstream.chats[-1])[1] == ("assistant", "B.")


async def test_items_are_sent_back_by_their_names_alone(world):
    async with world() as one, one.openai() as client:
        answer = await client.responses.create(model="m", input="q")
        await client.responses.create(
            model="m",
            input=[{"role": "user", "content": "q"}, {"type": "item_reference", "id": answer.output[0].id}, ASK],
        )
        assert (one.record.query.content, one.record.local.content) == ("q", "No idea.")
        with pytest.raises(openai.NotFoundError, match="Item with id 'msg_0' not found"):
            await client.responses.create(model="m", input=[{"type": "item_reference", "id": "msg_0"}])


async def test_what_may_not_be_stored_is_not_remembered(world):
    async with world() as one, one.openai() as client:
        answer = await client.responses.create(model="m", input="q", store=False)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(answer.id)
        with pytest.raises(openai.BadRequestError, match="Previous response with id") as error:
            await client.responses.create(model="m", input="q", previous_response_id=answer.id)
        assert (error.value.code, error.value.param) == ("previous_response_not_found", "previous_response_id")


# consultations


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "how",
    [
        {"input": [Q, A, ASK]},
        {"input": [Q, A], "model": "expert/sonnet"},
        {"input": [Q, A], "extra_headers": {"x-weakspot-consult": "sonnet"}},
    ],
    ids=["phrase", "model", "header"],
)
async def test_a_consultation(world, how, stream):
    async with world() as one, one.openai() as client:
        one.sonnet.script = Reply("B is newer.", thought="hm")
        answer = await respond(client, stream, tools=[LOOK, PATCH], **how)
        assert answer.output_text == "B is newer."
        record = one.record
        assert record.query.content == "Which is newer, A or B?"
        assert (record.local.content, record.expert.content) == ("A.", "B is newer.")
        assert record.metadata.attempt == "sent"
        assert [tool["function"]["name"] for tool in record.metadata.tools] == ["look", "apply_patch"]


async def test_a_consultation_of_a_remembered_conversation_and_of_a_remembered_attempt(world):
    async with world() as one, one.openai() as client:
        first = await client.responses.create(model="m", input="Which is newer?")
        answer = await client.responses.create(model="m", input="consult Sonnet", previous_response_id=first.id)
        assert answer.output_text == "Sonnet's answer."
        await client.responses.create(model="expert/sonnet", input="Which is newer?")
        assert [(record.query.content, record.local.content) for record in one.records] == [
            ("Which is newer?", "No idea.")
        ] * 2
        assert [record.metadata.attempt for record in one.records] == ["sent", "remembered"]
        again = await client.responses.create(model="m", input="Thanks.", previous_response_id=answer.id)
        assert again.output_text == "No idea."
        assert [words for _, words in said(one.upstream.chats[-1])][-2:] == ["Sonnet's answer.", "Thanks."]


async def test_an_expert_calls_the_client_s_tools(world):
    async with world() as one, one.openai() as client:
        one.sonnet.script = Reply("", calls=(("t1", "apply_patch", '{"input": "*** Begin"}'),))
        first = await client.responses.create(model="m", input=[Q, A, ASK], tools=[PATCH])
        assert (first.output[0].type, first.output[0].input) == ("custom_tool_call", "*** Begin")
        one.sonnet.script = Reply("Done.")
        result = {"type": "custom_tool_call_output", "call_id": "t1", "output": "patched"}
        answer = await client.responses.create(model="m", input=[result], previous_response_id=first.id, tools=[PATCH])
        assert answer.output_text == "Done."
        assert [message.role for message in one.records[-1].messages] == [
            *("user", "assistant", "user", "assistant", "tool", "assistant")
        ]


# what goes wrong


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"model": "m"}, "input is missing"),
        ({"model": "m", "input": [{"role": "user", "content": [{}]}]}, "input[0]: a part of the content has no type"),
        ({"model": "m", "input": "q", "background": True}, "background is not supported"),
        ({"model": "m", "input": "q", "conversation": "conv_1"}, "conversation is not supported"),
        ([], "the body is not a JSON object"),
        ({"model": "expert/nobody", "input": "q"}, "there is no teacher nobody"),
        ({"model": "expert/sonnet", "input": []}, "there is no question"),
        ({"input": "q", "previous_response_id": 7}, "Previous response with id '7' not found."),
    ],
)
async def test_a_wrong_request_is_refused_in_one_line(world, body, told):
    async with world() as one, aiohttp.ClientSession(one.address) as session:
        async with session.post("/v1/responses", json=body) as answer:
            error = (await answer.json())["error"]
            assert answer.status in (400, 404)
            assert told in error["message"]
            assert {*error} == {"message", "type", "param", "code"}
        assert one.upstream.chats == []


async def test_an_error_of_the_local_server_is_the_client_s(world):
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply("too long", status=400)
        for stream in (True, False):
            with pytest.raises(openai.BadRequestError, match="the local model's server: too long"):
                await respond(client, stream)


@pytest.mark.parametrize("cut", [b"", sse({"error": {"message": "out of memory"}})])
async def test_an_answer_that_breaks_off_has_failed(world, cut):
    async with world() as one, one.openai() as client:
        data = b"".join(chunks(Reply("half of it"))[:-3]) + cut
        one.upstream.script = Reply(data=data, headers={"Content-Type": "text/event-stream"})
        with pytest.raises(openai.APIError, match="out of memory" if cut else "broke off"):
            async for _ in await client.responses.create(model="m", input="q", stream=True):
                pass


async def test_a_teacher_that_breaks_off_has_failed_too(world):
    async with world() as one, one.openai() as client:
        one.sonnet.script = Reply("half of it", break_after=6)
        events = await client.responses.create(model="m", input=[Q, A, ASK], stream=True)
        with pytest.raises(openai.APIError):
            [event async for event in events]
        [record] = one.records
        assert record.metadata.incomplete
