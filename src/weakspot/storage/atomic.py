"""How bytes reach the disk: atomic files and folders, locks, digests."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from zddc.errors import UserError


def write_atomically(file: Path, data: bytes) -> None:
    """Write ``file`` so that a reader sees the old content or the new, never a part, also after a crash."""
    make_folder(file.parent)
    temporary = file.with_name(f".{file.name}.{threading.get_native_id()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise named(error, file) from None
    sync_folder(file.parent)


@contextlib.contextmanager
def folder_written_whole(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; it becomes ``folder`` when the block ends well, else it is removed.

    A folder that was there before is replaced then, and stays as it is where the block fails.
    """
    make_folder(folder.parent)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        sync_tree(temporary)
        if folder.exists():
            replaced = folder.with_name(f".{folder.name}.old")
            shutil.rmtree(replaced, ignore_errors=True)
            folder.rename(replaced)
            temporary.rename(folder)
            shutil.rmtree(replaced)
        else:
            temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def sync_tree(folder: Path) -> None:
    """Bring every file below ``folder``, and the folders themselves, to the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        else:
            sync_folder(path)
    sync_folder(folder)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and those above it where they are missing, and bring their names to the disk."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


@contextlib.contextmanager
def locked(file: Path, action: str) -> Iterator[None]:
    """Hold ``file`` as a lock for the block; refuse at once when another process holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise UserError(file.parent, f"another {action} is running here", "wait until it has ended") from None
        yield


@contextlib.contextmanager
def full_disk_named(file: Path) -> Iterator[None]:
    """Turn a library's own kind of full-disk error into the system's, naming ``file``."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or f"os error {errno.ENOSPC}" not in str(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from None


class FileState(NamedTuple):
    """What a file looks like from outside: where any of it differs, something was written."""

    inode: int = 0
    size: int = 0
    changed: int = 0

    @classmethod
    def of(cls, file: Path) -> "FileState":
        """Return the state of a file, or that of none."""
        try:
            found = file.stat()
        except FileNotFoundError:
            return cls()
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


def changed_files(folder: Path, hashes: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files of a folder that are missing or are not what their SHA-256 in ``hashes`` says."""
    for name, expected in hashes.items():
        if not (folder / name).is_file() or sha256(folder / name) != expected:
            yield folder / name


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data`` at the descriptor's position; OSError where the system takes only a part."""
    view = memoryview(data)
    while view:
        # A short write is real: the disk may take a part and refuse the rest with the next call.
        view = view[os.write(descriptor, view) :]


def named(error: OSError, file: Path) -> OSError:
    """Return ``error`` with the name of the file that it befell."""
    return OSError(error.errno, error.strerror, str(file))


def sync_folder(folder: Path) -> None:
    """Bring the names that ``folder`` holds to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
