"""A time of a file is told in UTC, and one that no calendar has stops nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zddc.times import format_mtime, format_time, utc_time


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_764_374_400.9, "2025-11-29T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (1 << 40, "1970-01-01T00:00:00Z"),
        (-(1 << 40), "1970-01-01T00:00:00Z"),
    ],
)
def test_a_time_is_told_to_the_second(seconds, told):
    assert format_time(utc_time(int(seconds * 1_000_000_000))) == told
    assert format_mtime(int(seconds * 1_000_000_000)) == told


@given(st.integers(-(1 << 68), 1 << 68) | st.integers(-(1 << 63), 1 << 63))
@example(253_402_300_800 * 10**9 - 1)
@example(253_402_300_800 * 10**9)
@example(-62_135_596_800 * 10**9)
@example(-62_135_596_800 * 10**9 - 1)
def test_the_fast_way_says_the_same(mtime_ns):
    assert format_mtime(mtime_ns) == format_time(utc_time(mtime_ns))
