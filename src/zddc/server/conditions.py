"""Finds whether a request's conditions hold, and which parts of a file it asks for: RFC 9110, sections 13 and 14."""

import itertools
import re
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from zddc.server.answer import Request

NOT_MODIFIED, PRECONDITION_FAILED = 304, 412

_CONDITIONS = frozenset((b"if-match", b"if-unmodified-since", b"if-none-match", b"if-modified-since"))
_RANGES = frozenset((b"range",))
_TAG = re.compile(r'\s*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|\Z)|\s*,')
_DATES = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")
_RANGE = re.compile(r"[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.ASCII)
_MOST_RANGES = 16
_LONGEST_NUMBER = 20  # digits; more are larger than any file


class Validators(NamedTuple):
    """By what a copy is known to be the present one: an entity tag, and seconds since 1970 where they can be told."""

    tag: str
    modified: int | None = None


class Range(NamedTuple):
    """A part of a file: the position of its first byte, and the one after its last."""

    start: int
    stop: int


class UnsatisfiableError(Exception):
    """No byte of what is asked for is in the file."""


def status_of_conditions(request: Request, validators: Validators) -> int:
    """Return the status that a request's conditions lead to, or 0 where it is to be answered as if it had none."""
    if _has_none_of(_CONDITIONS, request):
        return 0
    modified = validators.modified
    if (wanted := request.field("if-match")) is not None:
        if not _names(wanted, validators.tag, strong=True):
            return PRECONDITION_FAILED
    elif modified is not None and (date := _date(request.field("if-unmodified-since"))) is not None and modified > date:
        return PRECONDITION_FAILED
    if (known := request.field("if-none-match")) is not None:
        return NOT_MODIFIED if _names(known, validators.tag, strong=False) else 0
    if modified is not None and (date := _date(request.field("if-modified-since"))) is not None and modified <= date:
        return NOT_MODIFIED
    return 0


def ranges(request: Request, validators: Validators, size: int) -> list[Range]:
    """Return the parts of a file that are to be sent, in the order asked for; none where it is to be sent whole.

    It is sent whole where the header is not a set of byte ranges, where the ranges overlap or are more than 16, where
    ``If-Range`` is not the present strong tag, and where the file is empty. Raises :class:`UnsatisfiableError`.
    """
    if _has_none_of(_RANGES, request):
        return []
    given = request.headers.getlist("range")
    unit, equals, text = given[0].partition("=") if len(given) == 1 else ("", "", "")
    if request.method != "GET" or not equals or unit.lower() != "bytes" or not size:
        return []
    if (known := request.field("if-range")) is not None and known.strip() != validators.tag:
        return []
    is_any_asked, parts = False, list[Range]()
    for part in text.split(","):
        if not part.strip(" \t"):
            continue
        is_any_asked, found = True, _RANGE.fullmatch(part)
        if found is None or (found[1] and found[2] and _number(found[2]) < _number(found[1])):
            return []
        start = _number(found[1]) if found[1] else max(0, size - _number(found[3]))
        stop = min(size, _number(found[2]) + 1) if found[2] else size
        if start >= stop:
            continue
        if parts and parts[-1].stop == start:
            parts[-1] = Range(parts[-1].start, stop)
        elif len(parts) == _MOST_RANGES:
            return []  # what follows, which may be thousands, is not looked at
        else:
            parts.append(Range(start, stop))
    if is_any_asked and not parts:
        raise UnsatisfiableError
    overlaps = any(one.stop > other.start for one, other in itertools.pairwise(sorted(parts)))
    return [] if overlaps else parts


@lru_cache(maxsize=1 << 12)
def format_date(seconds: int) -> str:
    """Return the date of a header."""
    # strftime would take the names of days and months from the system's language.
    return formatdate(seconds, usegmt=True)


def _has_none_of(names: frozenset[bytes], request: Request) -> bool:
    """Return whether a request has none of some headers; most have no condition, and this is sooner known."""
    return names.isdisjoint(map(itemgetter(0), request.headers.raw))


def _number(digits: str) -> int:
    return int(digits.lstrip("0")[:_LONGEST_NUMBER] or 0)


def _date(text: str | None) -> int | None:
    for form in _DATES if text else ():
        try:
            return int(datetime.strptime(text or "", form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    return None


def _names(text: str, tag: str, *, strong: bool) -> bool:
    """Return whether a list of entity tags has one; what is no such list has none."""
    text = text.strip()
    if text == "*":
        return True
    found, done = [], 0
    while done < len(text):
        one = _TAG.match(text, done)
        if one is None:
            return False
        found.append(one[1])
        done = one.end()
    if strong:
        return tag in found and not tag.startswith("W/")
    return tag.removeprefix("W/") in [one.removeprefix("W/") for one in found if one]
