"""Messages of both protocols become those of a record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.importers.messages import LoggedCall, answer, messages_of, stop_reason, token_counts, words
from weakspot.records import Message


def kept(value: dict) -> list[dict]:
    return [message.model_dump(exclude_unset=True) for message in messages_of(value)]


def test_calls_and_results_of_anthropics_protocol_become_openais():
    called = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Let me see."},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "a"}},
        ],
    }
    function = {"name": "read", "arguments": {"path": "a"}}
    assert kept(called) == [
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "t1", "type": "function", "function": function}],
        }
    ]
    results = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "hello"}]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "bye", "is_error": True},
            {"type": "text", "text": "And now?"},
        ],
    }
    assert kept(results) == [
        {"role": "tool", "tool_call_id": "t1", "content": "hello"},
        {"role": "tool", "tool_call_id": "t2", "content": "bye"},
        {"role": "user", "content": "And now?"},
    ]
    assert [one["role"] for one in kept({**results, "content": results["content"][:2]})] == ["tool", "tool"]


def test_calls_of_openais_protocol_have_their_arguments_as_objects():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    (found,) = messages_of({"role": "assistant", "content": None, "tool_calls": [call]})
    assert found.tool_calls[0].function.arguments == {"x": 1}
    assert found.content is None


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [('{"x": ', {"unreadable": '{"x": '}), ("", {}), (None, {}), ("[1]", {"value": [1]}), (7, {"value": 7})],
)
def test_arguments_that_are_no_object_are_kept_as_one(arguments, kept):
    (found,) = answer("", [LoggedCall("c", "f", arguments)])
    assert found.tool_calls[0].function.arguments == kept


def test_what_is_no_text_is_a_word():
    assert words([{"type": "text", "text": "Look:"}, {"type": "image", "source": {}}]) == "Look:\n[image]"
    assert (
        words([{"type": "image_url"}, {"type": "input_image"}, {"type": "document"}]) == "[image]\n[image]\n[document]"
    )
    assert words(None) == words(7) == words([]) == ""


def test_an_answer_of_nothing_is_no_message():
    assert kept({"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}]}) == []
    assert kept({"role": "assistant", "content": " \n"}) == []
    assert kept({"role": "somebody", "content": "x"}) == []
    assert kept({"role": "developer", "content": "Be brief."}) == [{"role": "system", "content": "Be brief."}]


def test_tokens_are_counted_as_each_provider_does():
    assert token_counts({"prompt_tokens": 5, "completion_tokens": 2}) == (5, 2)
    cached = {"cache_creation_input_tokens": 3, "cache_read_input_tokens": 4}
    assert token_counts({"input_tokens": 5, "output_tokens": 2, **cached}) == (12, 2)
    assert token_counts({"prompt_eval_count": 5, "eval_count": 2}) == (5, 2)
    assert token_counts({"prompt_tokens": "5"}) == token_counts(None) == token_counts([]) == (None, None)


def test_a_stop_is_told_in_our_words():
    assert [stop_reason(one) for one in ("end_turn", "tool-calls", "max_tokens", "refusal", "else", None, [])] == [
        *("stop", "tool_calls", "length", "refused"),
        *(None, None, None),
    ]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "id", "input", "function", "name", "arguments", "tool_use_id"])
            | st.text(max_size=3),
            inner | st.sampled_from(["text", "tool_use", "tool_result", "thinking", "image"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system"])}, optional={"content": ANY, "tool_calls": ANY}
    )
)
def test_no_message_breaks_the_reading(value):
    for message in messages_of(value):
        assert Message.model_validate(message.model_dump(exclude_unset=True)) == message
