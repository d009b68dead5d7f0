"""Says fast which document a file is, and where in the archive a folder lies."""

import functools
import re
from typing import NamedTuple

from zddc.naming import STATUSES, FileName, FolderName, folder_in_zip, parse_filename, parse_folder

_NEVER = r"/\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
# Most names are in canonical form, and most revisions are letters and digits; the reader of names takes the others.
_CANONICAL = re.compile(
    rf"([^_\s{_NEVER}]+)_(~?[A-Za-z0-9.]+(?:\+~?[A-Za-z][0-9]{{1,9}})?)"
    rf" \(({'|'.join(map(re.escape, STATUSES))})\)"
    rf" - ([^\s{_NEVER}](?:[^{_NEVER}]*[^\s{_NEVER}])?)\.([^\s.{_NEVER}]+)"
)
KINDS = ("received", "issued", "incoming", "mdl")


class Parts(NamedTuple):
    """What a valid file name says; ``extension`` is in lower case."""

    tracking_number: str
    revision: str
    status: str
    title: str
    extension: str


class Place(NamedTuple):
    """Where a folder lies: with which party, in which kind of folder, and in which transmittal; empty where in none."""

    party: str
    kind: str
    transmittal: FolderName


def split_name(name: str) -> Parts | None:
    """Return what the name of a file says, or None for one that does not follow the convention.

    A zip file named like a transmittal folder is no document. Agrees with :func:`zddc.naming.parse_filename` on all
    others.
    """
    parts = fields_of(name)
    return Parts(*parts) if parts else None


def fields_of(name: str) -> tuple[str, str, str, str, str] | None:
    """Return what :func:`split_name` does as a plain tuple, which is made sooner."""
    if found := _CANONICAL.fullmatch(name):
        tracking_number, revision, status, title, extension = found.groups()
        extension = extension.lower()
    else:
        read = parse_filename(name)
        if not read.valid:
            return None
        tracking_number, revision, status, title, extension = parts_of(read)
    return None if extension == "zip" and folder_in_zip(name) else (tracking_number, revision, status, title, extension)


def parts_of(read: FileName) -> Parts:
    """Return the parts of a name that was read, whether it is valid or not."""
    return Parts(read.tracking_number, read.revision, read.status, read.title, read.extension)


def tracking_number(name: str) -> str:
    """Return the tracking number of a file, or nothing for a name that :func:`split_name` does not know."""
    found = _CANONICAL.fullmatch(name)
    if found and found[5].lower() != "zip":
        return found[1]
    parts = split_name(name)
    return parts.tracking_number if parts else ""


@functools.lru_cache(maxsize=1 << 16)
def place_of(folder: str) -> Place:
    """Return where a folder lies, by the names on its path.

    The first valid transmittal folder on the path counts, with all that is in it. ``kind`` is the last of the
    :data:`KINDS` before it, in whatever letter case. The party is the folder around that one, or around the
    transmittal where there is no kind.
    """
    names = folder.split("/") if folder else []
    transmittal, party = FolderName(), ""
    for depth, name in enumerate(names):
        read = parse_folder(folder_in_zip(name) or name)
        if read.valid:
            transmittal, names = read, names[:depth]
            party = names[-1] if names else ""
            break
    for depth in reversed(range(len(names))):
        if names[depth].lower() in KINDS:
            return Place(names[depth - 1] if depth else "", names[depth].lower(), transmittal)
    return Place(party, "", transmittal)
