"""Conversations are parted into query, attempt and escalation, whatever clients make of them, and become records."""

import json

import pytest

from weakspot.capture import consultation
from weakspot.capture.consultation import ConsultationRequest, UnknownTeacherError, parse_consultation_request
from weakspot.capture.conversation import Conversation
from weakspot.capture.unfitted import read_unfitted
from weakspot.config import load
from weakspot.pipeline.process import process
from weakspot.protocols.parts import Answer, Call, Finished, Text
from weakspot.records.parsing import RecordError, parse_interaction
from weakspot.teachers import cost

REMINDER = "<system-reminder>You have no todo list.</system-reminder>"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load(tmp_path_factory.mktemp("settings") / "none.toml", ["teachers.sonnet.policy=allow"])


def user(text) -> dict:
    return {"role": "user", "content": text}


def assistant(text) -> dict:
    return {"role": "assistant", "content": text}


def calling(*identities: str, arguments: str = '{"n": 1}') -> dict:
    calls = [{"id": one, "type": "function", "function": {"name": "f", "arguments": arguments}} for one in identities]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(identity: str) -> dict:
    return {"role": "tool", "tool_call_id": identity, "content": f"result of {identity}"}


SYSTEM, Q, A, ASK = {"role": "system", "content": "s"}, user("q"), assistant("a"), user("consult sonnet")
CALL, RESULT = calling("1"), result("1")
EXPERT, SECOND = assistant("e"), user("consult opus")


# wishes


@pytest.mark.parametrize(
    ("messages", "before", "attempt", "own"),
    [
        ([Q, A, ASK], [Q], [A], []),
        ([SYSTEM, user("earlier"), A, Q, A, ASK], [SYSTEM, user("earlier"), A, Q], [A], []),
        ([Q, CALL, RESULT, A, ASK], [Q], [CALL, RESULT, A], []),
        ([Q, CALL, ASK], [Q], [CALL], []),
        ([Q, CALL, RESULT, ASK], [Q], [CALL, RESULT], []),
        ([Q, A, ASK, CALL, RESULT], [Q], [A], [CALL, RESULT]),
        # An agent's words in the user's name are nobody's.
        ([Q, CALL, RESULT, user(REMINDER), A, ASK], [Q], [CALL, RESULT, A], []),
        ([Q, CALL, user("[Request interrupted by user for tool use]"), ASK], [Q], [CALL], []),
        ([Q, A, ASK, CALL, RESULT, user(REMINDER)], [Q], [A], [CALL, RESULT]),
        # Consulting again means the same question.
        ([Q, A, SECOND, EXPERT, ASK], [Q], [A], []),
        ([Q, A, SECOND, EXPERT, ASK, EXPERT, ASK], [Q], [A], []),
        ([Q, A, SECOND, CALL, RESULT, EXPERT, ASK, CALL, RESULT], [Q], [A], [CALL, RESULT]),
        # But an earlier consultation is part of the conversation.
        ([Q, A, SECOND, EXPERT, user("q2"), A, ASK], [Q, A, SECOND, EXPERT, user("q2")], [A], []),
        ([user([{"type": "text", "text": "q"}, {"type": "image_url"}]), A, ASK], None, [A], []),
        ([user([{"type": "image_url"}]), A, ASK], None, [A], []),
    ],
)
def test_a_trigger_phrase_is_about_the_question_in_front_of_it(settings, messages, before, attempt, own):
    found = parse_consultation_request(settings, Conversation(messages), None)
    assert found == ConsultationRequest("sonnet", before or messages[:1], attempt, "consult sonnet", own)


def test_a_trigger_phrase_behind_a_question_that_nobody_answered_is_one(settings):
    assert parse_consultation_request(settings, Conversation([Q, ASK]), None) == ConsultationRequest(
        "sonnet", [Q], [], "consult sonnet", attempt_from="missing"
    )


@pytest.mark.parametrize(
    "ask",
    [
        user([{"type": "text", "text": REMINDER}, {"type": "text", "text": "consult sonnet"}]),
        user(f"{REMINDER}\nconsult sonnet"),
        user("<user_query>consult sonnet</user_query>"),
    ],
)
def test_the_escalation_is_what_the_user_said(settings, ask):
    assert parse_consultation_request(settings, Conversation([Q, A, ask]), None) == ConsultationRequest(
        "sonnet", [Q], [A], "consult sonnet"
    )


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [Q],
        [ASK],
        [SYSTEM, ASK],
        [user(REMINDER), ASK],
        [Q, A],
        [Q, A, ASK, EXPERT, user("Thanks!")],
        [Q, A, user("consult nobody")],
        [{}],
        [{"role": "user"}],
        [{"role": "user", "content": 5}, {"role": "user", "content": [5, {"type": "text"}]}],
    ],
)
def test_everything_else_is_for_the_local_model(settings, messages):
    assert parse_consultation_request(settings, Conversation(messages), None) is None


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([Q], ConsultationRequest("opus", [Q], [], "consult Opus", attempt_from="missing")),
        (
            [Q, A, user("q2")],
            ConsultationRequest("opus", [Q, A, user("q2")], [], "consult Opus", attempt_from="missing"),
        ),
        (
            [Q, CALL, RESULT],
            ConsultationRequest("opus", [Q], [], "consult Opus", [CALL, RESULT], attempt_from="missing"),
        ),
        (
            [Q, CALL, RESULT, user(REMINDER)],
            ConsultationRequest("opus", [Q], [], "consult Opus", [CALL, RESULT], attempt_from="missing"),
        ),
        ([Q, A], ConsultationRequest("opus", [Q], [A], "consult Opus")),
        ([Q, CALL, RESULT, A], ConsultationRequest("opus", [Q], [CALL, RESULT, A], "consult Opus")),
        # Who names a teacher means that one.
        ([Q, A, ASK], ConsultationRequest("opus", [Q], [A], "consult sonnet")),
        ([ASK], ConsultationRequest("opus", [ASK], [], "consult Opus", attempt_from="missing")),
        ([], None),
        ([SYSTEM], None),
    ],
)
def test_a_teacher_that_is_named_is_asked_the_last_question(settings, messages, expected):
    assert parse_consultation_request(settings, Conversation(messages), "Opus") == expected


def test_a_name_that_is_nobody_s_is_an_error(settings):
    with pytest.raises(UnknownTeacherError, match="there is no teacher gemini; there are sonnet, opus"):
        parse_consultation_request(settings, Conversation([Q]), "gemini")


# questions


def test_the_teacher_sees_the_attempt_and_is_told_what_it_is(settings):
    asked = consultation.question(
        parse_consultation_request(settings, Conversation([SYSTEM, Q, A, user("consult sonnet: be short")]), None),
        [],
        50,
    )
    assert asked.messages[:3] == [SYSTEM, Q, A]
    assert asked.messages[3]["role"] == "user"
    assert asked.messages[3]["content"].endswith("\n\nbe short")
    assert (len(asked.messages), asked.max_tokens) == (4, 50)


def test_the_teacher_is_asked_plainly_where_nobody_tried(settings):
    asked = consultation.question(
        parse_consultation_request(settings, Conversation([Q, CALL, RESULT]), "opus"), [], None
    )
    assert asked.messages == [Q, CALL, RESULT]


def test_each_call_has_one_result(settings):
    messages = [Q, calling("1", "2"), result("2"), result("stray"), ASK]
    asked = consultation.question(parse_consultation_request(settings, Conversation(messages), None), [], None).messages
    assert [one.get("tool_call_id") for one in asked] == [None, None, "2", "1", None, None]
    assert asked[3]["content"] == "(the user broke in)"
    assert (asked[4]["role"], asked[4]["content"]) == ("user", "[result of a tool]\nresult of stray")
    last = consultation.question(
        parse_consultation_request(settings, Conversation([Q, A, ASK, calling("3")]), None), [], None
    ).messages
    assert [one["role"] for one in last] == ["user", "assistant", "user", "assistant", "tool"]


def test_a_call_that_was_cut_can_be_read(settings):
    messages = [Q, calling("1", arguments='{"n": '), ASK]
    asked = consultation.question(parse_consultation_request(settings, Conversation(messages), None), [], None).messages
    assert json.loads(asked[1]["tool_calls"][0]["function"]["arguments"]) == {"unreadable": '{"n": '}
    assert messages[1] == calling("1", arguments='{"n": ')


@pytest.mark.parametrize("words", ["consult sonnet", "How do I sort by two keys? Consult Sonnet."])
def test_a_request_of_the_client_for_itself_is_none(settings, words):
    title = user("Generate a title for this conversation:\n")
    assert parse_consultation_request(settings, Conversation.of([title, user(words)]), None) is None


@pytest.mark.parametrize("before", [[], [Q, A]])
def test_a_wish_may_bring_its_own_question(settings, before):
    picture = {"type": "image_url", "image_url": {"url": "u"}}
    asked = user([{"type": "text", "text": "How do I sort by two keys? Consult Sonnet."}, picture])
    one = parse_consultation_request(settings, Conversation.of([*before, asked]), None)
    assert one.before == [*before, user([{"type": "text", "text": "How do I sort by two keys?"}, picture])]
    assert (one.attempt, one.attempt_from, one.escalation, one.remark) == ([], "missing", "consult Sonnet", "")
    again = [*before, asked, user_answer := {"role": "assistant", "content": "B"}, ASK]
    assert parse_consultation_request(settings, Conversation.of(again), None).before == one.before
    assert user_answer not in parse_consultation_request(settings, Conversation.of(again), None).attempt


# records

DONE = Finished("stop", "served", 1_000_000, 100_000)
WHOLE = (Text("e"), DONE)


def kept(workspace, settings, messages, parts=WHOLE, named=None, **more):
    one = parse_consultation_request(settings, Conversation.of(messages), named)
    answer = Answer.of(parts)
    spent = cost(settings.teachers[one.teacher], answer.finished) if answer.finished else None
    consultation.store_consultation(
        workspace, settings, one, answer, seconds=1.23456, cost_usd=spent, source="test", **more
    )
    return workspace.raw.read_bytes().splitlines()[-1]


@pytest.mark.parametrize(
    "messages",
    [
        [Q, A, ASK],
        [SYSTEM, user("earlier"), A, Q, CALL, RESULT, A, ASK],
        [Q, CALL, ASK],
        [Q, calling("1", "2"), result("2"), ASK],
        [Q, calling("1", arguments='{"n": '), ASK],
        [Q, A, SECOND, EXPERT, ASK],
        [Q, A, ASK, CALL, RESULT],
        [{"role": "developer", "content": "d"}, Q, A, ASK],
        [user([{"type": "text", "text": "q"}, {"type": "image_url", "image_url": {"url": "u"}}]), A, ASK],
        [user("q0"), calling("0"), user("Stop that."), A, Q, A, ASK],
    ],
)
def test_a_consultation_becomes_a_record_that_process_takes(workspace, settings, messages):
    record = parse_interaction(kept(workspace, settings, messages))
    assert record.query.content in ("q", "q\n[image_url]")
    assert record.escalation.content == "consult sonnet"
    assert record.expert.content == "e"
    assert process(workspace, settings).examples == 1


def test_a_record_tells_who_answered_under_which_terms_and_for_how_much(workspace, settings):
    metadata = parse_interaction(kept(workspace, settings, [Q, A, ASK], tools=[{"type": "function"}])).metadata
    assert metadata.consultation.model_dump() == {
        "teacher": "sonnet",
        "model": "served",
        "policy": "allow",
        "terms": settings.teachers["sonnet"].terms,
        "input_tokens": 1_000_000,
        "output_tokens": 100_000,
        "seconds": 1.235,
        "cost_usd": 3.0,
        "stop_reason": "stop",
    }
    assert (metadata.source, metadata.attempt, metadata.model_extra["tools"]) == (
        "test",
        "sent",
        [{"type": "function"}],
    )


def test_the_expert_s_own_calls_are_part_of_the_record(workspace, settings):
    call = [Call(0, '{"n": 2}', "9", "f"), Finished("tool_calls", "m")]
    first = parse_interaction(kept(workspace, settings, [Q, A, ASK], call))
    assert first.expert.tool_calls[0].function.arguments == {"n": 2}
    second = parse_interaction(kept(workspace, settings, [Q, A, ASK, calling("9"), result("9")]))
    assert [one.role for one in second.messages] == ["user", "assistant", "user", "assistant", "tool", "assistant"]
    assert [one.content for one in second.prompt] == ["q", None, "result of 9"]


def test_a_record_without_an_attempt_has_an_empty_one(workspace, settings):
    record = parse_interaction(kept(workspace, settings, [Q], named="sonnet"))
    assert (record.local.content, record.metadata.attempt) == ("", "missing")


@pytest.mark.parametrize(
    "parts",
    [
        [Text("half of it")],
        [Text("half of it"), Finished("length")],
        [Text("I will not."), Finished("refused")],
        [Call(0, '{"n": ', "9", "f"), Finished("length")],
        [Call(0, '{"n": ', "9", "f"), Finished("tool_calls")],
    ],
)
def test_an_answer_that_did_not_come_to_its_end_is_kept_and_never_trained_on(workspace, settings, parts):
    line = kept(workspace, settings, [Q, A, ASK], parts)
    assert json.loads(line)["metadata"]["incomplete"] is True
    with pytest.raises(RecordError) as error:
        parse_interaction(line)
    assert error.value.reason == "truncated"
    assert process(workspace, settings).rejections == {"truncated": 1}


def test_an_empty_answer_that_was_paid_for_is_kept_apart(workspace, settings):
    one = parse_consultation_request(settings, Conversation.of([Q, A, ASK]), None)
    stored = consultation.store_consultation(
        workspace, settings, one, Answer.of([DONE]), seconds=1, cost_usd=3.0, source="test", conversation=[Q, A, ASK]
    )
    assert (stored.reason, stored.file) == ("empty-expert", workspace.unfitted)
    [kept_apart] = read_unfitted(workspace)
    assert (kept_apart.id, kept_apart.conversation) == (stored.interaction_id, [Q, A, ASK])
    assert not workspace.raw.exists()


def test_a_key_of_the_client_is_not_kept(workspace, settings):
    key = "a-key-of-no-known-form-7Gh2Kp"
    messages = [user(f"My key is {key}."), CALL, {**RESULT, "content": f"export K={key}"}, A, ASK]
    line = kept(workspace, settings, messages, [Text(f"Use {key}."), DONE], tools=[{"description": key}], secrets=[key])
    assert key.encode() not in line
    assert b"My key is <" in line
