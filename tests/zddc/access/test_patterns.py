"""Addresses and patterns: what is one, and whom it names."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.zddc.access.reference import fits

from zddc.access.patterns import is_role, matches, parse_email, parse_pattern, parse_role


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not hold exactly one '@'"),
        ("kim", "does not hold exactly one '@'"),
        ("kim@acme@example", "does not hold exactly one '@'"),
        ("@acme.example", "holds nothing on one side of '@'"),
        ("kim@", "holds nothing on one side of '@'"),
        ("kim @acme.example", "holds white space or a control character"),
        ("kim@acme.example\n", "holds white space or a control character"),
        ("kim\0@acme.example", "holds white space or a control character"),
        ("kim\x7f@acme.example", "holds white space or a control character"),
        ("kïm@acme.example", "holds a character that is not ASCII"),
        ("\u212aim@acme.example", "holds a character that is not ASCII"),  # its lower case is k
        ("kim@acme\u3002example", "holds a character that is not ASCII"),
        ("k" * 242 + "@acme.example", "is longer than 254 characters"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError) as refused:
        parse_email(text)
    assert str(refused.value) == reason
    if "@" in text:
        with pytest.raises(ValueError, match=reason):
            parse_pattern(text)


def test_an_address_may_have_254_characters():
    assert parse_email("K" * 241 + "@acme.example") == "k" * 241 + "@acme.example"


def test_an_address_may_hold_what_no_pattern_may():
    assert parse_email('o"hara{}|!*@[10.0.0.1]') == 'o"hara{}|!*@[10.0.0.1]'


@pytest.mark.parametrize(
    "text",
    [
        *(
            "[kl]im@acme.example",
            "kim@acme.[example]",
            "{kim,lee}@acme.example",
            "!kim@acme.example",
            "kim|lee@x.example",
        ),
        *(
            "^kim@acme.example",
            "kim@acme.example$",
            "mailto:kim@acme.example",
            "<kim@acme.example>",
            "kim\\*@acme.example",
        ),
        *("kim@acme.example,", "kim@acme.example;lee", '"kim"@acme.example', "(kim)@acme.example", "/kim@acme/"),
        *("kim@.acme.example", "kim@acme.example.", "kim@acme..example", "kim@acme_example", "*@.example"),
        *("**kim", "?", "*.example", "kim smith", "", "-", "_x", "rôle", "\u212aim", "a/b"),
    ],
)
def test_what_looks_like_the_syntax_of_another_tool_is_refused(text):
    with pytest.raises(ValueError):
        parse_pattern(text)


@pytest.mark.parametrize(
    "text", ["a.b_c-d+e%f'g&h=i~j#k*?@a-b.c?d.*", "*@*", "?@?", "*", "anonymous", "reviewers", "a.b-c_1"]
)
def test_a_pattern_is_kept_as_it_is(text):
    assert parse_pattern(text) == parse_pattern(text.upper()) == text


@pytest.mark.parametrize(("text", "named"), [("*", False), ("anonymous", False), ("*@*", False), ("reviewers", True)])
def test_a_word_without_an_at_is_a_role(text, named):
    assert is_role(text) is named


@pytest.mark.parametrize("text", ["", "kim@acme.example", "*", "two words", "-x", "x/y", "rôle"])
def test_what_is_no_name_of_a_role_is_refused(text):
    with pytest.raises(ValueError, match="no name of a role"):
        parse_role(text)


@pytest.mark.parametrize(
    ("pattern", "email", "named"),
    [
        ("*", "kim@acme.example", True),
        ("*", None, False),
        ("anonymous", None, True),
        ("anonymous", "kim@acme.example", False),
        ("anonymous", "anonymous@acme.example", False),
        ("*@*", None, False),
        ("*@acme.example", "kim@acme.example", True),
        ("*@acme.example", "kim@acmexexample", False),
        ("kim@acme.example", "xkim@acme.example", False),
        ("kim@acme.example", "kim@acme.examplex", False),
        ("?im@acme.example", "im@acme.example", False),
        ("kim?acme@x.example", "kim?acme@x.example", True),
        ("kim?@acme.example", "kim@acme.example", False),
    ],
)
def test_a_pattern_names_whom_it_says(pattern, email, named):
    assert matches(pattern, email) is named


letters = st.text("ab.", max_size=6)
globs = st.text("ab.*?", max_size=6)


@given(globs, globs, letters, letters)
@example("*", "?b", "", "ab")
def test_a_pattern_names_as_the_reference_does(local_part, domain, own_local_part, own_domain):
    pattern, email = f"{local_part}@{domain}", f"{own_local_part}@{own_domain}"
    assert matches(pattern, email) is fits(pattern, email)


def test_no_pattern_takes_long():
    assert not matches("*a" * 120 + "@b", "a" * 250 + "@c")
