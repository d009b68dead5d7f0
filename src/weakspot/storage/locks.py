"""Two file locks: an append lock for writers, a content lock for readers and in-place edits.

If both are needed, the content lock is taken first. The system releases them when their holder ends, even if killed.
"""

import contextlib
import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from weakspot.storage import atomic, permissions
from zddc.errors import UserError

_PATIENCE_SECONDS = 10.0


@contextlib.contextmanager
def open_and_lock(file: Path, *, create: bool = False) -> Iterator[int]:
    """Context manager: open ``file`` and take its append lock; give the descriptor. OSErrors name the file."""
    descriptor = -1
    try:
        if create:
            atomic.make_folder(file.parent)
        # The file may have been moved away while this process waited for the lock.
        while descriptor < 0 or not is_current(descriptor, file):
            if descriptor >= 0:
                os.close(descriptor)
            descriptor = _open(file, create=create)
            lock_end(descriptor)
        yield descriptor
    except OSError as error:
        raise error if error.filename == str(file) else atomic.error_with_file(error, file) from None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _open(file: Path, *, create: bool) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(file, flags)
    except FileNotFoundError:
        if not create:
            raise
    mode = permissions.file_mode(file.parent)
    try:
        descriptor = os.open(file, flags | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:  # another process was faster
        return os.open(file, flags)
    os.fchmod(descriptor, mode)  # whatever the umask
    return descriptor


def is_current(descriptor: int, file: Path) -> bool:
    """Return whether an open file still has its name: it may have been moved away or replaced."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def lock_end(descriptor: int) -> None:
    """Take the append lock: no other process can append to the file or measure its size."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def release_end(descriptor: int) -> None:
    """Release the append lock."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def measure_size(descriptor: int) -> int:
    """Return the size of the file at a moment when nobody is appending to it."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    size = os.fstat(descriptor).st_size
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return size


def find_holders(file: Path) -> list[int]:
    """Return the processes that hold a lock on a file, as the system lists them; nothing is locked for it.

    None is found where the system lists no locks, or hides whose they are.
    """
    with contextlib.suppress(OSError):
        inode, table = str(file.stat().st_ino), Path("/proc/locks").read_text(encoding="ascii")
        # 1: FLOCK  ADVISORY  WRITE 4242 fe:01:1234567 0 EOF; one that only waits has an arrow in it
        rows = [line.split() for line in table.splitlines() if "->" not in line]
        found = {int(row[4]) for row in rows if row[5].rpartition(":")[2] == inode}
        return sorted(one for one in found if one > 0 and _has_open(one, file))
    return []


def _has_open(process: int, file: Path) -> bool:
    """Whether a process has a file open; true where that cannot be seen, since it is another user's."""
    try:
        return any(path.exists() and path.samefile(file) for path in Path(f"/proc/{process}/fd").iterdir())
    except PermissionError:
        return True
    except OSError:  # it has ended, or closed that file, meanwhile
        return False


def share_content(descriptor: int) -> int:
    """Take a shared content lock until the descriptor is closed: nobody edits in place; return the file's size.

    The size is that of a moment when nobody is appending.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _request(fcntl.F_RDLCK))
        return measure_size(descriptor)
    except OSError as error:
        # An imported file may be on a file system without locks; a journal never is.
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        return os.fstat(descriptor).st_size


def lock_content(descriptor: int, file: Path) -> None:
    """Take the exclusive content lock until the descriptor is closed: nobody else reads or edits the file.

    Raises :class:`UserError` if another process keeps reading for 10 seconds.
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
    """Return a ``struct flock`` for the whole file; the lock belongs to the open file, not to the process."""
    return struct.pack("hhqqi", kind, os.SEEK_SET, 0, 0, 0)
