"""Revisions such as ``A``, ``~B``, ``A+C2``, ``0`` or ``2025-10-31``: their parts and their order."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

# ASCII only: \d would also take digits of other scripts, which int() and people read differently.
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LETTERS = re.compile(r"[A-Za-z]+")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
# A file name has at most 255 characters, and Python always converts that many digits to an int.
_MODIFIER = re.compile(r"\+(~?)([A-Za-z])([0-9]{1,255})")

SortKey: TypeAlias = tuple[int, Decimal, str, str, bool, bool, str, int, bool]


@dataclass(frozen=True)
class Revision:
    """The parts of a revision.

    ``modifier`` is everything from the first ``+`` on. If it consists of ``+``, an optional ``~``, one letter and
    digits, ``modifier_type`` is that letter in upper case and ``modifier_number`` the number; otherwise the type is
    empty and the number 0. ``~`` marks a working draft, of the base or of the modifier.
    """

    base: str
    modifier: str
    modifier_type: str
    modifier_number: int
    modifier_is_draft: bool
    is_draft: bool
    text: str


def parse_revision(text: str) -> Revision:
    """Parse any text into the parts of a revision; never raises."""
    base, plus, tail = text.removeprefix("~").partition("+")
    known = _MODIFIER.fullmatch(plus + tail)
    tilde, letter, digits = known.groups() if known else ("", "", "0")
    return Revision(
        base=base,
        modifier=plus + tail,
        modifier_type=letter.upper(),
        modifier_number=int(digits),
        modifier_is_draft=bool(tilde),
        is_draft=text.startswith("~"),
        text=text,
    )


def revision_key(revision: str) -> SortKey:
    """Return a key that sorts revisions from older to newer; any two texts can be compared.

    Dates come first, then letters, then numbers, then everything else. Letters sort as upper-case text
    (``A`` < ``AA`` < ``B``), numbers by value (``9`` < ``10``, ``1`` = ``01``), everything else by case-folded text and
    then by code point, which is the same in every locale. With the same base, a draft comes before the final, no
    modifier before any modifier, and modifiers sort by type, then number, then draft before final.
    """
    read = parse_revision(revision)
    if DATE.fullmatch(read.base):
        base = 0, Decimal(0), read.base, ""
    elif _LETTERS.fullmatch(read.base):
        base = 1, Decimal(0), read.base.upper(), ""
    elif _NUMBER.fullmatch(read.base):
        base = (
            2,
            Decimal(read.base),
            "",
            "",
        )  # exact at any length, where int() refuses more than 4,300 digits
    else:
        base = 3, Decimal(0), read.base.casefold(), read.base
    return (
        *base,
        not read.is_draft,
        bool(read.modifier),
        read.modifier_type,
        read.modifier_number,
        not read.modifier_is_draft,
    )
