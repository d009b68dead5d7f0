"""Ownership: whether a settings file that was found, and not named, may count."""

import grp
import os
import pwd
import stat
from pathlib import Path


def find_stranger(file: Path) -> str:
    """Return why a found file does not count, empty where it does.

    It counts if it and all folders above it belong to the user or root and nobody else may write there. A sticky
    folder counts as not writable, a private group as the user.
    """
    for place in dict.fromkeys((file.absolute(), file.resolve())):
        for path in (place, *place.parents):
            if problem := _stranger_at(path, path.lstat()):
                return problem
    return ""


def _stranger_at(path: Path, found: os.stat_result) -> str:
    if found.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to {_user_name(found.st_uid)}"
    if stat.S_ISLNK(found.st_mode) or (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
        return ""
    if found.st_mode & stat.S_IWOTH:
        return f"everybody may write to {path}"
    if found.st_mode & stat.S_IWGRP and found.st_gid != 0 and not _is_private(found.st_gid):
        return f"a group may write to {path}"
    return ""


def _is_private(group: int) -> bool:
    """Return whether a group is the user's own: named like the user, and with no other member."""
    try:
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
