"""Reads which files are in a zip, and leaves out those that no file system should be given."""

import datetime
import io
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

_LARGEST_DIRECTORY = 16 * 1024 * 1024  # bytes; some 100,000 members
_LARGEST_RATIO, _LARGE = 200, 100_000_000
_ENCRYPTED = 1
# How much these unpack at once is bounded.
_UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NEVER = re.compile(r"\A/|\\|\A[A-Za-z]:|[\x00-\x1f\x7f-\x9f\ud800-\udfff]|(?:\A|/)\.{0,2}(?:/|\Z)")


class Member(NamedTuple):
    """A file in a zip: its path there, its size unpacked, and its time, which a zip gives without a zone, as UTC."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Members:
    """The files of a zip, and what was left out of it, with the reason; an empty name is the zip itself."""

    files: list[Member]
    left_out: list[tuple[str, str]]


def read_members(file: Path | int) -> Members:
    """Return the files of a zip, given by its path or by a descriptor, which stays open.

    One that cannot be read has none, and is left out itself. Raises OSError.
    """
    files, left_out, seen = [], [], set[str]()
    try:
        with (
            _BoundedReader(io.FileIO(file, closefd=not isinstance(file, int))) as stream,
            zipfile.ZipFile(stream) as archive,
        ):
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, UnicodeDecodeError) as error:
        return Members([], [("", f"the zip cannot be read: {str(error).lower()}")])
    for member in members:
        # What zipfile makes of a name that is cut at a NUL, or has backslashes on Windows, is not what stands there.
        name = member.orig_filename
        if name.endswith("/"):
            continue
        if reason := _reason_to_leave_out(member, name) or ("the name is there twice" if name in seen else ""):
            left_out.append((name, reason))
        else:
            files.append(Member(name, member.file_size, _mtime_ns(member.date_time)))
        seen.add(name)
    return Members(files, left_out)


@contextmanager
def open_member(stream: IO[bytes], path: str) -> Iterator[IO[bytes]]:
    """Open a file of a zip; raises zipfile.BadZipFile and what zipfile raises where it is not there or damaged."""
    with _BoundedReader(io.FileIO(stream.fileno(), closefd=False)) as bounded, zipfile.ZipFile(bounded) as archive:
        member = next((one for one in archive.infolist() if one.orig_filename == path), None)
        if member is None:
            raise zipfile.BadZipFile("there is no such member")
        with archive.open(member) as opened:
            yield opened


class _BoundedReader(io.BufferedReader):
    """A file that gives no more at once than the directory of a zip may take."""

    def read(self, size: int | None = -1, /) -> bytes:
        bounded = _LARGEST_DIRECTORY + 1 if size is None or size < 0 else min(size, _LARGEST_DIRECTORY + 1)
        data = super().read(bounded)
        if len(data) > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("it has too many members")
        return data


def _reason_to_leave_out(member: zipfile.ZipInfo, name: str) -> str:
    if _NEVER.search(name):
        return "a path that leads elsewhere, or that not every system can have"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link; links are never followed"
    if member.flag_bits & _ENCRYPTED:
        return "encrypted"
    if member.compress_type not in _UNPACKED:
        return "compressed by a method that may take any amount of memory to unpack"
    if member.file_size > max(_LARGE, _LARGEST_RATIO * member.compress_size):
        return f"it would unpack to more than {_LARGEST_RATIO} times its size"
    return ""


def _mtime_ns(time: tuple[int, int, int, int, int, int]) -> int:
    try:
        return int(datetime.datetime(*time, tzinfo=datetime.UTC).timestamp()) * 1_000_000_000
    except ValueError:  # such as the 31st of February, or month 0
        return 0
