"""Thoughts in front of an answer are told from it however they come, and an answer about thoughts stays whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.protocols.parts import Answer
from weakspot.protocols.thoughts import ThoughtSplitter, split_thoughts

THOUGHTFUL = [
    ("<think>hm</think>B", "hm", "B"),
    ("<think>\nhm\n</think>\n\nB", "\nhm\n", "B"),
    (" \n<thinking>hm</thinking> B", "hm", "B"),
    ("<THINK>hm</THINK>B", "hm", "B"),
    ("[THINK]hm[/THINK]B", "hm", "B"),
    ("<thought>hm, </think></thought>B", "hm, </think>", "B"),
    ("◁think▷hm◁/think▷B", "hm", "B"),
    ("<think></think>\n\nB", "", "B"),
    ("<think>a</think>\n<think>b</think>B", "ab", "B"),
    ("<think>is <b> < c?</think>B", "is <b> < c?", "B"),
    ("<think>hm, cut off </thi", "hm, cut off </thi", ""),
    ("hm\nso\n</think>\n\nB", "hm\nso\n", "B"),
    ("hm, so B.</think>\n\nB", "hm, so B.", "B"),
    ("\n</think>\n\nB", "\n", "B"),
    ("</think>B", "", "B"),
    ("hm\n</think>", "hm\n", ""),
    ("hm\n</think>\n\nWrite `</think>\n` there", "hm\n", "Write `</think>\n` there"),
    ("<think>hm</think>Write <think>a</think> there", "hm", "Write <think>a</think> there"),
]
PLAIN = [
    "",
    " \n",
    "B",
    "  B\n",
    "< B",
    "<thin",
    "<thinker>B</thinker>",
    "<th\u0131nk>B</think>.",
    "A \n</thought>\nB",
    "The tag is <think>, closed by </think>.",
    "It ends in `</think>`.",
    "Qwen's template writes </think> here.",
    "So:\n```\nhm\n</think>\n```\nis what it writes.",
    "So: <think>\nhm\n</think>\nis what it writes.",
]


@pytest.mark.parametrize(("text", "thought", "answer"), THOUGHTFUL)
def test_thoughts_are_told_from_the_answer(text, thought, answer):
    assert split_thoughts(text) == (thought.strip(), answer)


@pytest.mark.parametrize("text", PLAIN)
def test_an_answer_about_thoughts_is_no_thought(text):
    assert split_thoughts(text) == ("", text)


@given(st.sampled_from([*(one[0] for one in THOUGHTFUL), *PLAIN]), st.data())
def test_pieces_say_what_the_whole_says(text, data):
    splitter, parts, rest = ThoughtSplitter(), [], text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        parts += splitter.feed(rest[:size])
        rest = rest[size:]
    answer = Answer.of([*parts, *splitter.flush()])
    assert (answer.thought.strip(), answer.text) == split_thoughts(text)


def test_text_is_not_held_back():
    splitter = ThoughtSplitter()
    assert [part.text for part in splitter.feed("A plain ")] == ["A plain "]
    assert [part.text for part in splitter.feed("answer, a < b")] == ["answer, a < b"]
