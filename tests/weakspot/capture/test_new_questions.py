"""A question of its own is told from words about the question before."""

import pytest

from weakspot.capture.new_questions import has_question, is_linked_question
from weakspot.capture.speech import parse_speech
from weakspot.capture.wish_grammar import wish_grammar
from weakspot.config import Config

GRAMMAR = wish_grammar(Config())


def line(text: str) -> str:
    return parse_speech(text, GRAMMAR.names).line


@pytest.mark.parametrize(
    ("text", "before", "behind"),
    [
        ("How do I sort by two keys in Rust?", True, True),
        ("how do I sort by two keys in Rust", False, True),
        ("Write me a Dockerfile for a static binary.", True, True),
        ("Wie lösche ich einen Branch, der geschützt ist?", True, True),
        ("Here is a log. What lifetime do I have to write?", True, True),
        ("Best way to prune old roses?", False, True),
        ("Are you sure?", False, False),
        ("Why is your version still slower than mine?", False, False),
        ("What is this?", False, False),
        ("It must work on Windows too.", False, False),
        ("", False, False),
    ],
)
def test_a_question_with_words_of_its_own_is_new(text, before, behind):
    assert has_question(GRAMMAR, line(text), asked=False) is before
    assert has_question(GRAMMAR, line(text), asked=True) is behind


def test_a_this_points_into_the_message_where_much_stands_before_it():
    asked = "What is the usual cause of that?"
    assert not has_question(GRAMMAR, line(asked), asked=False)
    assert has_question(
        GRAMMAR, line("Invalid read of size one at the third line of the parser. " * 3 + asked), asked=False
    )


@pytest.mark.parametrize(
    ("text", "is_new"),
    [
        ("how to vendor a git submodule", True),
        ("to write a rule that regenerates all files of a folder", True),
        ("about Rust lifetimes", True),
        ("whether SQLite can alter a column in place", True),
        ("about the error", False),
        ("to fix this", False),
        ("whether your answer is correct in all of these cases", False),
        ("for a better solution", False),
        ("please", False),
    ],
)
def test_what_goes_on_from_a_wish_may_bring_something_new(text, is_new):
    assert is_linked_question(GRAMMAR, line(text)) is is_new
