"""Reads the bytes of an archive's files, also of those in zipped transmittals."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from zddc import zipped
from zddc.archive.tree import Entry, is_zip_transmittal
from zddc.file_identity import FILE


def path_on_disk(root: Path, entry: Entry) -> tuple[str, str]:
    """Return the path of a file, or of the zip that it is in, and its path in that zip, empty where it is in none."""
    names = entry.path.split("/")
    for depth, name in enumerate(names[:-1], 1):
        path = "/".join(names[:depth])
        if is_zip_transmittal(name) and not (root / path).is_dir():  # a folder may be called so, too
            return path, "/".join(names[depth:])
    return entry.path, ""


@contextmanager
def open_entry(root: Path, entry: Entry) -> Iterator[IO[bytes]]:
    """Open a file for reading, also one in a zipped transmittal.

    Raises OSError where it cannot be read, is a link by now, or is damaged in its zip.
    """
    path, member = path_on_disk(root, entry)
    descriptor = os.open(root / path, FILE)
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - what is open already
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{entry.path} is no file any more")
        if not member:
            yield stream
            return
        try:
            with zipped.open_member(stream, member) as opened:
                yield opened
        except zipped.DAMAGED as error:
            raise OSError(f"{entry.path} is damaged: {error}") from error


def sha256_of(root: Path, entry: Entry) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises OSError as :func:`open_entry` does."""
    digest = hashlib.sha256()
    with open_entry(root, entry) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
