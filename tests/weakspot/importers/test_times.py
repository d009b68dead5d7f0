"""Times are read in every unit and in the usual texts; what is none is none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.importers.times import parse_time


@pytest.mark.parametrize(
    "value",
    [
        *("2025-10-31T14:30:00.000Z", "2025-10-31T15:30:00+01:00", "2025-10-31 14:30:00", "2025-10-31T14:30:00+0000"),
        *("2025-10-31T14:30:00.000000000Z", "2025-10-31 14:30:00 UTC", "2025-10-31 14:30:00 +0000", "20251031T143000Z"),
        *("Fri, 31 Oct 2025 14:30:00 GMT", "Fri Oct 31 14:30:00 2025", "31/Oct/2025:14:30:00 +0000"),
        *("2025/10/31 14:30:00", "Oct 31, 2025, 2:30:00 PM"),
        *(1761921000, 1761921000.0, 1761921000000, 1761921000000000, 1761921000000000000),
        *("1761921000", "1761921000.000", "1761921000000", "1761921000000000000"),
    ],
)
def test_a_time_is_understood_however_it_is_written(value):
    assert parse_time(value) == datetime(2025, 10, 31, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        *("yesterday", "", None, True, -1, 0, 1, 7, 1e300, float("nan"), float("inf"), [], {}),
        *("0001-01-01T00:00:00+14:00", "31.10.2025", "20"),
    ],
)
def test_what_is_no_time_is_none(value):
    assert parse_time(value) is None


@given(st.text(max_size=30) | st.integers() | st.floats() | st.text("0123456789-:./ TZ+", max_size=30))
def test_whatever_stands_there_it_is_a_time_of_our_century_or_none(value):
    found = parse_time(value)
    assert found is None or 2000 <= found.year < 2200
