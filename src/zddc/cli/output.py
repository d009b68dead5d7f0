"""Output of the commands, in characters that a terminal neither interprets nor hides."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.cells import cell_len
from rich.progress import track

from zddc import console

Item = TypeVar("Item")


def track_progress(words: str, items: Iterable[Item], total: int | None = None) -> Iterable[Item]:
    """Yield ``items``, with a progress bar on a terminal; nothing may be printed before the last of them."""
    return track(items, words, total, console=console.err, transient=True, disable=not console.err.is_terminal)


def print_line(line: str) -> None:
    """Print a line on standard output."""
    sys.stdout.write(f"{escape(line)}\n")


def print_columns(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell; nothing if there is no row."""
    lines = [[escape(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines if len(lines) > 1 else ():
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def escape(text: str) -> str:
    """Escape characters that a terminal would interpret, hide or fail to encode."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
