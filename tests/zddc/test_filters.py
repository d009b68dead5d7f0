"""Expressions match what spec/filters.json says, and what a second matcher that shares no code with ours says."""

import json
import os
import random
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import archives

from zddc import filters
from zddc.filters import FilterError, parse_filter
from zddc.naming import parse_filename

SPEC = json.loads((Path(__file__).parents[2] / "spec/filters.json").read_text(encoding="utf-8"))
SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


def by_rule(case):
    return case.get("rule", case["expression"])


def test_columns_and_limits_are_those_of_the_spec():
    assert dict(filters.COLUMNS) == SPEC["columns"]
    limits = (filters.LONGEST_EXPRESSION, filters.LONGEST_PATTERN, filters.DEEPEST_GROUP)
    assert limits == tuple(SPEC["limits"].values())
    assert {frozenset(row) for row in SPEC["rows"].values()} == {frozenset(SPEC["columns"].values())}


@pytest.mark.parametrize("case", SPEC["cases"], ids=by_rule)
def test_an_expression_matches_what_the_spec_says(case):
    matches = parse_filter(case["expression"])
    assert [name for name, row in SPEC["rows"].items() if matches(row)] == case["matches"]


@pytest.mark.parametrize("case", SPEC["errors"], ids=by_rule)
def test_what_cannot_be_read_is_named_with_its_place(case):
    with pytest.raises(FilterError) as raised:
        parse_filter(case["expression"])
    error = raised.value
    assert (error.start, error.end, error.problem) == (case["start"], case["end"], case["problem"])


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("a" * 1001, "at most 1000 characters"),
        ("a" * 201, "at most 200 characters"),
        (f'"{"a" * 201}"', "at most 200 characters"),
        ("a \ud800", "not valid Unicode text"),
        ("a .{1000}", "too large"),
        (f"a {'.{1000}' * 20}", "too large"),
    ],
)
def test_what_is_too_long_or_no_text_is_refused(expression, problem):
    with pytest.raises(FilterError, match=problem) as raised:
        parse_filter(expression)
    assert len(str(raised.value)) < 200


def test_a_column_that_is_nearly_one_is_suggested():
    with pytest.raises(FilterError, match="did you mean status:; or put it in quotation marks"):
        parse_filter("satus:IFC")


def test_a_name_that_is_no_unicode_text_is_a_row_too():
    row = SPEC["rows"]["notes"] | {"title": "T\udcff note"}
    assert parse_filter("note")(row)
    assert not parse_filter("^note")(row)


# A drawn expression is written down as text, and asked directly.


class Drawn:
    """An expression as text, with a function that answers for it; None says nothing."""

    def __init__(self, text: str, answer: Callable[[dict, str], bool] | None) -> None:
        self.text, self.answer = text, answer


WORDS = (
    *("acme", "CIV", "dwg-00", "a", "IFC", "~", "+c1", "1.5", "pdf", "-", ".", "a+c1", "Übersicht", "U\u0308b", "平面"),
    *("b.*a", "[0-9]{3}", "[x", "*a", "\\.", "no\\b", "(north)", "site layout", "0|1"),
)
BLANKS = (" ", "  ", "\t", "\u00a0")


def folded(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def found(pattern: str, text: str, at_start: bool, at_end: bool) -> bool:
    text = folded(text)
    for tried in (folded(pattern), re.escape(folded(pattern))):
        try:
            re.compile(tried)
        except re.error:
            continue
        whole = r"\A" * at_start + f"(?:{tried})" + r"\Z" * at_end
        if re.search(whole, text, re.IGNORECASE | re.DOTALL):
            return True
    return False


def draw_term(chance: random.Random) -> Drawn:
    word, at_start, at_end = chance.choice(WORDS), chance.random() < 0.2, chance.random() < 0.2
    phrase = chance.random() < 0.2 or any(letter in " ()|" for letter in word)
    quotes = '"' * phrase
    text = "^" * at_start + quotes + word + quotes + "$" * at_end
    if chance.random() < 0.05:
        return Drawn(chance.choice(("*", "^", "$", '""')), None)
    pattern = re.escape(word) if phrase else word

    def answer(row, column):
        value = row[column] if column else " ".join(row[name] for name in SPEC["free_text"] if row[name])
        return found(pattern, value, at_start, at_end)

    return Drawn(text, answer)


def draw_item(chance: random.Random, depth: int) -> Drawn:
    if depth and chance.random() < 0.3:
        inner = draw_expression(chance, depth - 1)
        part = Drawn(f"({inner.text})", inner.answer)
    else:
        part = draw_term(chance)
    text, answer = part.text, part.answer
    column = chance.choice(list(SPEC["columns"])) if chance.random() < 0.4 else ""
    inside, outside = chance.random() < 0.2 and bool(column), chance.random() < 0.2
    text = "!" * outside + f"{column}:" * bool(column) + "!" * inside + text
    if answer is None:
        return Drawn(text, None)
    own = SPEC["columns"].get(column, "")
    return Drawn(text, lambda row, around: answer(row, own or around) != (inside != outside))


def draw_expression(chance: random.Random, depth: int = 3) -> Drawn:
    texts, branches = [], []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        items = [draw_item(chance, depth) for _ in range(chance.choice((1, 1, 2, 3)))]
        texts.append(chance.choice(BLANKS).join(item.text for item in items))
        branches.append([item.answer for item in items if item.answer])
    text = chance.choice(("|", " | ")).join(texts)
    if not all(branches):  # one of them says nothing, so all together say nothing
        return Drawn(text, None)
    return Drawn(text, lambda row, column: any(all(part(row, column) for part in parts) for parts in branches))


def drawn_rows(chance: random.Random) -> list[dict[str, str]]:
    files = chance.sample(list(archives.draw(400, 3, odd=0.2)), 12)
    rows = []
    for file in files:
        folder, _, name = file.path.rpartition("/")
        parts = {key: str(value) for key, value in parse_filename(name).to_json().items()}
        outside = {"name": name, "folder": folder, "party": folder.split("/")[1:2] and folder.split("/")[1]}
        rows.append(parts | outside | {"transmittal": chance.choice(("", "TRN-000001")), "date": "2025-10-31"})
    return [*SPEC["rows"].values(), *({key: str(value or "") for key, value in row.items()} for row in rows)]


def test_drawn_expressions_match_what_a_second_matcher_says():
    chance = random.Random(21)
    rows = drawn_rows(chance)
    answers = [0, 0]
    for number in range(20_000 if SOAK else 300):
        drawn = draw_expression(chance)
        if len(drawn.text) > filters.LONGEST_EXPRESSION:
            continue
        matches = parse_filter(drawn.text)
        for row in rows:
            expected = drawn.answer is None or drawn.answer(row, "")
            assert matches(row) == expected, (number, drawn.text, row)
            if expected and matches.may_be:
                assert matches.may_be(filters.fold(row["name"])), (number, drawn.text, row)
            answers[expected] += 1
    assert min(answers) > sum(answers) / 10  # neither answer is rare


@settings(max_examples=20_000 if SOAK else 3 * settings.default.max_examples)
@given(st.text(st.sampled_from('ab.*+?[]{}\\^$!|() ":0,') | st.characters(), max_size=300))
def test_any_text_is_an_expression_or_an_error_with_its_place(text):
    try:
        matches = parse_filter(text)
    except FilterError as error:
        place = (error.start, error.end)
    else:
        place = (0, 1)
        assert {matches(row) for row in SPEC["rows"].values()} <= {True, False}
    assert 0 <= place[0] < place[1] <= max(len(text), 1)


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 20 + "a",
        "a|" * 499,
        "! " * 500,
        "a " * 500,
        " ".join([".*" * 100] * 4),
        " ".join(["[a-z]*" * 33 + "9"] * 4),
        "(a*a*a*a*a*a*a*a*a*a*a*a*b)",
        "[a-z]{0,150}9",
        '"' * 999,
        "status: " * 125,
    ],
)
def test_hard_expressions_are_answered_on_long_rows(expression):
    long_row = dict.fromkeys(SPEC["columns"].values(), "a" * 255)
    matches = parse_filter(expression)
    for _ in range(20):
        assert matches(long_row) in (True, False)
