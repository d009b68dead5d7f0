"""A rule is tried where its word stands, and takes a time that grows with the text and no faster."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.redaction.context_patterns import CONTEXT_PATTERNS
from weakspot.redaction.rules import Rule, SecretSpan, occurrences, spans
from weakspot.redaction.token_patterns import TOKEN_PATTERNS

RULE = Rule("token", ("key ",), re.compile(r"key (?P<secret>\d+)", re.IGNORECASE), lambda match: match["secret"] != "0")


@pytest.mark.parametrize("text", ["key 12", "KEY 12", "a key 12, key 0, key", "key key 12"])
def test_a_rule_finds_what_it_accepts(text):
    assert [text[span.start : span.end] for span in spans([RULE], text)] == ["12"]


def test_letters_that_become_two_in_lower_case_move_nothing():
    text = "İİİ KEY 12"
    assert [text[span.start : span.end] for span in spans([RULE], text)] == ["12"]


def test_the_items_of_a_list_are_found_inside_of_it_only():
    rule = RULE._replace(pattern=re.compile("key [^;]*"), items=re.compile(r"(?P<secret>\d+)"))
    assert [span.start for span in spans([rule], "1 key 2 3; 4")] == [6, 8]


def test_a_secret_may_stand_before_its_word():
    rule = Rule("token", (":aa",), re.compile(r"(?P<secret>\d+:AA)"), lambda match: True, anywhere=True)
    assert list(spans([rule], "x 12:AA y 34:AA")) == [SecretSpan(2, 7, "token"), SecretSpan(10, 15, "token")]
    assert list(spans([rule], "x 12:BB")) == []


@given(st.text("ab", max_size=20), st.text("ab", min_size=1, max_size=3))
def test_occurrences_do_not_overlap(text, secret):
    found = list(occurrences(secret, "token", text))
    assert len(found) == text.count(secret)
    assert {text[span.start : span.end] for span in found} <= {secret}


ESCAPES_AND_CLASSES = re.compile(r"\\.|\[(?:\\.|[^]])*]")
WITHOUT_BOUND = re.compile(r"[*+]|\{\d*,\}")


@pytest.mark.parametrize("rule", [*TOKEN_PATTERNS, *CONTEXT_PATTERNS], ids=lambda rule: f"{rule.kind}: {rule.words[0]}")
def test_every_repetition_has_a_bound(rule):
    for pattern in filter(None, (rule.pattern, rule.items)):
        assert not WITHOUT_BOUND.search(ESCAPES_AND_CLASSES.sub("", pattern.pattern))


def test_a_repetition_without_a_bound_would_be_seen():
    seen = [
        WITHOUT_BOUND.search(ESCAPES_AND_CLASSES.sub("", one)) for one in (r"a+", r"(?:[a-z]{2,})", r"[+*]\+", "a{1,9}")
    ]
    assert [bool(one) for one in seen] == [True, True, False, False]
