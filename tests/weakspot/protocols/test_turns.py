"""Any order of turns that clients send becomes one that is recognised, stored, and taken by strict servers."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weakspot.protocols.notice import format_notice
from weakspot.protocols.turns import canonical_turns, strict_turns, text_of, was_noticed

S, LATE = {"role": "system", "content": "Be brief."}, {"role": "system", "content": "It is noon."}
Q, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
REMINDER = "<system-reminder>\nIt is noon.\n</system-reminder>"


def call(*identities, name="look"):
    calls = [{"id": one, "type": "function", "function": {"name": name, "arguments": "{}"}} for one in identities]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(identity, content="r"):
    return {"role": "tool", "tool_call_id": identity, "content": content}


@pytest.mark.parametrize(
    ("sent", "roles", "place"),
    [
        ([S, Q, LATE], ["system", "user"], 1),
        ([Q, LATE, A], ["user", "assistant"], 0),
        ([Q, A, LATE, Q], ["user", "assistant", "user"], 2),
        ([Q, A, LATE], ["user", "assistant", "user"], 2),
        ([Q, call("1"), result("1"), LATE, A], ["user", "assistant", "tool", "assistant"], 2),
        ([Q, A, LATE, A], ["user", "assistant", "user", "assistant"], 2),
    ],
)
def test_a_later_system_message_becomes_a_reminder_where_it_stands(sent, roles, place):
    for turns in (canonical_turns(sent), strict_turns(sent)):
        assert [one["role"] for one in turns] == roles
        assert REMINDER in turns[place]["content"]


def test_system_messages_in_front_are_one():
    developer = {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]}
    for turns in (canonical_turns([S, developer, Q]), strict_turns([S, developer, Q])):
        assert [one["role"] for one in turns] == ["system", "user"]
        assert text_of(turns[0]["content"]) == "Be brief.\nBe kind."


def test_neighbours_of_one_role_are_one_turn_for_a_strict_server_only():
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}
    assert [one["role"] for one in canonical_turns([Q, picture, A, A])] == ["user", "user", "assistant", "assistant"]
    question, answer = strict_turns([Q, picture, A, A])
    assert question["content"] == [{"type": "text", "text": "q"}, *picture["content"]]
    assert answer["content"] == "a\n\na"


def test_a_strict_server_hears_the_user_first():
    assert [one["role"] for one in strict_turns([S, A, Q])] == ["system", "user", "assistant", "user"]
    assert canonical_turns([S, A, Q]) == [S, A, Q]


def test_a_conversation_in_order_stays_as_it_is():
    usual = [S, Q, call("1", "2"), result("2"), result("1"), A, {**Q, "name": "ann"}]
    assert strict_turns(usual) == canonical_turns(usual) == usual


def test_every_call_has_an_id_of_its_own_and_every_result_that_of_its_call():
    sent = [Q, call("", ""), result(""), result(""), A, Q, call("x"), result("x"), A, Q, call("x"), result("x")]
    turns = canonical_turns(sent)
    called = [one["id"] for turn in turns for one in turn.get("tool_calls") or ()]
    assert len(set(called)) == 4
    assert all(called)
    assert [turn["tool_call_id"] for turn in turns if turn["role"] == "tool"] == called


def test_a_call_of_the_first_protocol_is_one_of_today():
    old = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    _, called, told = canonical_turns([Q, old, {"role": "function", "name": "look", "content": "r"}])
    assert called["tool_calls"][0]["function"] == old["function_call"]
    assert "function_call" not in called
    assert (told["role"], told["tool_call_id"]) == ("tool", called["tool_calls"][0]["id"])


def test_results_without_ids_go_to_the_calls_of_their_names_then_to_the_first():
    calls = call("1")["tool_calls"] + call("2", name="read")["tool_calls"]
    both = [{key: value for key, value in one.items() if key != "id"} for one in calls]
    sent = [{"role": "assistant", "content": None, "tool_calls": both}]
    turns = canonical_turns([*sent, {"role": "tool", "name": "read", "content": "2"}, {"role": "tool", "content": "1"}])
    first, second = (one["id"] for one in turns[0]["tool_calls"])
    assert [one["tool_call_id"] for one in turns[1:]] == [second, first]


def test_a_result_without_a_call_has_an_id_of_its_own():
    turns = canonical_turns([Q, result("gone"), call("gone"), result("gone")])
    assert turns[1]["tool_call_id"] != turns[3]["tool_call_id"] == turns[2]["tool_calls"][0]["id"]


def test_thoughts_stand_beside_the_answer():
    sent = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nB."}
    assert canonical_turns([Q, sent])[1] == {"role": "assistant", "content": "B.", "reasoning_content": "hm"}
    assert strict_turns([Q, sent]) == [Q, sent]


def test_thoughts_in_parts_and_refusals_are_told_as_well():
    thought = {"type": "thinking", "thinking": "hm"}
    said = [thought, {"type": "text", "text": "<think>so</think>B"}]
    turn = {"role": "assistant", "content": [{"type": "text", "text": "B"}], "reasoning_content": "so"}
    assert canonical_turns([Q, {"role": "assistant", "content": said}]) == [Q, turn]
    [_, refusal] = canonical_turns([Q, {"role": "assistant", "content": None, "refusal": "No."}])
    assert refusal["content"] == "No."
    assert text_of([thought]) == ""


def test_a_call_of_a_custom_tool_is_one_of_a_function():
    called = {"id": "1", "type": "custom", "custom": {"name": "f", "input": "x"}}
    [_, turn] = canonical_turns([Q, {"role": "assistant", "content": None, "tool_calls": [called]}])
    assert turn["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"input": "x"}'}


@pytest.mark.parametrize("parts", [False, True])
def test_a_notice_of_ours_goes_nowhere(parts):
    text = "B." + format_notice("stored, but not fit to train on (wrong-roles)")
    content = [{"type": "text", "text": text}] if parts else text
    sent = [Q, {"role": "assistant", "content": content}]
    assert was_noticed(sent)
    assert not was_noticed([Q, A])
    for turns in (canonical_turns(sent), strict_turns(sent)):
        assert text_of(turns[1]["content"]) == "B."


TEXTS = st.none() | st.text(max_size=8) | st.lists(st.builds(lambda text: {"type": "text", "text": text}, st.text()))
CALLS = st.lists(st.fixed_dictionaries({"function": st.just({"name": "f"})}, optional={"id": st.sampled_from("ab")}))
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function", "other"])},
        optional={"content": TEXTS, "tool_calls": CALLS, "tool_call_id": st.sampled_from(["a", "b", ""])},
    ),
    max_size=8,
)


@given(MESSAGES)
@example([{"role": "assistant", "content": [{"type": "text", "text": ""}, {"type": "text", "text": ""}]}])
def test_any_order_of_turns_has_a_form(messages):
    before = [dict(one) for one in messages]
    canonical, strict = canonical_turns(messages), strict_turns(messages)
    assert messages == before
    assert canonical_turns(canonical) == canonical
    assert strict_turns(strict) == strict
    for turns in (canonical, strict):
        assert all(one["role"] not in ("system", "developer") for one in turns[1:])
    assert all(
        one["role"] != two["role"] or one["role"] not in ("user", "assistant")
        for one, two in itertools.pairwise(strict)
    )
    called = [one["id"] for turn in canonical for one in turn.get("tool_calls") or ()]
    results = [turn["tool_call_id"] for turn in canonical if turn["role"] == "tool"]
    assert len(set(called)) == len(called)
    assert len(set(results)) == len(results)


def test_many_neighbours_of_one_role_are_joined_as_two_are():
    picture = {"type": "image_url", "image_url": {"url": "x"}}
    contents = ["a", None, "b", [picture], "c", "", [{"type": "text", "text": "d"}]]
    (joined,) = strict_turns([{"role": "user", "content": one, "name": "kim"} for one in contents])
    texts = [{"type": "text", "text": one} for one in ("a\n\nb", "c", "d")]
    assert joined == {"role": "user", "content": [texts[0], picture, *texts[1:]], "name": "kim"}


def test_many_system_messages_become_one_in_front_and_reminders_where_they_stand():
    roles = ["developer", "system", "user", "system", "system", "assistant", "system", "system", "user"]
    turns = strict_turns([{"role": role, "content": str(place)} for place, role in enumerate(roles)])
    said = [f"<system-reminder>\n{place}\n</system-reminder>" for place in range(9)]
    assert turns == [
        {"role": "system", "content": "0\n\n1"},
        {"role": "user", "content": f"2\n\n{said[3]}\n\n{said[4]}"},
        {"role": "assistant", "content": "5"},
        {"role": "user", "content": f"{said[6]}\n\n{said[7]}\n\n8"},
    ]


def test_thoughts_in_a_part_of_their_own_are_taken_out_and_those_behind_them_too():
    texts = ("<think>One.</think>", "<think>Two.</think>B.", "Or <think>A</think>.")
    (turn,) = canonical_turns([{"role": "assistant", "content": [{"type": "text", "text": text} for text in texts]}])
    assert turn["reasoning_content"] == "One.\n\nTwo."
    assert turn["content"] == [{"type": "text", "text": "B."}, {"type": "text", "text": texts[2]}]
