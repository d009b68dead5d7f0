"""A time of a file is told in UTC, and one that no calendar has stops nothing."""

import pytest

from zddc.times import format_time, utc_time


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
