"""The names in a tree of folders that do not follow the convention, and what they were meant to be."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from zddc.naming import (
    DASHES,
    FileName,
    FolderName,
    format_filename,
    format_folder,
    parse_filename,
    parse_folder,
    zipped_folder,
)
from zddc.revision import DATE

Name = TypeVar("Name", FileName, FolderName)

_OTHER_DASH = re.compile(rf"\A([^_]*_[^(]*\([^)]*\)\s*)[{''.join(DASHES)}]")


@dataclass(frozen=True)
class Verdict:
    """What was found about one name: ``reason`` says what is wrong with it, and is empty where nothing is.

    ``path`` is relative to the folder checked; ``corrected`` is the name to give instead, where only one
    suggests itself.
    """

    path: str
    kind: Literal["file", "folder"]
    reason: str
    corrected: str | None


def check(root: Path) -> Iterator[Verdict]:
    """Judge every file and every transmittal folder below ``root`` by its name, folder after folder, sorted.

    A folder whose name is more than a date but starts with one is a transmittal folder, and so is a ``.zip``
    whose name starts with a date and an underscore; other folders only group. Names that start with ``.`` or
    ``_`` are left alone with all that is in them. Links to folders are judged but not followed. Raises
    OSError where ``root`` itself cannot be read.
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
    if stem := zipped_folder(name):
        reason, corrected = _reason(stem, parse_folder, format_folder)
        return Verdict(path.as_posix(), "folder", reason, corrected and corrected + name[len(stem) :])
    return Verdict(path.as_posix(), "file", *_reason(name, parse_filename, format_filename))


def _reason(name: str, parse: Callable[[str], Name], write: Callable[..., str]) -> tuple[str, str | None]:
    read = parse(name)
    # Only these mistakes can be mended in just one way: white space, a dash, the case of the status.
    meant = parse(_OTHER_DASH.sub(r"\1-", name.strip()))
    try:
        corrected = write(meant, status=meant.status.upper())
    except ValueError:
        return read.reason, None
    return ("", None) if corrected == name else (read.reason or "not in canonical form", corrected)


def _without_collisions(verdicts: dict[str, Verdict | None]) -> Iterator[Verdict]:
    """Take back a correction to a name that a neighbour has or should get, letter case set aside."""
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
