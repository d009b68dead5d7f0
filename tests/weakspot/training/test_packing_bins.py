"""Bins hold everything once, are never too full, and are about as few as there can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.training.packing import pack_into_bins

BUDGETS = st.integers(1, 300)
LENGTHS = st.lists(st.integers(1, 400), max_size=60)


@st.composite
def cut_bins(draw) -> tuple[list[int], int, int]:
    """Cut some full bins into pieces and shuffle them: the lengths, the budget, and how few bins can hold them."""
    budget, count = draw(st.integers(2, 200)), draw(st.integers(1, 25))
    lengths = []
    for _ in range(count):
        cuts = sorted(draw(st.sets(st.integers(1, budget - 1), max_size=5)))
        lengths += [end - start for start, end in zip([0, *cuts], [*cuts, budget], strict=True)]
    return draw(st.permutations(lengths)), budget, count


@given(LENGTHS, BUDGETS)
def test_nothing_is_lost_and_nothing_is_there_twice(lengths, budget):
    assert sorted(index for each in pack_into_bins(lengths, budget) for index in each) == list(range(len(lengths)))


@given(LENGTHS, BUDGETS)
def test_only_what_is_too_long_by_itself_is_over_the_budget_and_it_is_alone(lengths, budget):
    for each in pack_into_bins(lengths, budget):
        assert sum(lengths[index] for index in each) <= budget or len(each) == 1


@given(cut_bins())
def test_there_are_about_as_few_bins_as_there_can_be(cut):
    lengths, budget, fewest = cut
    assert fewest <= len(pack_into_bins(lengths, budget)) <= 11 / 9 * fewest + 1


@given(LENGTHS, BUDGETS)
def test_no_two_bins_would_fit_into_one(lengths, budget):
    sums = sorted(sum(lengths[index] for index in each) for each in pack_into_bins(lengths, budget))
    assert len(sums) < 2 or sums[0] + sums[1] > budget


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_without_a_budget_everything_is_alone(lengths):
    assert all(len(each) == 1 for each in pack_into_bins(lengths, 0))


@pytest.mark.parametrize(
    ("lengths", "budget", "wanted"),
    [
        ([], 10, []),
        ([6, 4, 5, 5], 10, [[0, 1], [2, 3]]),
        ([3, 6, 4, 7], 10, [[3, 0], [1, 2]]),
        ([12, 1], 10, [[0], [1]]),
        ([15, 12, 6, 2], 20, [[0], [1, 2, 3]]),  # the first with room, and the one with most room, is another
    ],
)
def test_each_goes_into_the_fullest_bin_that_has_room_the_longest_first(lengths, budget, wanted):
    assert pack_into_bins(lengths, budget) == wanted
