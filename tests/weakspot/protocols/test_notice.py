"""A notice stands behind an answer, and is found there only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.protocols.notice import format_notice, without_notice


@given(st.text(), st.from_regex(r"[a-z (;',)-]{1,200}", fullmatch=True))
def test_it_is_taken_off_again(answer, text):
    plain = without_notice(answer.rstrip())
    assert without_notice(plain + format_notice(text)) == plain
    assert without_notice(plain + format_notice(text) + "\n") == plain


@pytest.mark.parametrize(
    "answer",
    ["", "a", "[weakspot: a] is the notice.", "```\n[weakspot: a]\n```", "[weakspot: a\nb]", "[weakspot: ]"],
)
def test_any_other_answer_stays(answer):
    assert without_notice(answer) is answer
