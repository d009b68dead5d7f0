"""Makes folders of very many files, at once: all are one file of the disk, under many names."""

import os
from collections.abc import Iterable
from pathlib import Path

# No file system of ours takes fewer names of one file.
_NAMES_OF_A_FILE = 10_000


def make_many(folder: Path, names: Iterable[str]) -> None:
    """Make an empty file of each name in a folder that is there."""
    place = f"{folder}{os.sep}"
    for number, name in enumerate(names):
        if number % _NAMES_OF_A_FILE == 0:
            first = place + name
            os.close(os.open(first, os.O_CREAT | os.O_EXCL, 0o600))
        else:
            os.link(first, place + name)
