"""The names in a tree of folders that do not follow the convention, and what they were meant to be."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from zddc.naming import DASHES, FileName, FolderName, format_filename, format_folder, parse_filename, parse_folder
from zddc.naming import looks_like_folder
from zddc.revision import DATE

Name = TypeVar("Name", FileName, FolderName)

_OTHER_DASH = re.compile(rf"\A([^_]*_[^(]*\([^)]*\)\s*)[{''.join(DASHES)}]")


@dataclass(frozen=True)
class Verdict:
    """What was found about one name; ``reason`` is empty where it conforms.

    ``path`` is relative to the folder checked, ``corrected`` the name to give in its place, where exactly one
    suggests itself.
    """

    path: str
    kind: Literal["file", "folder"]
    reason: str
    corrected: str | None


def check_names(root: Path) -> Iterator[Verdict]:
    """Judge every file name and every transmittal folder name below ``root``, in sorted order.

    A folder is a transmittal folder when a date and something more starts its name, a ``.zip`` when a date
    and an underscore do; other folders only group. Names that start with ``.`` or ``_`` are left alone, and
    links to folders are judged but not followed. Raises OSError where ``root`` itself cannot be read.
    """
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if folder == root:
                raise
            reason = f"cannot be read: {str(error.strerror).lower()}"
            yield Verdict(folder.relative_to(root).as_posix(), "folder", reason, None)
            continue
        entries = [entry for entry in entries if not entry.name.startswith((".", "_"))]
        verdicts = [_judge(entry, root) for entry in entries]
        yield from _without_collisions([verdict for verdict in verdicts if verdict], entries)
        pending += [Path(entry) for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]


def _judge(entry: os.DirEntry[str], root: Path) -> Verdict | None:
    path = Path(entry).relative_to(root).as_posix()
    if os.path.isdir(entry):  # noqa: PTH112 - false, where DirEntry.is_dir raises, for a link that leads nowhere
        if not DATE.match(entry.name) or DATE.fullmatch(entry.name):
            return None
        reason, corrected = _reason(entry.name, parse_folder, format_folder)
        return Verdict(path, "folder", reason, corrected)
    stem, dot, extension = entry.name.rpartition(".")
    if extension.lower() == "zip" and looks_like_folder(stem):
        reason, corrected = _reason(stem, parse_folder, format_folder)
        return Verdict(path, "folder", reason, corrected and corrected + dot + extension)
    reason, corrected = _reason(entry.name, parse_filename, format_filename)
    return Verdict(path, "file", reason, corrected)


def _reason(name: str, parse: Callable[[str], Name], write: Callable[..., str]) -> tuple[str, str | None]:
    read = parse(name)
    # Three mistakes can be mended in one way only: white space, the case of the status, another dash.
    meant = parse(_OTHER_DASH.sub(r"\1-", name.strip()))
    try:
        corrected = write(meant, status=meant.status.upper())
    except ValueError:
        return read.reason, None
    if corrected == name:
        return "", None
    return read.reason or "not in canonical form", corrected


def _without_collisions(verdicts: list[Verdict], entries: list[os.DirEntry[str]]) -> Iterator[Verdict]:
    # Folded, because an archive that moves to a share without letter case must not lose a file.
    ...
