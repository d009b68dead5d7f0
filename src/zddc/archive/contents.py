"""Reads the bytes of an archive's files, also of those in zipped transmittals."""

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from zddc.archive import zipped
from zddc.archive.tree import Entry, is_zip_transmittal


@contextmanager
def open_entry(root: Path, entry: Entry) -> Iterator[IO[bytes]]:
    """Open a file for reading, also one in a zipped transmittal.

    Raises OSError where it cannot be read, is a link by now, or is damaged in its zip.
    """
    names = entry.path.split("/")
    inside = next((depth for depth, name in enumerate(names[:-1], 1) if is_zip_transmittal(name)), len(names))
    file = root.joinpath(*names[:inside])
    if inside < len(names) and file.is_dir():  # a folder may be called so, too
        file, inside = root / entry.path, len(names)
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - what is open already
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{entry.path} is no file any more")
        if inside == len(names):
            yield stream
            return
        try:
            with zipped.open_member(stream, "/".join(names[inside:])) as member:
                yield member
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, KeyError) as error:
            raise OSError(f"{entry.path} is damaged: {error}") from error


def sha256_of(root: Path, entry: Entry) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises OSError as :func:`open_entry` does."""
    digest = hashlib.sha256()
    with open_entry(root, entry) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
