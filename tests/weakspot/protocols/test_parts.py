"""An answer is put together from its parts, and known to be whole or not."""

import pytest

from weakspot.protocols.parts import (
    Answer,
    Call,
    Finished,
    Text,
    Thought,
    ThoughtsEnded,
    parse_arguments,
    readable_arguments,
)


def test_an_answer_is_its_parts():
    answer = Answer.of([Thought("h"), Thought("m"), Text("a"), Call(0, '{"n"', "x", "f"), Call(0, ": 1}"), Text("b")])
    assert (answer.text, answer.thought, answer.finished) == ("ab", "hm", None)
    assert answer.message() == {
        "role": "assistant",
        "content": "ab",
        "tool_calls": [{"id": "x", "type": "function", "function": {"name": "f", "arguments": '{"n": 1}'}}],
    }


def test_a_thought_is_no_answer():
    answer = Answer.of([Thought("hm"), Finished("stop")])
    assert answer.empty
    assert answer.message() == {"role": "assistant", "content": ""}


@pytest.mark.parametrize(
    ("parts", "complete"),
    [
        ([Text("a"), Finished("stop")], True),
        ([Call(0, "", "x", "f"), Finished("tool_calls")], True),
        ([Text("a")], False),
        ([Text("a"), Finished("length")], False),
        ([Text("a"), Finished("refused")], False),
        ([Call(0, '{"n', "x", "f"), Finished("tool_calls")], False),
        ([Call(0, "[1]", "x", "f"), Finished("tool_calls")], False),
        ([Call(0, '{"n": NaN}', "x", "f"), Finished("tool_calls")], False),
    ],
)
def test_an_answer_is_complete_if_it_came_to_its_own_end(parts, complete):
    assert Answer.of(parts).complete is complete


def test_arguments_are_a_mapping_or_its_json():
    assert parse_arguments({"a": 1}) == parse_arguments('{"a": 1}') == {"a": 1}
    assert parse_arguments("") == parse_arguments(None or "") == {}
    assert [parse_arguments(one) for one in ("[1]", "{", "1", 5, [1])] == [None] * 5
    assert readable_arguments("{") == {"unreadable": "{"}


@pytest.mark.parametrize("halves", [["\ud83d", "\ude00"], ["\ud83d\ude00"]])
def test_halves_of_a_character_are_joined(halves):
    assert Answer.of(map(Text, halves)).text == "😀"


def test_half_a_character_is_none():
    assert Answer.of([Text("a\ud83d")]).text == "a\ufffd"


def test_text_turns_out_to_be_thoughts():
    answer = Answer.of([Thought("h"), Text("m"), ThoughtsEnded(), Text("a"), Finished("stop")])
    assert (answer.thought, answer.text) == ("hm", "a")
