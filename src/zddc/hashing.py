"""SHA-256 of the files in a folder, the list of them that ``sha256sum -c`` reads, and what differs from that list."""

import codecs
import hashlib
import os
import re
import stat
import unicodedata
from collections import defaultdict, deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol, TypeAlias

from zddc.durable import write_atomically
from zddc.errors import UserError
from zddc.file_identity import FILE
from zddc.zipped import ZipFolder

LIST_NAME = "SHA256SUMS"
LARGEST_LIST = 64 << 20  # bytes, of one that somebody has sent in a zip
Root: TypeAlias = Path | ZipFolder
"""A folder, on the disk or in a zip."""
Kind = Literal["verified", "changed", "missing", "extra", "moved", "renamed", "unreadable"]

_JOURNAL = re.compile(r"\.zddc-rename-\d{8}T\d{6}Z-[0-9a-f]{4}\.jsonl")
# As coreutils writes them: '*' is for files that were read as binary, the second form comes from --tag.
_GNU_LINE = re.compile(rb"(?P<escaped>\\?)(?P<sha256>[0-9a-fA-F]{64}) [ *](?P<name>.+)", re.DOTALL)
_TAGGED_LINE = re.compile(rb"(?P<escaped>\\?)SHA256 \((?P<name>.+)\) = (?P<sha256>[0-9a-fA-F]{64})", re.DOTALL)
_ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}
_ESCAPED = {escape: byte for byte, escape in _ESCAPES.items()}


class Remembers(Protocol):
    """What knows the SHA-256 of files that were read before, by their status."""

    def find(self, status: os.stat_result) -> str | None:
        """Return the SHA-256 of the file that has this status, None if it is not known."""

    def store(self, status: os.stat_result, sha256: str) -> None:
        """Remember the SHA-256 of the file that has this status."""


@dataclass(frozen=True)
class HashedFile:
    """The SHA-256 of a file, in hexadecimal; or ``reason``, why it has none. ``path`` is relative, with ``/``."""

    path: str
    sha256: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Finding:
    """The result for one path. ``detail`` says where a moved or renamed file is now, or why one cannot be read."""

    path: str
    kind: Kind
    detail: str = ""


def find_files(root: Root) -> Iterator[HashedFile]:
    """Yield every file below ``root``, sorted by the bytes of its path, without its SHA-256.

    What cannot have one, such as a link or a folder that cannot be read, has a reason. In ``root`` itself the list and
    the journals of renames are left out. Raises OSError if ``root`` cannot be read.
    """
    found = map(HashedFile, root.paths) if isinstance(root, ZipFolder) else _walk(root)
    yield from sorted((one for one in found if not _is_own(one.path)), key=lambda file: os.fsencode(file.path))


def _walk(root: Path) -> Iterator[HashedFile]:
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as listing:
                entries = list(listing)
        except OSError as error:
            if not folder:
                raise
            yield HashedFile(folder, reason=_why_unreadable(error))
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            else:
                yield HashedFile(path, reason=_unfitness(entry))


def _is_own(path: str) -> bool:
    return path == LIST_NAME or _JOURNAL.fullmatch(path) is not None


def _unfitness(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "a link, and links are not followed"
    return "" if entry.is_file(follow_symlinks=False) else "not a regular file"


def hash_files(root: Root, files: Iterable[HashedFile], cache: Remembers | None = None) -> Iterator[HashedFile]:
    """Yield ``files`` with their SHA-256, or with the reason why one has none."""
    for file in files:
        yield file if file.reason else hash_file(root, file.path, cache)


def hash_file(root: Root, path: str, cache: Remembers | None = None) -> HashedFile:
    """Read a file below ``root`` and return it with its SHA-256, or with the reason why it has none."""
    if isinstance(root, ZipFolder):
        return _hash_in_zip(root, path)
    try:
        # A link, or a pipe that nobody writes to, may have come there since.
        descriptor = os.open(root / path, FILE)
        with open(descriptor, "rb") as stream:  # noqa: PTH123 - what is open already
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return HashedFile(path, reason="not a regular file")
            if cache and (known := cache.find(before)):
                return HashedFile(path, known)
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            after = os.fstat(descriptor)
    except OSError as error:
        return HashedFile(path, reason=_why_unreadable(error))
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return HashedFile(path, reason="it changed while it was read")
    if cache:
        cache.store(after, sha256)
    return HashedFile(path, sha256)


def _hash_in_zip(root: ZipFolder, path: str) -> HashedFile:
    try:
        return HashedFile(path, root.sha256_of(path))
    except UserError as error:
        return HashedFile(path, reason=error.problem)
    except OSError as error:
        return HashedFile(path, reason=_why_unreadable(error))


def _why_unreadable(error: OSError) -> str:
    return f"cannot be read: {str(error.strerror).lower()}"


def format_line(file: HashedFile) -> bytes:
    """Return the line of a file as coreutils writes it: a backslash in front if there are escapes in its name."""
    name = os.fsencode(file.path)
    escaped = re.sub(rb"[\\\n\r]", lambda found: _ESCAPES[found[0]], name)
    return (b"\\" if escaped != name else b"") + file.sha256.encode() + b"  " + escaped + b"\n"


def read_list(file: Path) -> list[HashedFile]:
    """Read a list of SHA-256, in any form that coreutils writes; empty lines and those behind ``#`` are skipped.

    Raises :class:`UserError` for any other line, and for a path that leads out of the list's folder.
    """
    if not os.path.lexists(file):
        raise UserError(file, "no such file", f"write it with 'zddc hash {file.parent} --write'")
    if file.is_symlink() or not file.is_file():
        raise UserError(file, "not a regular file", "put the list itself there")
    return _parse_list(file, file.read_bytes())


def has_list(root: Root) -> bool:
    """Return whether a folder has a list of SHA-256."""
    return LIST_NAME in root.paths if isinstance(root, ZipFolder) else (root / LIST_NAME).exists()


def open_file(root: Root, path: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file below ``root`` for reading; raises OSError, and :class:`UserError` where it is damaged in a zip."""
    return root.open(path) if isinstance(root, ZipFolder) else (root / path).open("rb")


def _list_of(root: Root) -> list[HashedFile]:
    if isinstance(root, Path):
        return read_list(root / LIST_NAME)
    if not has_list(root):
        raise UserError(root.file, f"neither a transmittal nor a {LIST_NAME} in it", "ask the sender for one of them")
    place = root.file / LIST_NAME
    with root.open(LIST_NAME) as stream:
        data = stream.read(LARGEST_LIST + 1)
    if len(data) > LARGEST_LIST:
        raise UserError(place, f"more than {LARGEST_LIST >> 20} MiB", "ask the sender for a list that is whole")
    return _parse_list(place, data)


def _parse_list(file: Path, data: bytes) -> list[HashedFile]:
    lines = enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1)
    return [_parse_line(f"{file}:{number}", line) for number, line in lines if line.strip() and line[:1] != b"#"]


def _parse_line(place: str, line: bytes) -> HashedFile:
    found = _GNU_LINE.fullmatch(line := line.removesuffix(b"\r")) or _TAGGED_LINE.fullmatch(line)
    if not found or b"\0" in line:
        raise UserError(place, "not a SHA-256 and a path", "a line is as sha256sum writes it")
    name = found["name"]
    if found["escaped"]:
        if re.search(rb"\\(?![\\nr])", re.sub(rb"\\[\\nr]", b"", name)):
            raise UserError(place, "a backslash that escapes nothing", "a line is as sha256sum writes it")
        name = re.sub(rb"\\[\\nr]", lambda escape: _ESCAPED[escape[0]], name)
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if name.startswith(b"/") or b".." in parts or not parts:
        raise UserError(place, "the path leads out of the folder", "write the list in the folder of its files")
    return HashedFile(os.fsdecode(b"/".join(parts)), found["sha256"].decode().lower())


def write_list(root: Path, files: Iterable[HashedFile]) -> None:
    """Write the list of ``root``.

    Raises :class:`UserError`, and writes nothing, if a file has no SHA-256, or if the list that is there gives it
    another one: what was found changed must not become what is right.
    """
    files = list(files)
    target = root / LIST_NAME
    before = {file.path: file.sha256 for file in read_list(target)} if os.path.lexists(target) else {}
    for file in files:
        if file.reason:
            raise UserError(root / file.path, file.reason, f"no {LIST_NAME} was written; take it away, or mend it")
        if before.get(file.path, file.sha256) != file.sha256:
            remedy = f"see 'zddc verify {root}'; if all of that is right, remove {LIST_NAME} first"
            raise UserError(root / file.path, f"not the bytes that {LIST_NAME} tells of", remedy)
    write_atomically(target, b"".join(map(format_line, files)))


def verify(
    root: Root,
    wanted: Sequence[HashedFile] | None = None,
    ignored: Container[str] = (),
    read: Callable[[Root, str], HashedFile] = hash_file,
) -> Iterator[Finding]:
    """Compare the files below ``root`` with ``wanted``, in its order; what is not in it comes last.

    Without ``wanted`` it is the list of ``root``; raises :class:`UserError` if there is none. All bytes are read,
    whatever a cache knows. A missing file whose SHA-256 an extra one has was moved there, or renamed where its name is
    another; how accents are encoded makes no other name. A wanted file with a reason has no SHA-256. Paths in
    ``ignored`` are not extra.
    """
    wanted = _list_of(root) if wanted is None else wanted
    there = {file.path: file for file in find_files(root)}
    listed = {file.path for file in wanted}
    extra = {path: file for path, file in there.items() if path not in listed and path not in ignored}
    # A system may have written an accent in another way: that is the same name.
    alike = {_normal(path): path for path in extra}
    found = {path: path if path in there else alike.get(_normal(path), "") for path in listed}
    for path in found.values():
        extra.pop(path, None)
    places = _Places()
    if "" in found.values():
        for file in extra.values():
            places.add(file.path, file.reason or read(root, file.path).sha256)
    for file in wanted:
        if found[file.path]:
            yield _compare(file, there[found[file.path]], lambda path: read(root, path))
        elif file.sha256 and (place := places.take(file)):
            del extra[place]
            yield Finding(file.path, "moved" if _name(place) == _name(file.path) else "renamed", place)
        else:
            yield Finding(file.path, "missing")
    for file in extra.values():
        yield Finding(file.path, "unreadable" if file.reason else "extra", file.reason)


class _Places:
    """Where the bytes of missing files are: one place each, and of several the one with the file's own name."""

    def __init__(self) -> None:
        self._by_hash: dict[str, deque[str]] = defaultdict(deque)
        self._by_name: dict[tuple[str, str], deque[str]] = defaultdict(deque)
        self._taken: set[str] = set()

    def add(self, place: str, sha256: str) -> None:
        self._by_hash[sha256].append(place)
        self._by_name[sha256, _name(place)].append(place)

    def take(self, file: HashedFile) -> str:
        """Return a place that no other file has, empty where there is none."""
        for places in (self._by_name.get((file.sha256, _name(file.path))), self._by_hash.get(file.sha256)):
            while places:
                if (place := places.popleft()) not in self._taken:
                    self._taken.add(place)
                    return place
        return ""


def _normal(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _name(path: str) -> str:
    # Lists from Windows, and files of an archive that was unpacked there, have backslashes in their paths.
    return re.split(r"[/\\]", path)[-1]


def _compare(wanted: HashedFile, there: HashedFile, read: Callable[[str], HashedFile]) -> Finding:
    found = there if there.reason else read(there.path)
    if reason := found.reason or wanted.reason:
        return Finding(wanted.path, "unreadable", reason)
    return Finding(wanted.path, "verified" if found.sha256 == wanted.sha256 else "changed")
