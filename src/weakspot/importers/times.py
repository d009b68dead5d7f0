"""Reads the times that logs give, in the units and the texts that programs write."""

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# As seconds, milliseconds and microseconds these are in the year 5138: a larger number is of the next smaller unit.
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
# A time before it is none: a counter, or 0 for a missing one.
_FIRST_YEAR, _LAST_YEAR = 2000, 2199
_NUMBER = re.compile(r"\d{9,20}(?:\.\d{0,9})?")
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")
_FORMS = (
    *("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S %z"),
    *("%d/%b/%Y:%H:%M:%S %z", "%a %b %d %H:%M:%S %Y", "%b %d, %Y %H:%M:%S", "%b %d, %Y, %I:%M:%S %p"),
)


def parse_time(value: object) -> datetime | None:
    """Return the time that a log gives, in UTC; None where it cannot be read.

    A number, also as a text, is seconds, milliseconds, microseconds or nanoseconds since 1970. A text is in ISO 8601,
    in RFC 2822, or as common logs write it; without a zone it is in UTC.
    """
    if isinstance(value, str):
        text = value.strip()
        found = _parse_number(float(text)) if _NUMBER.fullmatch(text) else _parse_text(text)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = _parse_number(value)
    else:
        return None
    return found if found and _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def _parse_number(value: float) -> datetime | None:
    unit = next((unit for limit, unit in _UNITS if 0 < value < limit), None)
    return datetime.fromtimestamp(value / unit, UTC) if unit else None


def _parse_text(text: str) -> datetime | None:
    text = _LONG_FRACTION.sub(r"\1", text)
    if text.endswith((" UTC", " GMT")):
        text = f"{text[:-4]} +0000"
    forms: tuple[Callable[[str], datetime], ...] = (
        datetime.fromisoformat,
        lambda one: datetime.fromisoformat(one.replace(" +", "+")),
        *(lambda one, form=form: datetime.strptime(one, form) for form in _FORMS),  # noqa: DTZ007
        parsedate_to_datetime,  # it reads much, so it comes last
    )
    for parse in forms:
        with contextlib.suppress(ValueError, OverflowError, TypeError, IndexError):
            found = parse(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    return None
