"""Revisions are taken apart and ordered as spec/revision-order.json says."""

import json
from dataclasses import asdict
from itertools import combinations, pairwise, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zddc.revision import parse_revision, revision_key

SPEC = json.loads((Path(__file__).parents[2] / "spec/revision-order.json").read_text(encoding="utf-8"))

any_text = st.text(st.characters())
# Mostly parts of revisions, so that every rule of the order decides some example.
revision_like = st.lists(
    st.sampled_from(["~", "+", "A", "a", "AA", "B", "C1", "C01", "C10", "0", "1", "01", ".5", "2025-10-31", "é", "١"]),
    max_size=5,
).map("".join)
revisions = revision_like | any_text


@pytest.mark.parametrize("case", SPEC["parsed"], ids=lambda case: repr(case["revision"]))
def test_a_revision_is_taken_apart(case):
    assert asdict(parse_revision(case["revision"])) == case["expected"]


@pytest.mark.parametrize("case", SPEC["orders"], ids=lambda case: case["rule"])
def test_every_revision_of_a_list_sorts_before_all_that_follow_it(case):
    for older, newer in combinations(case["ascending"], 2):
        assert revision_key(older) < revision_key(newer), f"{older!r} should sort before {newer!r}"


@pytest.mark.parametrize("case", SPEC["equal"], ids=lambda case: " = ".join(case["revisions"]))
def test_equal_revisions_sort_alike(case):
    for one, other in pairwise(case["revisions"]):
        assert revision_key(one) == revision_key(other)


@given(revisions)
def test_any_text_can_be_taken_apart_and_put_together_again(text):
    read = parse_revision(text)
    assert "~" * read.is_draft + read.base + read.modifier == read.text == text


@given(revisions, revisions)
def test_any_two_texts_compare_one_way_only(one, other):
    assert (revision_key(one) < revision_key(other)) + (revision_key(one) == revision_key(other)) + (
        revision_key(one) > revision_key(other)
    ) == 1


@given(st.lists(revisions, min_size=3, max_size=3))
def test_the_order_is_transitive(three):
    for a, b, c in product(map(revision_key, three), repeat=3):
        assert not (a <= b <= c) or a <= c


@given(st.text("AB", min_size=1), st.integers(0, 10**30), st.integers(0, 10**30))
def test_modifier_numbers_compare_by_value(base, one, other):
    assert (revision_key(f"{base}+C{one}") < revision_key(f"{base}+C{other}")) == (one < other)


@pytest.mark.parametrize("digits", [256, 5_000, 100_000])
def test_more_digits_than_python_turns_into_a_number_still_sort_by_value(digits):
    assert revision_key("9" * digits) < revision_key("1" + "0" * digits) < revision_key("1" + "0" * digits + ".5")


def test_a_modifier_number_longer_than_a_file_name_is_no_number():
    assert parse_revision("A+C" + "9" * 255).modifier_type == "C"
    assert parse_revision("A+C" + "9" * 256).modifier_type == ""


@pytest.mark.parametrize("unit", ["~", "+", "A", "1", "1.", "+C1", "+~C", "é", "2025-10-31"])
def test_a_text_of_two_million_characters_is_compared(unit):
    """With steps that grow as the square of the length it would take hours."""
    text = unit * (2_000_000 // len(unit))
    assert revision_key(text) != revision_key("A+" + text)
