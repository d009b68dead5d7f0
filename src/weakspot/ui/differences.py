"""Where two answers differ, word by word."""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Comparing takes time quadratic in the tokens: longer texts are compared line by line.
_MOST_TOKENS = 3000
# Two texts with less in common are different throughout: marks would only be noise.
_LEAST_ALIKE = 0.3


class Piece(NamedTuple):
    """A stretch of a text, and whether the other text lacks it."""

    text: str
    differs: bool


class Differences(NamedTuple):
    """Two texts in pieces; with ``alike`` false they have next to nothing in common, and nothing is marked."""

    left: list[Piece]
    right: list[Piece]
    alike: bool


def differences(left: str, right: str) -> Differences:
    """Compare two texts; the pieces of each, put together, are the text."""
    split = _TOKEN if max(len(_TOKEN.findall(left)), len(_TOKEN.findall(right))) <= _MOST_TOKENS else _LINE
    ours, theirs = split.findall(left), split.findall(right)
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    blocks = [
        block
        for block in matcher.get_matching_blocks()
        # A blank that happens to be in both is no agreement.
        if block.size == 0 or any(not token.isspace() for token in ours[block.a : block.a + block.size])
    ]
    common = sum(len(token) for block in blocks for token in ours[block.a : block.a + block.size])
    if 2 * common < _LEAST_ALIKE * (len(left) + len(right)):
        return Differences([Piece(left, False)], [Piece(right, False)], alike=False)
    return Differences(
        _pieces(ours, [(block.a, block.size) for block in blocks]),
        _pieces(theirs, [(block.b, block.size) for block in blocks]),
        alike=True,
    )


def _pieces(tokens: list[str], matches: list[tuple[int, int]]) -> list[Piece]:
    found, end = [], 0
    for begin, size in matches:
        found += [Piece("".join(tokens[end:begin]), True), Piece("".join(tokens[begin : begin + size]), False)]
        end = begin + size
    return [piece for piece in found if piece.text]
