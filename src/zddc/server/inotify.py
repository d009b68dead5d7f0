"""Asks the kernel to tell of changes in folders: inotify, which follows no link and says when it lost a change.

watchfiles follows links: one that leads to a folder of the same tree takes away that folder's watch, and one that leads
to ``/`` makes it watch the whole machine. It does not say when the kernel dropped changes.
"""

import ctypes
import os
import select
import struct
from pathlib import Path
from typing import Final, NamedTuple

LOST: Final = 0x4000
_ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
_EXCL_UNLINK, _DONT_FOLLOW, _ONLYDIR = 0x04000000, 0x02000000, 0x01000000
_MASK = _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _EXCL_UNLINK | _DONT_FOLLOW | _ONLYDIR
_HEAD = struct.Struct("iIII")
_READ_BYTES = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)


class Event(NamedTuple):
    """A change of what has this name in the folder of a watch; ``mask`` has :data:`LOST` where changes were lost."""

    watch: int
    mask: int
    name: str


class Inotify:
    """The changes that the kernel tells of. Raises OSError where it has no more watches to give."""

    def __init__(self) -> None:
        self._descriptor = _require_success(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def close(self) -> None:
        """Let all watches go."""
        os.close(self._descriptor)

    def watch(self, folder: Path) -> int:
        """Watch a folder that is no link, and return its watch: the same one for the same folder under any name."""
        return _require_success(_libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _MASK))

    def forget(self, watch: int) -> None:
        """Let a watch go; one that the kernel let go itself is none any more."""
        _libc.inotify_rm_watch(self._descriptor, watch)

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return the changes that are there, or the first that come in so much time."""
        if not self._poll.poll(timeout_seconds * 1000):
            return []
        data, place, events = os.read(self._descriptor, _READ_BYTES), 0, []
        while place < len(data):
            watch, mask, _, length = _HEAD.unpack_from(data, place)
            place += _HEAD.size + length
            events.append(Event(watch, mask, os.fsdecode(data[place - length : place].rstrip(b"\0"))))
        return events


def _require_success(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
