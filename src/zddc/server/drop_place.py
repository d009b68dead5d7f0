"""The folder that a file is handed in to: opened name by name, judged by the rules, and made where it is not there."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from zddc.access.decide import Decision, decide
from zddc.access.policy import Policy
from zddc.access.rules import HAND_IN
from zddc.durable import sync_folder
from zddc.file_identity import FILE, FOLDER
from zddc.server.drop_names import Target, twin
from zddc.server.guard import RefusedError
from zddc.server.opening import ABSENT, AbsentError

_TAKEN = "another file has this name; hand in a new revision"


class Place:
    """The deepest folder on the way to a target that is there, with the names of those that are not there yet.

    ``incoming`` and ``folder`` are descriptors, and ``decision`` is why somebody may hand in there.
    """

    def __init__(self, incoming: int, folder: int, missing: Sequence[str], name: str, decision: Decision) -> None:
        self.incoming, self.decision = incoming, decision
        self._folder, self._missing, self._name = folder, missing, name

    def refuse_clash(self, size: int) -> None:
        """Raise :class:`RefusedError` where a file of that size cannot have the name, or hardly differs in it.

        A regular file of that size may be there: it may be the same.
        """
        name = self._missing[0] if self._missing else self._name
        if not self._missing and has(self._folder, name):
            status = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or status.st_size != size:
                raise RefusedError(409, _TAKEN)
            return
        with os.scandir(self._folder) as found:
            if twin(name, (entry.name for entry in found)):
                problem = f"there is a name that differs from '{name}' in letter case or accents only"
                raise RefusedError(409, problem)

    @contextmanager
    def make_folders(self) -> Iterator[int]:
        """Yield a descriptor of the folder that the file is for, made where it was not there; raises OSError."""
        folder = self._folder
        with ExitStack() as opened:
            for name in self._missing:
                above, is_new = folder, False
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=above)
                    is_new = True
                folder = os.open(name, FOLDER, dir_fd=above)
                opened.callback(os.close, folder)
                if is_new:
                    share_as(above, folder)
                    sync_folder(above)
            yield folder


@contextmanager
def enter_place(policy: Policy, target: Target, email: str | None) -> Iterator[Place]:
    """Open the folders on the way to a target where the person of an address, None without one, may hand in.

    The rules of the deepest one that is there decide. Raises :class:`AbsentError` for all else, and another OSError
    where the disk fails.
    """
    with ExitStack() as opened:
        try:
            incoming, chain = opened.enter_context(policy.open_folder(target.above))
            folder, missing = incoming, list(target.folders)
            with suppress(FileNotFoundError):
                while missing:
                    folder, chain = policy.enter(folder, chain, missing[0])
                    opened.callback(os.close, folder)
                    del missing[0]
        except OSError as error:
            if error.errno is None or error.errno in ABSENT:  # without a number it is something that nobody gets
                raise AbsentError from None
            raise
        decision = decide(chain, email, HAND_IN)
        if not decision.allowed:
            raise AbsentError(decision)
        yield Place(incoming, folder, missing, target.name, decision)


def share_as(folder: int, new: int) -> None:
    """Let those read and write a new file or folder, by its descriptor, who may do so in a folder: not the umask says.

    Whoever keeps the archive has to get at what is handed in to a server that runs as another user.
    """
    mode, status = os.fstat(folder).st_mode, os.fstat(new)
    allowed = 0o777 if stat.S_ISDIR(status.st_mode) else 0o666
    with suppress(PermissionError):  # some services may not keep the bit that a folder hands down its group by
        os.fchmod(new, stat.S_IMODE(status.st_mode) & ~0o777 | mode & allowed)


def has(folder: int, name: str) -> bool:
    """Whether there is anything of this name in an open folder."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def require_same(folder: int, name: str, digest: bytes) -> None:
    """Raise :class:`RefusedError` where what has a name in an open folder is not a file of this SHA-256.

    When it returns, the file is on the disk under its name.
    """
    try:
        descriptor = os.open(name, FILE, dir_fd=folder)
    except OSError:
        raise RefusedError(409, _TAKEN) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or _sha256_of(descriptor) != digest:
            raise RefusedError(409, _TAKEN)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(folder)


def _sha256_of(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return hashlib.file_digest(file, "sha256").digest()
