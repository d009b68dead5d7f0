"""Of two answers the words that differ are marked, and no character is lost."""

import contextlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.ui.word_diff import DiffPiece, differences


def marked(pieces: list[DiffPiece]) -> list[str]:
    return [piece.text for piece in pieces if piece.differs]


def joined(pieces: list[DiffPiece]) -> str:
    return "".join(piece.text for piece in pieces)


@contextlib.contextmanager
def at_most(calls: int):
    """Allow so many calls of functions, those in C with them: what takes a machine long takes many of them."""
    left = calls

    def count(frame, event, argument):
        nonlocal left
        left -= 1
        if left < 0:
            sys.setprofile(None)
            pytest.fail(f"more than {calls:,} calls")

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)


WORDS = st.lists(st.sampled_from(["so", "it", "\n", " ", "<b>", "ärger", "𝟘", "\t", "."]), max_size=30).map("".join)


@given(st.one_of(WORDS, st.text()), st.one_of(WORDS, st.text()))
def test_the_pieces_of_each_are_the_text(left, right):
    found = differences(left, right)
    assert (joined(found.left), joined(found.right)) == (left, right)


@given(st.text(min_size=1))
def test_equal_texts_do_not_differ(text):
    found = differences(text, text)
    assert (marked(found.left), marked(found.right)) == ([], [])


def test_words_are_marked_and_not_letters():
    found = differences("The revision is A10, of course.", "The revision is A2, of course.")
    assert (marked(found.left), marked(found.right)) == (["A10"], ["A2"])


def test_what_only_one_has_is_marked_there():
    found = differences("Call sorted on it.", "Call sorted on it, and keep the result.")
    assert marked(found.left) == []
    assert joined([DiffPiece(text, True) for text in marked(found.right)]) == ", and keep the result"


def test_another_line_break_or_indentation_is_not_marked():
    found = differences('{"a": 1, "b": 2}', '{\n  "a": 1,\n  "b": 3}')
    assert (marked(found.left), marked(found.right)) == (["2"], ["3"])


def test_where_nothing_but_blanks_is_in_common_nothing_is_marked():
    found = differences("I do not know that", "Call sorted(list, key=len)!")
    assert not found.alike
    assert (marked(found.left), marked(found.right)) == ([], [])


def test_long_texts_are_compared_by_lines():
    lines = [f"line {n} of it\n" for n in range(2000)]
    other = [*lines[:700], "another\n", *lines[701:]]
    found = differences("".join(lines), "".join(other))
    assert (marked(found.left), marked(found.right)) == (["line 700 of it\n"], ["another\n"])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("abc def " * 740, "def abc ghi " * 490),
        ("\n".join("abcdefghij"[n * n % 10] for n in range(100_000)), "\n".join("jihgf"[n % 5] for n in range(99_999))),
        ("so " * 1400 + "it is", "so " * 1399 + "it was"),
        ("x" * 1_000_000, "x" * 999_999),
    ],
)
def test_texts_that_repeat_themselves_take_no_longer(left, right):
    with at_most(calls=100_000):
        found = differences(left, right)
    assert (joined(found.left), joined(found.right)) == (left, right)


def test_equal_texts_are_alike_however_often_they_repeat_themselves():
    assert differences("abc def " * 740, "abc def " * 740).alike
