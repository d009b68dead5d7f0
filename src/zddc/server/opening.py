"""Opens what a path names, one folder after the other and through no link, and lets the rules judge what was opened."""

import errno
import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from zddc.access.decide import Chain, Decision
from zddc.access.policy import Policy, UnservedError, require_visible
from zddc.access.rules import READ
from zddc.file_identity import FILE

# What the system says of a name that is not there, that is not for this server, or that was changed meanwhile.
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG)


class AbsentError(Exception):
    """Nobody, or not this person, gets what a path names; ``decision`` is None where no rule was asked."""

    def __init__(self, decision: Decision | None = None) -> None:
        super().__init__(decision.why if decision else "nothing is there")
        self.decision = decision


class Opened(NamedTuple):
    """A file or folder, opened: its descriptor and status, the rules that judge it, and what they said."""

    descriptor: int
    status: os.stat_result
    chain: Chain
    decision: Decision

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.status.st_mode)


def open_path(policy: Policy, names: Sequence[str], email: str | None) -> Opened:
    """Open a regular file or a folder that the person of an address, None without one, may read; the caller closes it.

    Raises :class:`AbsentError` for all else, so that what is refused looks like what is not there, and another OSError
    where the disk fails.
    """
    try:
        folder, chain = policy.reach(names[:-1])
        try:
            if names:
                return _open_last(policy, folder, chain, names[-1], email)
            decision = _judge(policy, chain, email)
            return Opened(os.dup(folder), os.fstat(folder), chain, decision)
        finally:
            policy.leave(folder)
    except OSError as error:
        if isinstance(error, UnservedError) or error.errno in ABSENT:
            raise AbsentError from None
        raise


def _judge(policy: Policy, chain: Chain, email: str | None) -> Decision:
    decision = policy.decide(chain, email, READ)
    if not decision.allowed:
        raise AbsentError(decision)
    return decision


def _open_last(policy: Policy, folder: int, chain: Chain, name: str, email: str | None) -> Opened:
    """Open the last name of a path; a file is judged by the rules of the folder that it is in."""
    require_visible(name)
    if not is_served(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise AbsentError
    descriptor = os.open(name, FILE, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        if not is_served(status.st_mode):  # it was changed for something else in between
            raise AbsentError
        if stat.S_ISDIR(status.st_mode):
            chain = policy.extend(chain, name, policy.rules_in(descriptor))
        return Opened(descriptor, status, chain, _judge(policy, chain, email))
    except BaseException:
        os.close(descriptor)
        raise


def is_served(mode: int) -> bool:
    """Whether what has this mode is a file or a folder: nothing else is sent."""
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
