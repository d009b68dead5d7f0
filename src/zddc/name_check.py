"""Checks the names in a tree of folders against the convention, and suggests corrections."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from zddc.hashing import LIST_NAME
from zddc.naming import (
    DASHES,
    FileName,
    FolderName,
    folder_in_zip,
    format_filename,
    format_folder,
    parse_filename,
    parse_folder,
)
from zddc.revision import DATE

Name = TypeVar("Name", FileName, FolderName)

_OTHER_DASH = re.compile(rf"\A([^_]*_[^(]*\([^)]*\)\s*)[{''.join(DASHES)}]")


@dataclass(frozen=True)
class Verdict:
    """The result for one name: ``reason`` says what is wrong with it, and is empty if nothing is wrong.

    ``path`` is relative to the folder that is checked. ``corrected`` is the right name, if there is only one
    possibility, else None.
    """

    path: str
    kind: Literal["file", "folder"]
    reason: str
    corrected: str | None


def check(root: Path) -> Iterator[Verdict]:
    """Check the name of every file and transmittal folder below ``root``, folder by folder, sorted.

    A transmittal folder is a folder whose name starts with a date and has more than the date, or a ``.zip`` file whose
    name starts with a date and an underscore; other folders only group. Names that start with ``.`` or ``_`` are
    skipped, with everything in them, and so are lists of hashes. Links to folders are checked but not followed. Raises
    OSError if ``root`` itself cannot be read.
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
        entries = [entry for entry in entries if not (entry.name.startswith((".", "_")) or entry.name == LIST_NAME)]
        verdicts = {}
        for entry in entries:
            leads_to_folder = os.path.isdir(entry)  # noqa: PTH112 - unlike is_dir() it never raises
            verdicts[entry.name] = _judge(Path(entry).relative_to(root), leads_to_folder)
        yield from _without_collisions(verdicts)
        pending += [Path(entry) for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]


def _judge(path: Path, is_folder: bool) -> Verdict | None:
    name = path.name
    if is_folder:
        if not DATE.match(name) or DATE.fullmatch(name):
            return None
        return Verdict(path.as_posix(), "folder", *_reason(name, parse_folder, format_folder))
    if stem := folder_in_zip(name):
        reason, corrected = _reason(stem, parse_folder, format_folder)
        return Verdict(path.as_posix(), "folder", reason, corrected and corrected + name[len(stem) :])
    return Verdict(path.as_posix(), "file", *_reason(name, parse_filename, format_filename))


def _reason(name: str, parse: Callable[[str], Name], write: Callable[..., str]) -> tuple[str, str | None]:
    read = parse(name)
    # Only these mistakes have exactly one correction: white space, a dash, the case of the status.
    meant = parse(_OTHER_DASH.sub(r"\1-", name.strip()))
    try:
        corrected = write(meant, status=meant.status.upper())
    except ValueError:
        return read.reason, None
    return ("", None) if corrected == name else (read.reason or "not in canonical form", corrected)


def _without_collisions(verdicts: dict[str, Verdict | None]) -> Iterator[Verdict]:
    """Drop a correction if another entry of the folder has or should get the same name, ignoring case."""
    claims = Counter(
        claim
        for name, verdict in verdicts.items()
        for claim in {name.casefold(), ((verdict and verdict.corrected) or name).casefold()}
    )
    for verdict in filter(None, verdicts.values()):
        if verdict.corrected and claims[verdict.corrected.casefold()] > 1:
            reason = f"{verdict.reason}; as '{verdict.corrected}' it would collide with another name here"
            yield replace(verdict, reason=reason, corrected=None)
        else:
            yield verdict
