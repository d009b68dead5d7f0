"""Keeps a workspace's files to their owner: the modes of new files, mending those of old ones, refusing links.

A file is for its owner only. If its folder is also for the owner's group, and for nobody else, then so is the file.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from zddc.errors import UserError

_OWNER_FILE, _OWNER_FOLDER = 0o600, 0o700
_GROUP_FILE, _GROUP_FOLDER = 0o040, 0o050
_OTHERS = 0o007


def file_mode(folder: Path) -> int:
    """Return the mode of a new file in ``folder``."""
    return _OWNER_FILE | (_GROUP_FILE if _is_for_group(folder) else 0)


def folder_mode(parent: Path) -> int:
    """Return the mode of a new folder in ``parent``."""
    return _OWNER_FOLDER | (_GROUP_FOLDER if _is_for_group(parent) else 0)


def protect_tree(folder: Path) -> None:
    """Give everything below ``folder`` the mode that it would have as a new file; what is read-only stays so."""
    for path in _walk([folder]):
        _change_mode(path, group=_is_for_group(folder))


def mend(parts: Iterable[Path], *, group: bool) -> int:
    """Give a workspace's parts, and everything in them, their modes; return how many had others.

    Raises :class:`UserError` for a link: what is written there would be written elsewhere.
    """
    return sum(_change_mode(path, group=group) for path in _walk(parts))


def find_others(parts: Iterable[Path], *, group: bool) -> list[Path]:
    """Return what :func:`mend` would change, and change nothing; raise :class:`UserError` for a link."""
    return [path for path in _walk(parts) if _wrong_mode(path, group=group) is not None]


def _walk(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_symlink():
            remedy = "put the file or folder itself there, or name it in [workspace] allow_links"
            raise UserError(path, "a link, and weakspot writes to no place that it does not know", remedy)
        if path.is_dir():
            yield path
            yield from _walk(path.iterdir())
        elif path.exists():
            yield path


def _change_mode(path: Path, *, group: bool) -> bool:
    """Change the mode of what belongs to this user, if need be; return whether it was changed."""
    with contextlib.suppress(FileNotFoundError, PermissionError):  # removed meanwhile, or where nothing can be changed
        if (mode := _wrong_mode(path, group=group)) is not None:
            path.chmod(mode)
            return True
    return False


def _wrong_mode(path: Path, *, group: bool) -> int | None:
    """Return the mode that a file or folder of this user must get, None where it has it."""
    found = path.lstat()
    owner = stat.S_IMODE(found.st_mode) & 0o700
    mode = owner | ((_GROUP_FOLDER if stat.S_ISDIR(found.st_mode) else _GROUP_FILE) if group else 0)
    return None if stat.S_IMODE(found.st_mode) == mode or found.st_uid != os.geteuid() else mode


def _is_for_group(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        mode = folder.stat().st_mode
        return mode & _GROUP_FOLDER == _GROUP_FOLDER and not mode & _OTHERS
    return False
