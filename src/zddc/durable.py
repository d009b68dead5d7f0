"""Changes on disk that survive a crash and overwrite nothing unasked: whole files, renames, synced folders, locks."""

import contextlib
import errno
import fcntl
import functools
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

_RENAME_NOREPLACE = 1
# What a kernel or file system answers that does not know renameat2 or the flag.
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP)
# The same for locks.
_NO_LOCKS = (errno.ENOLCK, *_UNKNOWN)


def write_atomically(file: Path, data: bytes, mode: int = 0o666) -> None:
    """Write ``file`` so that readers see the old content or the new, never a part of it, even after a crash.

    ``mode`` says who may read and write it, less what the process keeps from all its files.
    """
    temporary = _temporary(file)
    try:
        with write_temporary(temporary, data, mode):
            temporary.replace(file)
        with open_folder(file.parent) as folder:
            sync_folder(folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None


def write_new(file: Path, data: bytes, *, temporary: Path | None = None, mode: int = 0o666) -> None:
    """Write ``file`` whole or not at all; raise FileExistsError, and change nothing, if there is one already.

    ``temporary`` is where it is written first, on the same file system; by default beside it. Nothing may be there.
    ``mode`` is as in :func:`write_atomically`.
    """
    temporary = temporary or _temporary(file)
    try:
        with open_folder(temporary.parent) as source, open_folder(file.parent) as folder:
            with write_temporary(temporary, data, mode):
                rename_without_replacing(source, temporary.name, file.name, folder)
            sync_folder(folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None


def _temporary(file: Path) -> Path:
    return file.with_name(f".zddc-{secrets.token_hex(8)}.tmp")


@contextlib.contextmanager
def write_temporary(file: Path, data: bytes, mode: int) -> Iterator[None]:
    """Context manager: write a new file to the disk; where the block fails to give it its name, it is removed.

    ``mode`` is as in :func:`write_atomically`. Raises OSError where something is there already.
    """
    # What is there already, and makes this fail, is somebody else's.
    stream = open(file, "xb", opener=lambda path, flags: os.open(path, flags, mode))  # noqa: SIM115 - closed below
    try:
        with stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def open_folder(folder: Path) -> Iterator[int]:
    """Context manager: give a descriptor of a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock_folder(folder: Path, busy: Exception | None = None) -> Iterator[None]:
    """Context manager: keep all others who lock a folder out of the block, where its file system has locks.

    Raises ``busy`` where another is at work; without it, waits for the other.
    """
    with open_folder(folder) as descriptor:
        lock(descriptor, busy)
        yield


def lock(descriptor: int, busy: Exception | None = None) -> None:
    """Keep all others out who lock what a descriptor is of, until it is closed; see :func:`lock_folder`."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
    except OSError as error:
        if busy and isinstance(error, BlockingIOError):
            raise busy from None
        if error.errno not in _NO_LOCKS:
            raise


def sync_folder(folder: int) -> None:
    """Sync the names in an open folder to the disk, where its file system can do that."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise


def rename_without_replacing(folder: int, old: str, new: str, to: int | None = None) -> None:
    """Rename an entry of an open folder; raise FileExistsError, and change nothing, if the new name is taken.

    The new name is in the same folder, or in another open one, ``to``.

    Where the file system has no such rename, a file gets a second link and loses the first one. Only a folder, and a
    file on a file system without links, is looked up and then renamed, so that a name given in between would be lost.
    """
    to = folder if to is None else to
    number = _rename_in_one(folder, old, to, new)
    if not number:
        return
    if number not in _UNKNOWN:
        raise OSError(number, os.strerror(number), old, None, new)
    try:
        os.link(old, new, src_dir_fd=folder, dst_dir_fd=to, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(new, dir_fd=to)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), old, None, new) from None
        os.rename(old, new, src_dir_fd=folder, dst_dir_fd=to)
    else:
        try:
            os.unlink(old, dir_fd=folder)
        except OSError:
            os.unlink(new, dir_fd=to)
            raise


def _rename_in_one(folder: int, old: str, to: int, new: str) -> int:
    """Return 0, or the number of the error: ENOSYS where the C library has no renameat2."""
    import ctypes  # takes longer to load than all else here, and most commands rename nothing

    rename = _renameat2()
    if rename is None:
        return errno.ENOSYS
    failed = rename(folder, os.fsencode(old), to, os.fsencode(new), _RENAME_NOREPLACE)
    return ctypes.get_errno() if failed else 0


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    import ctypes

    found: Callable[..., int] | None = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return found
