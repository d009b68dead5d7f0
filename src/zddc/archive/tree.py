"""Walks the folders of an archive: what files there are, and what cannot be one of them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from zddc import zipped
from zddc.access.rules import RULE_FILE
from zddc.naming import folder_in_zip, parse_folder

# Names that the rest of the archive does not know: what systems and programs keep for themselves.
_PRIVATE = (".", "_")


class Entry(NamedTuple):
    """A file. ``folder`` is relative to the root, with ``/`` between the names, and empty for the root itself."""

    folder: str
    name: str
    size: int
    mtime_ns: int

    @property
    def path(self) -> str:
        """The file's path, relative to the root."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


class LeftOut(NamedTuple):
    """What is there and no file of the archive, and why: a link, a device, what cannot be read."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """A folder: its files and folders in the order of their names, what was left out, and if there are access rules."""

    path: str
    entries: tuple[Entry, ...] = ()
    folders: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    has_rules: bool = False


def walk(root: Path, path: str = "") -> Iterator[Listing]:
    """Yield the listing of a folder and of every folder below it, each before those below.

    ``path`` is relative to the root, as in :class:`Listing`. Raises OSError where that folder itself cannot be read.
    """
    pending = [path]
    while pending:
        folder = pending.pop()
        try:
            listing = read_folder(root, folder)
        except OSError as error:
            if folder == path:
                raise
            listing = unreadable(folder, error)
        yield listing
        pending += (join(folder, name) for name in reversed(listing.folders))


def read_folder(root: Path, path: str) -> Listing:
    """Read one folder, or a zip file named like a transmittal folder, which counts as that folder.

    Names that start with ``.`` or ``_`` are passed over, and links are left out, as nothing is that they lead to.
    Raises OSError where the folder cannot be read.
    """
    place = root / path
    if is_zip_transmittal(place.name) and place.is_file():
        return _read_zip(place, path)
    entries, folders, left_out, has_rules = [], [], [], False
    with os.scandir(place) as found:
        for one in found:
            name = one.name
            if name.startswith(_PRIVATE):
                has_rules |= name == RULE_FILE
                continue
            try:
                if reason := _reason_to_leave_out(one):
                    left_out.append(LeftOut(join(path, name), reason))
                elif one.is_dir(follow_symlinks=False) or is_zip_transmittal(name):
                    folders.append(name)
                else:
                    status = one.stat(follow_symlinks=False)
                    entries.append(Entry(path, name, status.st_size, status.st_mtime_ns))
            except FileNotFoundError:
                continue  # removed since the folder was opened
            except OSError as error:  # such as a folder that may be listed and not entered
                left_out += unreadable(join(path, name), error).left_out
    return Listing(path, tuple(sorted(entries)), tuple(sorted(folders)), tuple(sorted(left_out)), has_rules)


def unreadable(path: str, error: OSError) -> Listing:
    """Return the listing of what cannot be read: nothing but the reason."""
    return Listing(path, left_out=(LeftOut(path, f"cannot be read: {str(error.strerror).lower()}"),))


def join(folder: str, name: str) -> str:
    """Return the path of what has this name in a folder."""
    return f"{folder}/{name}" if folder else name


def is_zip_transmittal(name: str) -> bool:
    """Return whether a zip file counts as a transmittal folder, by its name."""
    return name[-4:].lower() == ".zip" and parse_folder(folder_in_zip(name)).valid


def _reason_to_leave_out(one: os.DirEntry[str]) -> str:
    if not one.name.isascii() and one.name != one.name.encode("utf-8", "replace").decode():
        return "the name is not valid Unicode text"
    if one.is_symlink():
        return "a link; links are never followed"
    if one.is_file(follow_symlinks=False) or one.is_dir(follow_symlinks=False):
        return ""
    return "neither a file nor a folder"


def _read_zip(file: Path, path: str) -> Listing:
    members = zipped.read_members(file)
    entries = []
    for member in members.files:
        below, _, name = member.path.rpartition("/")
        if not any(part.startswith(_PRIVATE) for part in member.path.split("/")):
            entries.append(Entry(f"{path}/{below}" if below else path, name, member.size, member.mtime_ns))
    left_out = [LeftOut(f"{path}/{name}" if name else path, reason) for name, reason in members.left_out]
    return Listing(path, tuple(sorted(entries)), (), tuple(sorted(left_out)))
