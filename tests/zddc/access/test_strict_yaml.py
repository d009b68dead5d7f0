"""YAML is read as texts, lists and mappings with their lines, by the parser in C and by that in Python."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zddc.access import strict_yaml
from zddc.access.strict_yaml import FaultError, Node, parse_yaml


@pytest.fixture(params=[strict_yaml._LOADER, yaml.SafeLoader])
def _both_parsers(request, monkeypatch):
    monkeypatch.setattr(strict_yaml, "_LOADER", request.param)


def outcome(text):
    try:
        return parse_yaml(text)
    except FaultError as fault:
        return fault.line, fault.reason


@pytest.mark.usefixtures("_both_parsers")
def test_every_value_has_its_kind_and_its_line():
    text = b"# first\na: x\nb:\n  - 'y'\n  - 7\nc: {d: no}\n"
    assert parse_yaml(text) == Node(
        "a mapping",
        2,
        pairs=(
            (Node("a text", 2, "a"), Node("a text", 2, "x")),
            (Node("a text", 3, "b"), Node("a list", 4, items=(Node("a text", 4, "y"), Node("a number", 5, "7")))),
            (
                Node("a text", 6, "c"),
                Node("a mapping", 6, pairs=((Node("a text", 6, "d"), Node("true or false", 6, "no")),)),
            ),
        ),
    )


@pytest.mark.usefixtures("_both_parsers")
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x", "a text"),
        ("'7'", "a text"),
        ('"yes"', "a text"),
        ("7", "a number"),
        ("7.5", "a number"),
        ("0x7", "a number"),
        ("12:30:45", "a number"),
        ("off", "true or false"),
        ("2025-10-31", "a date"),
        ("~", "nothing"),
        ("null", "nothing"),
        ("<<", "a special value"),
        ("=", "a special value"),
        ("|\n  x", "a text"),
        ("- x", "a list"),
    ],
)
def test_a_value_has_the_kind_that_yaml_gives_it(text, kind):
    assert parse_yaml(text.encode()).kind == kind


@pytest.mark.usefixtures("_both_parsers")
@pytest.mark.parametrize("text", [b"", b"\n\n", b"# nothing\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf# nothing"])
def test_a_text_may_say_nothing(text):
    assert parse_yaml(text) is None


@pytest.mark.usefixtures("_both_parsers")
@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"a: x\nb: \xff", 2, "not UTF-8"),
        ("a: x".encode("utf-16"), 1, "not UTF-8"),
        (b"\n\na: x # \xc2\x85b: y", 3, "holds the character U+0085, which editors do not show"),
        ("a: x # \u2028b: y".encode(), 1, "holds the character U+2028, which editors do not show"),
        ("a: x # \u2029b: y".encode(), 1, "holds the character U+2029, which editors do not show"),
        ("a: x # \uffff".encode(), 1, "holds the character U+FFFF, which editors do not show"),
        (b"a: x\nb: \x00", 2, "holds the character U+0000, which editors do not show"),
        (b"a: x\nb: \x1b[2J", 2, "holds the character U+001B, which editors do not show"),
        (b"a: x\x7f", 1, "holds the character U+007F, which editors do not show"),
        (b"a: &b x\n", 1, "an anchor or alias ('&' or '*'): repeat the text, in quotes where it starts with '*'"),
        (b"a: &b [x]\n", 1, "an anchor or alias ('&' or '*'): repeat the text, in quotes where it starts with '*'"),
        (b"a: 1\nb: *a\n", 2, "an anchor or alias ('&' or '*'): repeat the text, in quotes where it starts with '*'"),
        (b"a: *@b\n", 1, "no YAML: write what starts with '*' or '@' in quotes"),
        (b"a: *\n", 1, "no YAML: write what starts with '*' or '@' in quotes"),
        (b"a: @b\n", 1, "no YAML: write what starts with '*' or '@' in quotes"),
        (b"a: !!str x\n", 1, "a tag ('!'): write plain texts, in quotes where they start with '!'"),
        (b"a: !b x\n", 1, "a tag ('!'): write plain texts, in quotes where they start with '!'"),
        (b"a: !b\n  - x\n", 1, "a tag ('!'): write plain texts, in quotes where they start with '!'"),
        (b"--- x\n--- y\n", 2, "a second document"),
        (b"a: x\nb: y\na: z\n", 3, "'a' is there twice, first on line 1"),
        (b"a: x\n'a': z\n", 2, "'a' is there twice, first on line 1"),
        (b"a: x\n7: y\n", 2, "a key is a number instead of a text; write it in quotes"),
        (b"on: x\n", 1, "a key is true or false instead of a text; write it in quotes"),
        (b"<<: {a: x}\n", 1, "a key is a special value instead of a text; write it in quotes"),
        (b"[a]: x\n", 1, "a key is a list instead of a text; write it in quotes"),
        (b"[[[[[x]]]]]", 1, "nested too deep"),
    ],
)
def test_what_is_refused_has_a_line_and_a_reason(text, line, reason):
    assert outcome(text) == (line, reason)


@pytest.mark.usefixtures("_both_parsers")
@pytest.mark.parametrize(
    ("text", "line"),
    [(b"a: [\n", 1), (b"a: x\n b: y\n", 2), (b"a: x\nb\n", 2), (b"a: 'x\n", 1), (b"\ta: x", 1), (b"a: b: c", 1)],
)
def test_what_is_no_yaml_has_a_line(text, line):
    found, reason = outcome(text)
    assert (found, reason[:9]) == (line, "no YAML: ")


@pytest.mark.usefixtures("_both_parsers")
@pytest.mark.parametrize("opening", [b"[", b"{", b"- ", b"? "])
def test_depth_is_refused_before_it_costs_anything(opening):
    line, reason = outcome(opening * 30000)
    assert (line, "nest" in reason) == (1, True)


@pytest.mark.usefixtures("_both_parsers")
def test_four_levels_are_read():
    assert parse_yaml(b"[[[[x]]]]").kind == "a list"


pieces = st.sampled_from(
    [*"ab:-,[]{}'\"#&*!|>%@`?~ \n", "\n  ", ": ", "- ", "---\n", "...\n", "é", "\t", "\r\n", "\ufeff"]
)


@given(st.lists(pieces, max_size=20).map("".join) | st.text())
def test_any_text_is_read_or_refused_and_where_both_parsers_read_it_they_read_the_same(text):
    found = []
    for loader in (yaml.SafeLoader, strict_yaml._LOADER):
        strict_yaml._LOADER, kept = loader, strict_yaml._LOADER
        try:
            found.append(outcome(text.encode()))
        finally:
            strict_yaml._LOADER = kept
    one, other = found
    assert one == other or isinstance(one, tuple) or isinstance(other, tuple)
