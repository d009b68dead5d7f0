"""Consultations as agents and people hold them: tools, second opinions, missing attempts, limits, and what is kept."""

import asyncio
import json

import aiohttp
import anthropic
import openai
import pytest
from tests.servers import NEVER_SECONDS, Reply, raw_server, sse
from tests.waiting import PATIENCE_SECONDS
from tests.weakspot.gateway.worlds import ANTHROPIC_TOOLS, TOOLS, said

from weakspot.dataset.reading import load_local_thoughts
from weakspot.gateway import consult
from weakspot.pipeline.process import process
from weakspot.pipeline.status import status
from weakspot.storage import append_log
from weakspot.storage.ledger import Ledger, Limits

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
Q, A = {"role": "user", "content": "Which files are here?"}, {"role": "assistant", "content": "I do not know."}
ASK = {"role": "user", "content": "consult the big coder"}
REMINDER = "<system-reminder>Keep your todo list.</system-reminder>"


async def test_an_agent_runs_the_tools_that_the_teacher_calls(world):
    async with world() as one, one.openai() as client:
        one.coder.script = lambda asked: (
            Reply("Two files: a and b.")
            if asked.body["messages"][-1]["role"] == "tool"
            else Reply("Let me look.", calls=(("c1", "look", '{"what": "."}'), ("c2", "look", '{"what": ".."}')))
        )
        messages = [Q, A, ASK]
        async with client.chat.completions.stream(model="m", messages=messages, tools=TOOLS) as events:
            answer = (await events.get_final_completion()).choices[0]
        assert answer.finish_reason == "tool_calls"
        calls = [
            {"id": c.id, "type": "function", "function": c.function.model_dump(include={"name", "arguments"})}
            for c in answer.message.tool_calls
        ]
        messages.append({"role": "assistant", "content": answer.message.content, "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": one["id"], "content": f"a b of {one['id']}"} for one in calls]
        answer = (await client.chat.completions.create(model="m", messages=messages, tools=TOOLS)).choices[0]
        assert answer.message.content == "Two files: a and b."
        first, second = one.records
        assert [m.role for m in first.messages] == ["user", "assistant", "user", "assistant"]
        assert [c.function.arguments for c in first.expert.tool_calls] == [{"what": "."}, {"what": ".."}]
        assert [m.role for m in second.messages] == [
            "user",
            "assistant",
            "user",
            "assistant",
            "tool",
            "tool",
            "assistant",
        ]
        assert second.tools == TOOLS
        assert [m.content for m in second.prompt] == [Q["content"], "Let me look.", "a b of c1", "a b of c2"]
        # Each line is a sound example for process, and the last message the only one that is learned.
        assert process(one.workspace, one.config).examples == 2


async def test_an_agent_of_anthropic_s_protocol_runs_the_tools_that_the_teacher_calls(world):
    async with world() as one, one.anthropic() as client:
        one.sonnet.script = lambda asked: (
            Reply("Two files.", thought="Aha.")
            if "tool_result" in json.dumps(asked.body["messages"][-1])
            else Reply("", thought="Hm.", calls=(("toolu_1", "look", '{"what": "."}'),))
        )
        messages = [
            Q,
            A,
            {
                "role": "user",
                "content": [{"type": "text", "text": REMINDER}, {"type": "text", "text": "consult sonnet"}],
            },
        ]
        options = {"model": "claude", "max_tokens": 100, "tools": ANTHROPIC_TOOLS}
        async with client.messages.stream(messages=messages, **options) as events:
            answer = await events.get_final_message()
        assert answer.stop_reason == "tool_use"
        messages.append({"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in answer.content]})
        use = next(block for block in answer.content if block.type == "tool_use")
        result = {"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "a b"}]}
        messages.append({"role": "user", "content": [result, {"type": "text", "text": REMINDER}]})
        answer = await client.messages.create(messages=messages, **options)
        assert [block.text for block in answer.content if block.type == "text"] == ["Two files."]
        _, second = one.records
        assert [m.role for m in second.messages] == ["user", "assistant", "user", "assistant", "tool", "assistant"]
        assert second.escalation.content == "consult sonnet"
        assert second.messages[3].tool_calls[0].function.arguments == {"what": "."}
        assert "Hm." not in second.to_json()
        [*_, asked] = one.sonnet.chats
        roles = [(one["role"], [block["type"] for block in one["content"]]) for one in asked.body["messages"]]
        assert roles == [
            ("user", ["text"]),
            ("assistant", ["text"]),
            ("user", ["text"]),
            ("assistant", ["tool_use"]),
            ("user", ["tool_result"]),
        ]


@pytest.mark.parametrize("teacher", ["sonnet", "coder"])
@pytest.mark.parametrize("arguments", ['{"what": "."}', '{"what": ', ""], ids=["whole", "cut", "none"])
async def test_the_user_may_break_in_after_a_tool_call(world, teacher, arguments):
    call = {"id": "functions.look:0", "type": "function", "function": {"name": "look", "arguments": arguments}}
    messages = [Q, {"role": "assistant", "content": None, "tool_calls": [call]}]
    async with world() as one, one.openai() as client:
        for notice in ([], [{"role": "user", "content": "[Request interrupted by user for tool use]"}]):
            asking = [*messages, *notice, {"role": "user", "content": f"consult {teacher}"}]
            answer = await client.chat.completions.create(model="m", messages=asking, tools=TOOLS)
            assert answer.choices[0].message.content.endswith("answer.")
        assert "the user broke in" in one.teacher(teacher).chats[0].data.decode()
        for record in one.records:
            assert [m.role for m in record.messages] == ["user", "assistant", "user", "assistant"]
            shown = {"whole": {"what": "."}, "cut": {"unreadable": arguments}, "none": {}}
            assert record.local.tool_calls[0].function.arguments in shown.values()


async def test_a_second_teacher_is_asked_the_same_question(world):
    async with world() as one, one.openai() as client:
        messages = [Q, A]
        for words in ("consult sonnet", "ask the big coder", "do not consult sonnet again"):
            messages.append({"role": "user", "content": words})
            answer = (await client.chat.completions.create(model="m", messages=messages)).choices[0].message.content
            messages.append({"role": "assistant", "content": answer})
        assert [record.metadata.consultation.teacher for record in one.records] == ["sonnet", "coder"]
        for record in one.records:
            assert [m.content for m in record.messages[:2]] == [Q["content"], A["content"]]
            assert len(record.messages) == 4
        assert "Sonnet's answer." not in one.coder.chats[0].data.decode()
        # What is no trigger phrase is for the local model, which sees everything.
        assert [text for _, text in said(one.upstream.chats[0])][-1] == "do not consult sonnet again"


@pytest.mark.parametrize("words", ["consult sonnet", f"{REMINDER}\n\nConsult Sonnet, please."])
async def test_a_trigger_phrase_without_a_question_is_a_message(world, words):
    async with world() as one, one.openai() as client:
        answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": words}])
        assert answer.choices[0].message.content == "No idea."
        assert (one.records, one.sonnet.asked) == ([], [])


async def test_the_teacher_sees_what_it_needs(world):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]},
        {"role": "assistant", "content": "A cat.", "reasoning_content": "hm", "refusal": None},
        {"role": "user", "content": "consult {}: look at the ears"},
    ]
    async with world() as one, one.openai() as client:
        for teacher in ("sonnet", "coder"):
            asked = [*messages[:-1], {"role": "user", "content": messages[-1]["content"].format(teacher)}]
            await client.chat.completions.create(model="m", messages=asked, max_tokens=77)
        [sonnet], [coder] = one.sonnet.chats, one.coder.chats
        assert sonnet.body["system"] == "Be brief."
        blocks = sonnet.body["messages"][0]["content"]
        assert blocks[1] == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
        assert (sonnet.body["model"], sonnet.body["max_tokens"]) == ("claude-sonnet-5-5", 77)
        assert coder.body["messages"][:3] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]},
            {"role": "assistant", "content": "A cat."},
        ]
        for asked in (sonnet, coder):
            assert "as if that attempt had not been made" in asked.data.decode()
            assert "look at the ears" in json.dumps(asked.body["messages"][-1])
        assert one.records[0].query.content == "What is this?\n[image_url]"
        assert [m.role for m in one.records[0].context] == ["system"]


# attempts that the client left out


async def test_an_attempt_that_was_passed_on_is_remembered(world):
    async with world() as one, one.openai() as client, one.anthropic() as other:
        one.upstream.script = Reply("From memory.")
        for number, stream in ((1, True), (2, False)):
            messages = [{"role": "user", "content": f"question {number}"}]
            answer = await client.chat.completions.create(model="m", messages=messages, stream=stream)
            if stream:
                assert [chunk async for chunk in answer]
            await client.chat.completions.create(model="expert/coder", messages=messages)
            await other.messages.create(model="expert/sonnet", max_tokens=10, messages=messages)
        assert [(r.local.content, r.metadata.attempt) for r in one.records] == [("From memory.", "remembered")] * 4
        assert len(one.upstream.chats) == 2


async def test_an_attempt_with_tools_is_remembered_with_their_results(world):
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    steps = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "r"},
    ]
    async with world() as one, one.openai() as client:
        await client.chat.completions.create(model="m", messages=[Q, *steps])
        await client.chat.completions.create(model="expert/coder", messages=[Q])
        assert [m.role for m in one.record.attempt] == ["assistant", "tool", "assistant"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_missing_attempt_is_asked_for_while_the_teacher_answers(world, stream):
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply("A late idea.", seconds_before_headers=0.3)
        messages = [{"role": "system", "content": "s"}, Q]
        answer = await client.chat.completions.create(
            model="expert/coder", messages=messages, tools=TOOLS, stream=stream, temperature=0.5
        )
        if stream:
            assert [chunk async for chunk in answer]
        assert (one.record.local.content, one.record.metadata.attempt) == ("A late idea.", "asked")
        [asked] = one.upstream.chats
        assert asked.body == {"model": "local-model", "messages": messages, "tools": TOOLS, "temperature": 0.5}


async def test_an_attempt_that_does_not_come_is_done_without(world, monkeypatch):
    monkeypatch.setattr(consult, "ATTEMPT_SECONDS", 0.2)
    async with world() as one, one.openai() as client:
        one.upstream.script = Reply("never", seconds_before_headers=NEVER_SECONDS)
        one.coder.script = Reply("Coder's answer.", held=(asked := asyncio.Event()))
        answering = asyncio.create_task(client.chat.completions.create(model="expert/coder", messages=[Q]))
        await one.upstream.next_asked()
        asked.set()
        await answering
        assert (one.record.local.content, one.record.metadata.attempt) == ("", "missing")
        assert await asyncio.wait_for(one.upstream.chats[0].aborted, PATIENCE_SECONDS)


@pytest.mark.parametrize("reply", [Reply(status=500), Reply(data=b"<html>"), Reply(""), Reply(data=b"{}")])
async def test_a_local_server_that_fails_holds_up_no_teacher(world, reply):
    async with world() as one, one.openai() as client:
        one.upstream.script = reply
        await client.chat.completions.create(model="expert/coder", messages=[Q])
        assert one.record.metadata.attempt == "missing"


async def test_nobody_is_asked_for_an_attempt_where_the_settings_say_so(world):
    async with world("ask_missing_attempt = false") as one, one.openai() as client:
        await client.chat.completions.create(model="expert/coder", messages=[Q])
        assert (one.record.metadata.attempt, one.upstream.asked) == ("missing", [])


# what is kept


async def test_the_record_is_on_the_disk_before_the_client_sees_the_end(world):
    async with world() as one, aiohttp.ClientSession() as session:
        for path, teacher, end in (
            (CHAT, "coder", b'finish_reason": "stop'),
            ("/v1/messages", "sonnet", b"message_delta"),
        ):
            body = {
                "model": "m",
                "max_tokens": 9,
                "messages": [Q, A, {"role": "user", "content": f"consult {teacher}"}],
                "stream": True,
            }
            before = len(one.records)
            async with session.post(one.address + path, json=body) as answer:
                heard = b""
                async for data in answer.content.iter_any():
                    heard += data
                    if end in heard:
                        assert len(one.records) == before + 1
            assert end in heard


@pytest.mark.parametrize("reply", [Reply("half", reason="length"), Reply("No.", reason="content_filter")])
async def test_an_answer_that_was_cut_is_kept_as_such(world, reply):
    async with world() as one, one.openai() as client:
        one.coder.script = reply
        answer = await client.chat.completions.create(model="m", messages=[Q, A, ASK])
        assert answer.choices[0].finish_reason == reply.reason
        assert [record.metadata.incomplete for record in one.records] == [True]
        assert await one.metric('weakspot_consultations_total{outcome="cut",teacher="coder"}') == 1


async def test_an_empty_answer_is_kept_apart_and_counted(world):
    async with world() as one, one.openai() as client:
        one.coder.script = Reply("")
        await client.chat.completions.create(model="m", messages=[Q, A, ASK])
        assert one.records == []
        assert await one.metric('weakspot_unfitted_total{reason="empty-expert"}') == 1


async def test_two_hundred_at_once_are_two_hundred_records(world):
    async with world() as one, one.openai() as client:
        one.coder.script = lambda asked: Reply(f"answer to {asked.body['messages'][0]['content']}")

        async def ask(number: int) -> None:
            messages = [{"role": "user", "content": f"question {number}"}, A, ASK]
            await client.chat.completions.create(model="m", messages=messages)

        await asyncio.gather(*(ask(number) for number in range(200)))
        assert {r.query.content: r.expert.content for r in one.records} == {
            f"question {n}": f"answer to question {n}" for n in range(200)
        }
        assert len({record.id for record in one.records}) == 200


async def test_tokens_dollars_and_seconds_are_counted_also_where_nothing_can_be_stored(world):
    async with world() as one, one.openai() as client:
        one.sonnet.script = Reply("a", usage=(1_000_000, 100_000))
        await client.chat.completions.create(model="m", messages=[Q, A, {"role": "user", "content": "consult sonnet"}])
        assert await one.metric('weakspot_teacher_tokens_total{direction="input",teacher="sonnet"}') == 1_000_000
        assert await one.metric('weakspot_teacher_cost_usd_total{teacher="sonnet"}') == 3
        assert await one.metric('weakspot_teacher_seconds_count{teacher="sonnet"}') == 1
        assert await one.metric("weakspot_captured_total") == 1


async def test_usage_is_streamed_to_a_client_that_asked_for_it(world):
    async with world() as one, one.openai() as client:
        for options, expected in (({}, [None]), ({"stream_options": {"include_usage": True}}, [None, 12])):
            answer = await client.chat.completions.create(model="m", messages=[Q, A, ASK], stream=True, **options)
            found = {chunk.usage and chunk.usage.prompt_tokens async for chunk in answer}
            assert found == set(expected)


async def test_n_stop_and_the_like_do_not_hurt(world):
    async with world() as one, one.openai() as client:
        answer = await client.chat.completions.create(
            model="m",
            messages=[Q, A, ASK],
            n=3,
            stop=["x"],
            tools=[],
            logprobs=True,
            seed=1,
            user="u",
            tool_choice="none",
        )
        assert len(answer.choices) == 1
        assert one.record.tools is None


async def test_a_teacher_that_breaks_its_protocol_is_an_error(world):
    def answer(request: bytes) -> list[bytes]:
        body = sse({"choices": [{"delta": {"content": "a"}}]}) + b"data: <html>\n\n"
        return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body]

    async with raw_server(answer) as teacher, world() as one:
        one.config.teachers["coder"].__dict__["base_url"] = teacher
        async with one.openai() as client:
            with pytest.raises(openai.InternalServerError, match="an event that is not in the protocol"):
                await client.chat.completions.create(model="m", messages=[Q, A, ASK])
            answer_ = await client.chat.completions.create(model="m", messages=[Q, A, ASK], stream=True)
            with pytest.raises(openai.APIError, match="an event that is not in the protocol"):
                [chunk async for chunk in answer_]
        assert [record.metadata.incomplete for record in one.records] == [True, True]
        assert len(list(append_log.read_lines(one.workspace.raw))) == 2


async def test_over_a_limit_a_client_of_either_protocol_gets_its_own_429_and_nobody_is_asked(world):
    async with world() as one, one.openai() as openai_client, one.anthropic() as anthropic_client:
        # As many of another process of the same workspace, which the gateway did not see.
        ledger = Ledger(one.workspace.spending)
        for _ in range(one.config.teachers["sonnet"].consultations_per_hour):
            ledger.reserve("sonnet", 0, Limits())
        for stream in (False, True):
            with pytest.raises(openai.RateLimitError, match="not asked, 60 of 60 consultations in the last") as error:
                await openai_client.chat.completions.create(model="expert/sonnet", messages=[Q, A], stream=stream)
            assert 3500 < int(error.value.response.headers["Retry-After"]) <= 3600
            with pytest.raises(anthropic.RateLimitError, match="not asked, 60 of 60 consultations") as refused:
                await anthropic_client.messages.create(
                    model="expert/sonnet", messages=[Q, A], max_tokens=9, stream=stream
                )
            assert 3500 < int(refused.value.response.headers["Retry-After"]) <= 3600
            assert refused.value.body["error"]["type"] == "rate_limit_error"
        assert one.sonnet.chats == []
        # Another teacher, without a price, goes on.
        answer = await openai_client.chat.completions.create(model="expert/coder", messages=[Q, A])
        assert answer.choices[0].message.content == "Coder's answer."


async def test_at_most_what_is_in_flight_exceeds_a_budget(world):
    """Each of fifty costs 30 cents and is reserved at about as much, of 5 dollars."""
    async with world() as one, one.openai() as client:
        one.sonnet.script = Reply("Dear.", usage=(100_000, 10_000))

        async def consult_once(number):
            question = {"role": "user", "content": f"Question {number}"}
            try:
                await client.chat.completions.create(model="expert/sonnet", messages=[question, A], max_tokens=30_000)
            except openai.RateLimitError:
                return 0
            return 1

        answered = sum(await asyncio.gather(*map(consult_once, range(50))))
        spent = Ledger(one.workspace.spending).balance("sonnet")
        assert len(one.sonnet.chats) == answered == spent.count
        assert spent.usd == pytest.approx(0.3 * answered)
        assert 17 <= answered <= 32
        (left,) = [budget for budget in status(one.workspace, one.config).budgets if budget.teacher == "sonnet"]
        assert (left.usd_last_24_hours, left.consultations_last_hour) == (pytest.approx(spent.usd), answered)


async def test_the_record_says_what_the_client_asked_of_thinking_and_the_attempt_s_thoughts_are_kept_apart(world):
    async with world() as one, one.openai() as client:
        attempt = {**A, "reasoning_content": "Files, hm."}
        asked = {"chat_template_kwargs": {"enable_thinking": True}}
        await client.chat.completions.create(model="m", messages=[Q, attempt, ASK], extra_body=asked)
        assert one.record.metadata.thinking == "on"
        assert load_local_thoughts(one.workspace) == {one.record.id: "Files, hm."}
        assert "Files, hm." not in one.record.to_json()
        assert "Files, hm." not in json.dumps(one.coder.chats[-1].body)
