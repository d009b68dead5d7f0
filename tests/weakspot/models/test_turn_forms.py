"""What a strict template refuses is written in another form, and nothing is lost on the way."""

import json

from weakspot.models import turn_forms

USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "s"}


def call(number, name="find"):
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": {"n": number}}}


def used(*calls):
    return {"role": "assistant", "content": "I look.", "tool_calls": list(calls)}


def result(number):
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": f"r{number}"}


def forms(*turns):
    return [found for found, _ in turn_forms.forms(turns, ANSWER)]


def test_the_first_form_is_the_conversation_itself():
    assert forms(SYSTEM, USER)[0] == [SYSTEM, USER]
    assert forms(USER) == [[USER]]


def test_the_system_text_is_put_before_the_first_question():
    assert forms(SYSTEM, USER)[1] == [{"role": "user", "content": "s\n\nq"}]


def test_neighbours_of_one_role_become_one_turn():
    assert forms(USER, USER)[1] == [{"role": "user", "content": "q\n\nq"}]


def test_ids_have_nine_characters_and_stay_paired():
    shorter = forms(USER, used(call(1), call(2, "read")), result(2), result(1))[1]
    ids = [one["id"] for one in shorter[1]["tool_calls"]]
    assert [len(one) for one in ids] == [9, 9]
    assert [(one["tool_call_id"], one["name"]) for one in shorter[2:]] == [(ids[1], "read"), (ids[0], "find")]


def test_arguments_become_text():
    texts = [
        found
        for found in forms(USER, used(call(1)), result(1))
        if isinstance(found[1]["tool_calls"][0]["function"]["arguments"], str)
    ]
    assert json.loads(texts[0][1]["tool_calls"][0]["function"]["arguments"]) == {"n": 1}


def test_parallel_calls_become_one_call_a_turn_with_its_result():
    found = next(one for one in forms(USER, used(call(1), call(2)), result(2), result(1)) if len(one) == 5)
    assert [turn["role"] for turn in found] == ["user", "assistant", "tool", "assistant", "tool"]
    assert [turn["content"] for turn in found] == ["q", "", "r2", "I look.", "r1"]


def test_results_become_text_only_where_the_calls_are_text():
    told = forms(USER, {"role": "assistant", "content": "<tool_call>"}, result(1))
    assert {"role": "user", "content": "<tool_response>\nr1\n</tool_response>"} in told[1]
    assert not any("<tool_response>" in str(found) for found in forms(USER, used(call(1)), result(1)))


def test_the_answer_s_own_calls_stay_together():
    last = {"role": "assistant", "content": "", "tool_calls": [call(1), call(2)]}
    assert {len(reply["tool_calls"]) for _, reply in turn_forms.forms([SYSTEM, USER], last)} == {2}
