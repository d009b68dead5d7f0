"""The two locks of a journal's file: that of its end, for writers, and that of its content, for who reads or replaces.

Who needs both takes that of the content first. They end with their holder, however it dies.
"""

import contextlib
import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from weakspot.storage import atomic
from zddc.errors import UserError

_PATIENCE_SECONDS = 10.0


@contextlib.contextmanager
def opened(file: Path, *, create: bool = False) -> Iterator[int]:
    """Give a descriptor of the file whose name is ``file``, with the lock of its end; an OSError names the file."""
    descriptor = -1
    try:
        if create:
            atomic.make_folder(file.parent)
        # While this one waited for the lock, the file may have been moved away.
        while descriptor < 0 or not _has_name(descriptor, file):
            if descriptor >= 0:
                os.close(descriptor)
            descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o644)
            lock_end(descriptor)
        yield descriptor
    except OSError as error:
        raise error if error.filename == str(file) else atomic.named(error, file) from None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _has_name(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def lock_end(descriptor: int) -> None:
    """Keep others from writing at the end of the file, and from measuring it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def release_end(descriptor: int) -> None:
    """Let others write at the end again."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def settled_size(descriptor: int) -> int:
    """Return the size of the file at a moment when nobody is writing at its end."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    size = os.fstat(descriptor).st_size
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return size


def share_content(descriptor: int) -> int:
    """Keep what the file holds from being changed until the descriptor is closed; return the settled size."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _request(fcntl.F_RDLCK))
        return settled_size(descriptor)
    except OSError as error:
        # An imported file may lie where there are no locks; no journal can.
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        return os.fstat(descriptor).st_size


def lock_content(descriptor: int, file: Path) -> None:
    """Keep others from reading or changing what the file holds until the descriptor is closed.

    Raises :class:`UserError` where another goes on reading for 10 seconds.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _request(fcntl.F_WRLCK))
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise UserError(file, "another process is reading it", "wait until that has ended") from None
            time.sleep(0.01)
        else:
            return


def _request(kind: int) -> bytes:
    """Return a ``struct flock`` for all of a file; of its open file, not of the process, like flock's."""
    return struct.pack("hhqqi", kind, os.SEEK_SET, 0, 0, 0)
