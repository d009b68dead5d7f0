"""Compares two answers word by word."""

import re
from difflib import SequenceMatcher
from itertools import takewhile
from typing import NamedTuple

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Longer texts are compared by lines, and texts with more lines than this only at their beginning and end.
_MOST = 3000
# With less in common, two texts differ everywhere: marks would only be noise.
_LEAST_ALIKE = 0.3


class DiffPiece(NamedTuple):
    """A stretch of a text, and whether the other text lacks it; white space alone is no difference."""

    text: str
    differs: bool


class Differences(NamedTuple):
    """Two texts in pieces; with ``alike`` false they have too little in common, and nothing is marked."""

    left: list[DiffPiece]
    right: list[DiffPiece]
    alike: bool


def differences(left: str, right: str) -> Differences:
    """Compare two texts; the pieces of each, put together, are the text."""
    split = _TOKEN if max(len(_TOKEN.findall(left)), len(_TOKEN.findall(right))) <= _MOST else _LINE
    ours, theirs = split.findall(left), split.findall(right)
    found = _matches(ours, theirs)
    common = sum(len(token) for begin, _, size in found for token in ours[begin : begin + size])
    if left != right and 2 * common < _LEAST_ALIKE * (len(left) + len(right)):
        return Differences([DiffPiece(left, False)], [DiffPiece(right, False)], alike=False)
    return Differences(
        _pieces(ours, [(begin, size) for begin, _, size in found]),
        _pieces(theirs, [(begin, size) for _, begin, size in found]),
        alike=True,
    )


def _matches(ours: list[str], theirs: list[str]) -> list[tuple[int, int, int]]:
    """Return where each stretch that both have begins in the one and in the other, and how long it is."""
    begin = _alike(ours, theirs)
    end = _alike(ours[begin:][::-1], theirs[begin:][::-1])
    left, right = ours[begin : len(ours) - end], theirs[begin : len(theirs) - end]
    # With autojunk, frequent tokens of long texts begin no match: without it the time is cubic in their number.
    blocks = SequenceMatcher(None, left, right).get_matching_blocks() if max(len(left), len(right)) <= _MOST else []
    # White space that both have is no agreement.
    blocks = [block for block in blocks if "".join(left[block.a : block.a + block.size]).strip()]
    return [
        (0, 0, begin),
        *((block.a + begin, block.b + begin, block.size) for block in blocks),
        (len(ours) - end, len(theirs) - end, end),
    ]


def _alike(ours: list[str], theirs: list[str]) -> int:
    """Return how many tokens both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))


def _pieces(tokens: list[str], matches: list[tuple[int, int]]) -> list[DiffPiece]:
    found, end = [], 0
    for begin, size in [*matches, (len(tokens), 0)]:
        own = "".join(tokens[end:begin])
        found += [DiffPiece(own, not own.isspace()), DiffPiece("".join(tokens[begin : begin + size]), False)]
        end = begin + size
    return [piece for piece in found if piece.text]
