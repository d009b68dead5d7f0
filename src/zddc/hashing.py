"""SHA-256 of the files in a folder, the list of them that ``sha256sum -c`` reads, and what differs from that list."""

import codecs
import hashlib
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zddc.durable import write_atomically
from zddc.errors import UserError
from zddc.file_identity import FILE

if TYPE_CHECKING:
    from zddc.hash_cache import HashCache

LIST_NAME = "SHA256SUMS"
Kind = Literal["verified", "changed", "missing", "extra", "moved", "unreadable"]

_JOURNAL = re.compile(r"\.zddc-rename-\d{8}T\d{6}Z-[0-9a-f]{4}\.jsonl")
# As coreutils writes them: '*' is for files that were read as binary, the second form comes from --tag.
_GNU_LINE = re.compile(rb"(?P<escaped>\\?)(?P<sha256>[0-9a-fA-F]{64}) [ *](?P<name>.+)", re.DOTALL)
_TAGGED_LINE = re.compile(rb"(?P<escaped>\\?)SHA256 \((?P<name>.+)\) = (?P<sha256>[0-9a-fA-F]{64})", re.DOTALL)
_ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}
_ESCAPED = {escape: byte for byte, escape in _ESCAPES.items()}


@dataclass(frozen=True)
class HashedFile:
    """The SHA-256 of a file, in hexadecimal; or ``reason``, why it has none. ``path`` is relative, with ``/``."""

    path: str
    sha256: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Finding:
    """The result for one path. ``detail`` says where a moved file is now, or why one could not be read."""

    path: str
    kind: Kind
    detail: str = ""


def find_files(root: Path) -> Iterator[HashedFile]:
    """Yield every file below ``root``, sorted by the bytes of its path, without its SHA-256.

    What cannot have one, such as a link or a folder that cannot be read, has a reason. In ``root`` itself the list and
    the journals of renames are left out. Raises OSError if ``root`` cannot be read.
    """
    found = []
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as listing:
                entries = list(listing)
        except OSError as error:
            if not folder:
                raise
            found.append(HashedFile(folder, reason=f"cannot be read: {str(error.strerror).lower()}"))
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            elif folder or not (entry.name == LIST_NAME or _JOURNAL.fullmatch(entry.name)):
                found.append(HashedFile(path, reason=_unfitness(entry)))
    yield from sorted(found, key=lambda file: os.fsencode(file.path))


def _unfitness(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "a link, and links are not followed"
    return "" if entry.is_file(follow_symlinks=False) else "not a regular file"


def hash_files(root: Path, files: Iterable[HashedFile], cache: "HashCache | None" = None) -> Iterator[HashedFile]:
    """Yield ``files`` with their SHA-256, or with the reason why one has none."""
    for file in files:
        yield file if file.reason else hash_file(root, file.path, cache)


def hash_file(root: Path, path: str, cache: "HashCache | None" = None) -> HashedFile:
    """Read a file below ``root`` and return it with its SHA-256, or with the reason why it has none."""
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
        return HashedFile(path, reason=f"cannot be read: {str(error.strerror).lower()}")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return HashedFile(path, reason="it changed while it was read")
    if cache:
        cache.store(after, sha256)
    return HashedFile(path, sha256)


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
    lines = enumerate(file.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1)
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


def verify(root: Path) -> Iterator[Finding]:
    """Compare the files below ``root`` with its list, in the order of the list; what is not in it comes last.

    All bytes are read, whatever a cache knows. A missing file whose SHA-256 an extra one has was moved there. Raises
    :class:`UserError` if there is no list.
    """
    wanted = read_list(root / LIST_NAME)
    there = {file.path: file for file in find_files(root)}
    listed = {file.path for file in wanted}
    extra = {path: file for path, file in there.items() if path not in listed}
    places: dict[str, list[str]] = defaultdict(list)
    if listed - there.keys():
        for file in hash_files(root, extra.values()):
            places[file.sha256].append(file.path)
    for file in wanted:
        if file.path in there:
            yield _compare(file, *hash_files(root, [there[file.path]]))
        elif places[file.sha256]:
            extra.pop(place := places[file.sha256].pop(0))
            yield Finding(file.path, "moved", place)
        else:
            yield Finding(file.path, "missing")
    for file in extra.values():
        yield Finding(file.path, "unreadable" if file.reason else "extra", file.reason)


def _compare(wanted: HashedFile, found: HashedFile) -> Finding:
    if found.reason:
        return Finding(wanted.path, "unreadable", found.reason)
    return Finding(wanted.path, "verified" if found.sha256 == wanted.sha256 else "changed")
