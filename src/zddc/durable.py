"""Changes on disk that survive a crash and overwrite nothing unasked: files written whole, renames, synced folders."""

import contextlib
import ctypes
import errno
import os
import secrets
from pathlib import Path

_RENAME_NOREPLACE = 1
# What a kernel or file system answers that does not know renameat2 or the flag.
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP)

_libc = ctypes.CDLL(None, use_errno=True)


def write_atomically(file: Path, data: bytes, mode: int = 0o666) -> None:
    """Write ``file`` so that readers see the old content or the new, never a part of it, even after a crash.

    ``mode`` says who may read and write it, less what the process keeps from all its files.
    """
    temporary = file.with_name(f".zddc-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, mode)) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from None
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_folder(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: int) -> None:
    """Sync the names in an open folder to the disk, where its file system can do that."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise


def rename_without_replacing(folder: int, old: str, new: str) -> None:
    """Rename an entry of an open folder; raise FileExistsError, and change nothing, if the new name is taken.

    Where the file system has no such rename, a file gets a second link and loses the first one. Only a folder, and a
    file on a file system without links, is looked up and then renamed, so that a name given in between would be lost.
    """
    number = _rename_in_one(folder, old, new)
    if not number:
        return
    if number not in _UNKNOWN:
        raise OSError(number, os.strerror(number), old, None, new)
    try:
        os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(new, dir_fd=folder)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), old, None, new) from None
        os.rename(old, new, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        try:
            os.unlink(old, dir_fd=folder)
        except OSError:
            os.unlink(new, dir_fd=folder)
            raise


def _rename_in_one(folder: int, old: str, new: str) -> int:
    """Return 0, or the number of the error: ENOSYS where the C library has no renameat2."""
    if not hasattr(_libc, "renameat2"):
        return errno.ENOSYS
    failed = _libc.renameat2(folder, os.fsencode(old), folder, os.fsencode(new), _RENAME_NOREPLACE)
    return ctypes.get_errno() if failed else 0
