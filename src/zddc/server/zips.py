"""Answers with a folder as one zip file, whose length is told before it is written."""

import os
import re
import stat
import struct
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from zddc.access.decide import Chain
from zddc.access.policy import Policy
from zddc.file_identity import FILE, FOLDER
from zddc.server.answer import EVERYWHERE, REVALIDATED, Answer, CutError, Pieces, Request, answer_text
from zddc.server.answers import SANDBOX, disposition, read_range
from zddc.server.conditions import Range
from zddc.server.listing import open_below, rows_of

LARGEST_ZIP = 20 * 1024**3  # bytes
_MOST_AT_ONCE, _MOST_AT_ONCE_OF_ALL = 2, 16

# Fields are as long as the format's readers all know: 64 bits only where a size or a position needs it.
_NEEDS_64_BITS, _MOST_MEMBERS = (1 << 31) - 1, (1 << 16) - 1
# Above this size a member gets 64 bits from us, below it zipfile gives none, which does so for 5 % more than the size.
_GETS_64_BITS = 2_000_000_000
_EARLIEST, _LATEST = 315_532_800, 4_354_819_198  # 1980 and 2107, between which the format can tell a time
_LONGEST_TIME = (1 << 31) - 1  # that the field of Unix times can tell
# Where one of these stands in a name, Windows shows an empty zip.
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]')
_INSTEAD = "_-+=~!@#$%"  # as many bytes, so that the length stays what was told


class Running:
    """Counts the zips that each person is being sent: two at a time; people without an address have sixteen."""

    def __init__(self) -> None:
        self._counts: Counter[str | None] = Counter()
        self._counting = threading.Lock()

    def begin(self, email: str | None) -> bool:
        """Count one more, or return False where that would be too many."""
        with self._counting:
            may_begin = self._counts[email] < (_MOST_AT_ONCE if email else _MOST_AT_ONCE_OF_ALL)
            self._counts[email] += may_begin
            return may_begin

    def end(self, email: str | None) -> None:
        """Count one less."""
        with self._counting:
            self._counts[email] -= 1
            self._counts += Counter()  # forgets who has none


class Member(NamedTuple):
    """A file that is to be in a zip: its names below the folder, and what it was when the zip was planned."""

    names: tuple[str, ...]
    size: int
    mtime_ns: int


def answer_zip(
    request: Request, folder: int, chain: Chain, policy: Policy, running: Running, largest: int = LARGEST_ZIP
) -> Answer | None:
    """Answer with all that somebody may read below an open folder, which stays open; None where that is nothing.

    More than ``largest`` bytes are answered with 413, and too many at once with 429. A file that is another when it is
    read, or cannot be read any more, raises :class:`CutError` from the body. Raises OSError where the folder cannot be
    read.
    """
    if not running.begin(request.email):
        return answer_text(429, "other zips are being sent to you; try again when one is done", [("retry-after", "30")])
    with ExitStack() as at_end:
        at_end.callback(running.end, request.email)
        members = sorted(plan(folder, chain, policy, request.email))
        if not members:
            return None
        size = size_of_zip(members)
        if size > largest:
            line = f"the zip would have {size} bytes, and {largest} are the most; ask for the folders in it"
            return answer_text(413, line)
        name = f"{request.path.names[-1] if request.path.names else 'archive'}.zip"
        headers = [
            *(SANDBOX, *EVERYWHERE, REVALIDATED),
            *(("content-type", "application/zip"), ("content-disposition", disposition(name, is_shown=False))),
            *(("content-length", str(size)), ("accept-ranges", "none")),
        ]
        if request.method == "HEAD":
            return Answer(200, headers)
        kept = os.dup(folder)
        at_end.callback(os.close, kept)
        return Answer(200, headers, Pieces(write_zip(kept, members), at_end.pop_all().close))


def plan(folder: int, chain: Chain, policy: Policy, email: str | None) -> Iterator[Member]:
    """Yield the files below an open folder that somebody may read; what cannot be read is passed over."""
    waiting: list[tuple[tuple[str, ...], Chain]] = [((), chain)]
    while waiting:
        names, rules = waiting.pop()
        try:
            below = _open_folder(folder, names)
        except OSError:
            continue
        try:
            for row in rows_of(below, rules, policy, email):
                if not row.is_folder:
                    yield Member((*names, row.name), row.size, row.mtime_ns)
                elif opened := open_below(below, rules, policy, email, row.name):
                    os.close(opened[0])
                    waiting.append(((*names, row.name), opened[1]))
        finally:
            os.close(below)


def size_of_zip(members: Sequence[Member]) -> int:
    """Return the bytes that :func:`write_zip` will write, by the lengths that the format gives its fields."""
    end = directory = 0
    for member, position, after, _ in _laid_out(members):
        end = after
        long_fields = 2 * (member.size > _NEEDS_64_BITS) + (position > _NEEDS_64_BITS)
        directory += 46 + _name_and_extra(member) + (4 + 8 * long_fields if long_fields else 0)
    is_large = len(members) > _MOST_MEMBERS or end > _NEEDS_64_BITS or directory > _NEEDS_64_BITS
    return end + directory + (76 if is_large else 0) + 22


def _laid_out(members: Sequence[Member]) -> Iterator[tuple[Member, int, int, bool]]:
    """Yield each member with the positions of its first byte and after its last, and whether its sizes get 64 bits.

    They get them behind the first two gigabytes too, for some versions of unzip take a member for damaged that has 64
    bits for its position and not for its sizes.
    """
    position = 0
    for member in members:
        is_long = member.size > _GETS_64_BITS or position > _NEEDS_64_BITS
        end = position + 30 + _name_and_extra(member) + member.size + (20 + 24 if is_long else 16)
        yield member, position, end, is_long
        position = end


def _name_and_extra(member: Member) -> int:
    return len("/".join(member.names).encode()) + len(_extra(member))


def write_zip(folder: int, members: Sequence[Member]) -> Iterator[bytes]:
    """Yield a zip of files below an open folder, uncompressed; raises :class:`CutError` where one is another now."""
    written = _Written()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for (member, _, _, is_long), path in zip(_laid_out(members), _paths_in_zip(members), strict=True):
            info = zipfile.ZipInfo(path, _zip_time(member))
            info.file_size, info.extra, info.external_attr = member.size, _extra(member), 0o100644 << 16
            with ExitStack() as opened:
                file = _open_member(folder, member, opened)
                to = opened.enter_context(archive.open(info, "w", force_zip64=is_long))
                for piece in read_range(file, Range(0, member.size)):
                    to.write(piece)
                    yield written.take()
    yield written.take()


def _paths_in_zip(members: Sequence[Member]) -> Iterator[str]:
    """Yield the path of each member as it stands in the zip: no two are the same, and Windows can have all."""
    paths = ["/".join(member.names) for member in members]
    taken = set(paths) if any(map(_NOT_ON_WINDOWS.search, paths)) else set()
    for path in paths:
        if _NOT_ON_WINDOWS.search(path):
            others = (_NOT_ON_WINDOWS.sub(mark, path) for mark in _INSTEAD)
            taken.add(path := next((one for one in others if one not in taken), path))
        yield path


class _Written:
    """A file that zipfile writes to, and that cannot be gone back in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing behind it to flush to."""

    def close(self) -> None:
        """There is nothing to let go."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _open_folder(folder: int, names: Sequence[str]) -> int:
    opened = os.dup(folder)
    for name in names:
        try:
            below = os.open(name, FOLDER, dir_fd=opened)
        finally:
            os.close(opened)
        opened = below
    return opened


def _open_member(folder: int, member: Member, opened: ExitStack) -> int:
    try:
        below = _open_folder(folder, member.names[:-1])
        opened.callback(os.close, below)
        file = os.open(member.names[-1], FILE, dir_fd=below)
    except OSError as error:
        raise CutError(f"'{'/'.join(member.names)}' cannot be read any more") from error
    opened.callback(os.close, file)
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or (status.st_size, status.st_mtime_ns) != (member.size, member.mtime_ns):
        raise CutError(f"'{'/'.join(member.names)}' has changed")
    return file


def _zip_time(member: Member) -> tuple[int, int, int, int, int, int]:
    seconds = min(max(member.mtime_ns // 1_000_000_000, _EARLIEST), _LATEST)
    moment = time.gmtime(seconds)
    return moment[0], moment[1], moment[2], moment[3], moment[4], moment[5]


def _extra(member: Member) -> bytes:
    """Return the field with the exact time, which the format's own lacks, where it can tell it."""
    seconds = member.mtime_ns // 1_000_000_000
    return struct.pack("<2sHBl", b"UT", 5, 1, seconds) if 0 <= seconds <= _LONGEST_TIME else b""
