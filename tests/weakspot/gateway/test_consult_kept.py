"""What was paid for is kept whatever the order of its turns, and a client learns what became of its record."""

import json

import aiohttp
import pytest
from tests.servers import Reply
from tests.waiting import happens
from tests.weakspot.gateway.worlds import ANTHROPIC_TOOLS, TOOLS

from weakspot.capture.unfitted import read_unfitted
from weakspot.pipeline.status import status
from weakspot.storage import append_log

pytestmark = pytest.mark.slow

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
Q, A = {"role": "user", "content": "Which revision is newer?"}, {"role": "assistant", "content": "A."}
ASK, LATE = {"role": "user", "content": "consult the big coder"}, {"role": "system", "content": "It is noon."}
NARRATOR = {"role": "narrator", "content": "It was night."}
RESULT = {"role": "user", "content": "[read_file for 'a.md'] Result:\nB comes after A."}


async def post(one, messages, path=CHAT, headers=None, **more):
    body = {"model": "m", "max_tokens": 50, "messages": messages, **more}
    async with (
        aiohttp.ClientSession() as session,
        session.post(one.address + path, json=body, headers=headers) as answer,
    ):
        return answer.status, answer.headers, await answer.text()


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize(
    "messages",
    [
        [Q, LATE, A, ASK],
        [Q, A, ASK, LATE],
        [Q, A, LATE, ASK],
        [A, Q, A, ASK],
        [{"role": "user", "content": "Here are two."}, Q, A, ASK],
        [Q, A, A, ASK],
        [Q, {**A, "content": "<think>hm</think>"}, ASK],
        [Q, {**A, "content": "<read_file/>"}, RESULT, A, ASK],
        [Q, A, ASK, {**A, "content": "<read_file/>"}, RESULT],
    ],
    ids=range(9),
)
async def test_any_order_is_one_interaction(world, messages, path):
    async with world() as one:
        one.coder.script = Reply("B is newer.")
        code, headers, _ = await post(one, messages, path)
        assert code == 200
        record = one.record
        assert headers["x-weakspot-capture"] == f"stored; id={record.id}"
        assert record.query.content == Q["content"]
        assert record.expert.content == "B is newer."
        assert record.domain == "zddc-naming"


async def test_tool_results_as_text_reach_the_teacher_and_are_results_in_the_record(world):
    async with world() as one:
        one.coder.script = Reply("B is newer.")
        await post(one, [Q, A, ASK, {**A, "content": "<read_file/>"}, RESULT])
        assert "B comes after A." in json.dumps(one.coder.chats[-1].body["messages"][-1])
        assert [message.role for message in one.record.messages][-3:] == ["assistant", "tool", "assistant"]


async def test_a_strict_server_gets_one_system_message_and_turns_in_alternation(world):
    async with world() as one:
        await post(one, [{"role": "system", "content": "s"}, LATE, Q, LATE, Q, A, A, Q])
        roles = [message["role"] for message in one.upstream.chats[-1].body["messages"]]
        assert roles == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_misfit_is_told_once_and_goes_nowhere(world, path, stream):
    async with world() as one:
        one.coder.script = Reply("B is newer.")
        _, headers, first = await post(one, [Q, NARRATOR, A, ASK], path, stream=stream)
        assert headers["x-weakspot-capture"] == "unfitted; reason=bad-schema"
        assert "weakspot validate" in first
        [kept] = read_unfitted(one.workspace)
        assert (one.records, kept.answer["content"]) == ([], "B is newer.")
        told = "B is newer.\n\n[weakspot: stored, but not fit to train on (bad-schema); see 'weakspot validate']"
        again = [Q, NARRATOR, A, ASK, {"role": "assistant", "content": told}, {"role": "user", "content": "Sure?"}]
        await post(one, again, path)
        assert "[weakspot: " not in json.dumps(one.upstream.chats[-1].body)
        _, _, second = await post(one, [*again, A, ASK], path, stream=stream)
        assert "weakspot validate" not in second
        assert "[weakspot: " not in json.dumps(one.coder.chats[-1].body)
        assert len(read_unfitted(one.workspace)) == 2
        assert await one.metric('weakspot_unfitted_total{reason="bad-schema"}') == 2


async def test_the_notice_can_be_switched_off(world):
    async with world("notices=false") as one:
        _, headers, answer = await post(one, [Q, NARRATOR, A, ASK])
        assert headers["x-weakspot-capture"].startswith("unfitted")
        assert "weakspot validate" not in answer


async def test_a_wish_that_is_not_heard_is_counted_by_client(world):
    async with world() as one:
        words = "the big coder, perhaps"
        code, _, _ = await post(one, [Q, A, {"role": "user", "content": words}], headers={"User-Agent": "Aider/0.99"})
        assert code == 200
        await one.counted('weakspot_unheard_wishes_total{client="Aider"}', 1)
        await post(one, [Q, A, {"role": "user", "content": "Thanks, now sort the list."}])
        await one.counted("weakspot_unheard_wishes_total", 1)

        def stored() -> list[append_log.Line]:
            return list(append_log.read_lines(one.workspace.unheard)) if one.workspace.unheard.exists() else []

        await happens(stored)  # written behind the answer
        assert json.loads(stored()[0].data)["words"] == words
        [unheard] = status(one.workspace, one.config).unheard
        assert (unheard.client, unheard.count, unheard.latest) == ("Aider", 1, words)


@pytest.mark.parametrize("path", ["/api/chat", "/v1beta/openai/chat/completions", "/engines/m/chat/completions"])
async def test_another_path_refuses_a_wish_in_words(world, path):
    async with world() as one:
        status, _, answer = await post(one, [Q, A, ASK], path)
        assert status == 400
        assert "use /v1/chat/completions, /v1/messages or /v1/responses" in answer
        status, _, answer = await post(one, [Q], path)
        assert (status, "[gateway] pass" in answer) == (404, True)
        assert one.upstream.asked == []


CALL = {"id": "1", "type": "function", "function": {"name": "files.read", "arguments": "{}"}}
CALLED = [{"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "1"}]


@pytest.mark.parametrize("teacher", ["sonnet", "coder"])
async def test_a_teacher_gets_the_user_s_turn_last(world, teacher):
    async with world() as one:
        prefilled = [Q, A, {"role": "user", "content": "ask the expert"}, {"role": "assistant", "content": "Well: "}]
        status, _, _ = await post(one, prefilled, headers={"x-weakspot-consult": teacher})
        assert status == 200
        [asked] = one.teacher(teacher).chats
        assert [turn["role"] for turn in asked.body["messages"]] == ["user", "assistant", "user", "assistant", "user"]
        assert one.record.expert.content == f"{teacher.capitalize()}'s answer."


async def test_a_history_of_calls_without_tools_has_them_for_anthropic(world):
    async with world() as one:
        await post(one, [Q, *CALLED, A, {"role": "user", "content": "consult Sonnet"}])
        [asked] = one.sonnet.chats
        assert [tool["name"] for tool in asked.body["tools"]] == ["files_read"]
        assert asked.body["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize("teacher", ["sonnet", "coder"])
async def test_a_remembered_attempt_with_one_id_twice_has_a_result_for_each(world, teacher):
    async with world() as one:
        one.upstream.script = Reply(calls=(("c", "look", "{}"), ("c", "look", "{}")))
        await post(one, [Q], tools=TOOLS)
        await post(one, [Q], tools=TOOLS, headers={"x-weakspot-consult": teacher})
        said = json.dumps(one.teacher(teacher).chats[-1].body["messages"])
        ids = [{"sonnet": '"tool_use_id": "', "coder": '"tool_call_id": "'}[teacher] + each for each in ("c", "call_1")]
        assert [said.count(f'{one}"') for one in ids] == [1, 1]


async def test_a_choice_of_a_tool_that_is_not_there_is_left_out(world):
    async with world() as one:
        chosen = {"tools": ANTHROPIC_TOOLS, "tool_choice": {"type": "tool", "name": "other"}}
        for words in ("consult Sonnet", "consult the big coder"):
            await post(one, [Q, A, {"role": "user", "content": words}], MESSAGES, **chosen)
        assert ["tool_choice" in server.chats[-1].body for server in (one.sonnet, one.coder)] == [False, False]


async def test_null_and_the_older_name_of_a_form_are_understood(world):
    async with world() as one:
        form = {"type": "json_schema", "schema": {"type": "object", "properties": {}}}
        status, _, _ = await post(one, [Q, {**A, "content": None}, ASK], MESSAGES, output_format=form)
        assert status == 200
        assert one.coder.chats[-1].body["response_format"]["json_schema"]["schema"] == form["schema"]
