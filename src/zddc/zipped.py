"""Reads the files of a zip, and leaves out or refuses those that no file system should be given."""

import contextlib
import datetime
import errno
import hashlib
import io
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from zddc.errors import UserError
from zddc.file_identity import FILE, identity
from zddc.naming import parse_folder

# What zipfile raises where a file is not what the directory of the zip says of it.
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, KeyError, OverflowError),
)

_LARGEST_DIRECTORY = 16 * 1024 * 1024  # bytes; some 100,000 members
_LARGEST_RATIO, _LARGE = 200, 100_000_000
_LONGEST_PATH = 32  # names
_ENCRYPTED, _IS_UTF8 = 1, 0x800
# How much these unpack at once is bounded.
_UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NEVER = re.compile(r"\A/|\\|\A[A-Za-z]:|[\x00-\x1f\x7f-\x9f\ud800-\udfff]|(?:\A|/)\.{0,2}(?:/|\Z)")
# What macOS puts beside the files: their icons, and where they came from.
_OF_MACOS = re.compile(r"__MACOSX/(?:.*/)?\._[^/]*", re.DOTALL)
# A page, or a list of hashes.
_MARKS = re.compile(r".*\.html?|SHA256SUMS", re.IGNORECASE | re.DOTALL)
_AT_ONCE = 1 << 20  # bytes


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
    try:
        with _open_archive(io.FileIO(file, closefd=not isinstance(file, int))) as archive:
            found, left_out = _sort_out(archive.infolist())
    except zipfile.BadZipFile as error:
        return Members([], [("", f"the zip cannot be read: {str(error).lower()}")])
    return Members([Member(path, one.file_size, _mtime_ns(one.date_time)) for path, one in found.items()], left_out)


@contextmanager
def open_member(stream: IO[bytes], path: str) -> Iterator[IO[bytes]]:
    """Open a file of a zip; raises zipfile.BadZipFile and what zipfile raises where it is not there or damaged."""
    with _open_archive(io.FileIO(stream.fileno(), closefd=False)) as archive:
        member = next((one for one in archive.infolist() if _name_of(one) == path), None)
        if member is None:
            raise zipfile.BadZipFile("there is no such member")
        with archive.open(member) as opened:
            yield opened


def is_zip(path: Path) -> bool:
    """Return whether a path names a zip file."""
    return path.suffix.lower() == ".zip" and path.is_file()


class ZipFolder:
    """A folder that came as a zip: its files are read in the zip, by their paths in the folder.

    Systems zip a folder with its name or without. Where all files are in one folder that has the name of a transmittal,
    a page or a list of hashes, it is that one; else what is in the zip itself. Close it, or use it in a ``with``
    statement.
    """

    def __init__(self, file: Path) -> None:
        """Open a zip; raises :class:`UserError` where not all of it can be taken, and OSError."""
        self.file = file
        with contextlib.ExitStack() as opened:
            raw = opened.enter_context(io.FileIO(os.open(file, FILE)))
            status = os.fstat(raw.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UserError(file, "not a regular file", "give the zip itself")
            try:
                self._archive = opened.enter_context(_open_archive(raw))
            except zipfile.BadZipFile as error:
                raise _refusal(file, f"the zip cannot be read: {str(error).lower()}") from None
            found, left_out = _sort_out(self._archive.infolist())
            found = {path: one for path, one in found.items() if not _OF_MACOS.fullmatch(path)}
            for name, reason in (*left_out, *_misfits(found, status.st_size)):
                raise _refusal(file, f"'{name}': {reason}" if name else reason)
            folder = _folder_of_all(found)
            self._files = {path.removeprefix(folder): one for path, one in found.items()}
            self._name = folder[:-1].rpartition("/")[2]
            self._identity, self._digests = identity(status), dict[str, str]()
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the zip go."""
        self._opened.close()

    @property
    def name(self) -> str:
        """The name of the folder: that in the zip where it is one of a transmittal, else that of the zip."""
        return self._name if parse_folder(self._name).valid else self.file.stem

    @property
    def is_unchanged(self) -> bool:
        """Whether the zip is still the file that was opened, as it was then."""
        return identity(self.file.lstat()) == self._identity

    @property
    def paths(self) -> Iterable[str]:
        """The paths of the files."""
        return self._files.keys()

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file; raises :class:`UserError` where it is damaged, and OSError."""
        try:
            with self._archive.open(self._files[path]) as stream:
                yield stream
        except (*DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which is a place that no file has
                raise
            raise UserError(self.file / path, "damaged in the zip", "ask the sender for the zip again") from error

    def sha256_of(self, path: str) -> str:
        """Return the SHA-256 of a file, read once, in hexadecimal; raises as :meth:`open` does."""
        if path not in self._digests:
            digest = hashlib.sha256()
            with self.open(path) as stream:
                while block := stream.read(_AT_ONCE):
                    digest.update(block)
            self._digests[path] = digest.hexdigest()
        return self._digests[path]

    def unpack(self, folder: Path) -> None:
        """Write all files into a new folder; raises :class:`UserError` where the disk cannot have them, and OSError."""
        folder.mkdir()
        for path, one in self._files.items():
            place = folder / path
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                with self.open(path) as stream, place.open("xb") as file:
                    shutil.copyfileobj(stream, file, _AT_ONCE)
            except FileExistsError:
                problem = f"'{path}': on this disk another file of the zip has this name"
                raise UserError(self.file, problem, "ask the sender for other names") from None
            if time := _mtime_ns(one.date_time):
                with contextlib.suppress(PermissionError):  # some disks keep no time that they are given
                    os.utime(place, ns=(time, time))


def _refusal(file: Path, problem: str) -> UserError:
    return UserError(file, problem, "ask the sender for another zip")


class _BoundedReader(io.BufferedReader):
    """A file that gives no more at once than the directory of a zip may take."""

    def read(self, size: int | None = -1, /) -> bytes:
        bounded = _LARGEST_DIRECTORY + 1 if size is None or size < 0 else min(size, _LARGEST_DIRECTORY + 1)
        data = super().read(bounded)
        if len(data) > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("it has too many members")
        return data


@contextmanager
def _open_archive(raw: io.FileIO) -> Iterator[zipfile.ZipFile]:
    """Context manager: read the directory of a zip; raises zipfile.BadZipFile where that is none."""
    with _BoundedReader(raw) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except (NotImplementedError, ValueError) as error:
            raise zipfile.BadZipFile(str(error)) from None
        with archive:
            yield archive


def _sort_out(members: Iterable[zipfile.ZipInfo]) -> tuple[dict[str, zipfile.ZipInfo], list[tuple[str, str]]]:
    """Return the files by their paths, and what is left out, with the reason."""
    files: dict[str, zipfile.ZipInfo] = {}
    left_out, seen = [], set[str]()
    for member in members:
        name = _name_of(member)
        if name.endswith("/"):
            continue
        if reason := _reason_to_leave_out(member, name) or ("the name is there twice" if name in seen else ""):
            left_out.append((name, reason))
        else:
            files[name] = member
        seen.add(name)
    return files, left_out


def _name_of(member: zipfile.ZipInfo) -> str:
    # What zipfile makes of a name that is cut at a NUL, or has backslashes on Windows, is not what stands there.
    name = member.orig_filename
    if member.flag_bits & _IS_UTF8 or name.isascii():
        return name
    with contextlib.suppress(UnicodeError):  # macOS writes UTF-8, and does not say so
        return name.encode("cp437").decode()
    return name


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


def _misfits(files: dict[str, zipfile.ZipInfo], size: int) -> Iterator[tuple[str, str]]:
    """Yield what a zip of so many bytes must not have, when all of it is read or unpacked; an empty name is the zip."""
    if sum(one.file_size for one in files.values()) > max(_LARGE, _LARGEST_RATIO * size):
        yield "", f"it would unpack to more than {_LARGEST_RATIO} times its size"
    for path in files:
        names = path.split("/")
        if len(names) > _LONGEST_PATH:
            yield path, f"more than {_LONGEST_PATH} names in a path"
        elif any("/".join(names[:depth]) in files for depth in range(1, len(names))):
            yield path, "in a folder that is a file, too"


def _folder_of_all(paths: Iterable[str]) -> str:
    """Return the path, with a slash, of the folder that a zip is of; empty where that is the zip itself."""
    folders = {path.rpartition("/")[0] for path in paths}
    shared = os.path.commonpath(folders) if folders and "" not in folders else ""
    if not shared:
        return ""
    beside = (path.rpartition("/")[2] for path in paths if path.rpartition("/")[0] == shared)
    is_one = parse_folder(shared.rpartition("/")[2]).valid or any(map(_MARKS.fullmatch, beside))
    return f"{shared}/" if is_one else ""


def _mtime_ns(time: tuple[int, int, int, int, int, int]) -> int:
    try:
        return int(datetime.datetime(*time, tzinfo=datetime.UTC).timestamp()) * 1_000_000_000
    except ValueError:  # such as the 31st of February, or month 0
        return 0
