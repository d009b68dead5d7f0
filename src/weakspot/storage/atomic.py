"""Atomic writes of files and folders, lock files, SHA-256 of files."""

import contextlib
import errno
import fcntl
import glob
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from weakspot.storage import permissions
from zddc import durable
from zddc.errors import UserError


def write_atomically(file: Path, data: bytes) -> None:
    """Write ``file`` so that readers see the old content or the new, never a part of it, even after a crash."""
    make_folder(file.parent)
    # A name that nobody can guess, and a file that nobody can have put there.
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
    try:
        mode = permissions.file_mode(file.parent)
        with durable.write_temporary(temporary, data, mode):
            temporary.chmod(mode)  # whatever the umask
            temporary.replace(file)
    except OSError as error:
        raise error_with_file(error, file) from None
    sync_folder(file.parent)


@contextlib.contextmanager
def write_folder_atomically(folder: Path) -> Iterator[Path]:
    """Context manager: give a temporary folder to fill, which becomes ``folder`` if the block ends without an error.

    An existing folder is then replaced; if the block fails, it stays unchanged and the temporary folder is removed. The
    error of a full disk names the file by its place in ``folder``.
    """
    make_folder(folder.parent)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.tmp")
    _remove_scraps(folder)
    temporary.mkdir(0o700)
    try:
        with translate_full_disk_error(temporary):
            yield temporary
        sync_tree(temporary)
        if folder.exists():
            replaced = temporary.with_suffix(".old")
            folder.rename(replaced)
            temporary.rename(folder)
            shutil.rmtree(replaced)
        else:
            temporary.rename(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        file = Path(error.filename) if isinstance(error.filename, str) else temporary
        if file.is_relative_to(temporary) and error.errno is not None:
            raise error_with_file(error, folder / file.relative_to(temporary)) from None
        raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def _remove_scraps(folder: Path) -> None:
    """Remove what killed writers of ``folder`` left; what a link leads to stays."""
    for end in ("tmp", "old"):
        for scrap in folder.parent.glob(f".{glob.escape(folder.name)}.*{end}"):
            shutil.rmtree(scrap, ignore_errors=True)


def sync_tree(folder: Path) -> None:
    """Sync every file below ``folder``, and the folders themselves, to the disk, with the modes of a workspace."""
    folder.chmod(permissions.folder_mode(folder.parent))
    permissions.protect_tree(folder)
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
    """Create ``folder`` and its missing parents, and sync their names to the disk."""
    if not folder.is_dir():
        make_folder(folder.parent)
        mode = permissions.folder_mode(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode)
            folder.chmod(mode)  # whatever the umask
        sync_folder(folder.parent)


@contextlib.contextmanager
def hold_lock(file: Path, action: str) -> Iterator[None]:
    """Context manager: hold ``file`` as a lock; raise :class:`UserError` at once if another process holds it.

    ``action`` names in the error what the other process is doing.
    """
    make_folder(file.parent)
    with open(file, "a", opener=_open_private) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise UserError(file.parent, f"another {action} is running here", "wait until it has ended") from None
        yield


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, permissions.file_mode(Path(path).parent))


@contextlib.contextmanager
def translate_full_disk_error(file: Path) -> Iterator[None]:
    """Context manager: turn a library's own error for a full disk into an OSError (ENOSPC) that names ``file``."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or f"os error {errno.ENOSPC}" not in str(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from None


@contextlib.contextmanager
def name_file_in_errors(file: Path) -> Iterator[None]:
    """Context manager: an OSError of the block, such as that of a full disk, names ``file``, which it writes."""
    try:
        yield
    except OSError as error:
        raise error_with_file(error, file) from None


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of a file; an OSError, such as that of a full disk, names the file that it happened to."""
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise error_with_file(error, Path(error.filename2 or error.filename or target)) from None


class FileState(NamedTuple):
    """Inode, size and modification time (ns) of a file: if one of them differs, the file was written."""

    inode: int = 0
    size: int = 0
    changed: int = 0

    @classmethod
    def of(cls, file: Path) -> "FileState":
        """Return the state of a file; all zeros if there is none."""
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
    """Write all of ``data`` at the descriptor's position; raise OSError if that is not possible."""
    view = memoryview(data)
    while view:
        # Short writes happen: the disk may accept a part and refuse the rest with the next call.
        view = view[os.write(descriptor, view) :]


def error_with_file(error: OSError, file: Path) -> OSError:
    """Return the same error with the name of the file in it."""
    return OSError(error.errno, error.strerror, str(file))


def sync_folder(folder: Path) -> None:
    """Sync the names in ``folder`` to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
