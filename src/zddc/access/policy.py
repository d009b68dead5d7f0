"""The rules of an archive on the disk: the chain of a path, through descriptors, and where a person may enter."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from zddc.access.decide import Chain, Decision, Verb, decide, extend
from zddc.access.rules import NO_RULES, RULE_FILE, Rules, read_rules
from zddc.file_identity import FOLDER, SETTLED_NS, identity

# Chains, and decisions, that are kept before all are forgotten.
_MOST_KEPT = 1 << 12


class UnservedError(OSError):
    """Nobody gets what is there: a link, a hidden name, something that is neither file nor folder."""


class Visit(NamedTuple):
    """A folder on a walk: its names from the root on, its chain, all names in it, and why it could not be listed."""

    names: tuple[str, ...]
    chain: Chain
    entries: tuple[str, ...]
    problem: str = ""


class Policy:
    """The rules below one folder, the root of an archive; close it, or use it in a ``with`` statement.

    The root itself may be reached through a link, which is followed once; nothing below it is. Rules are kept as long
    as their file is the same by device, inode, size and times, and what follows from them, chains and decisions, as
    long as the rules are. ``clock`` tells the time in nanoseconds since 1970. ``rules_of_bare_root`` hold where the
    root has none.
    """

    def __init__(
        self, root: Path, clock: Callable[[], int] = time.time_ns, rules_of_bare_root: Rules = NO_RULES
    ) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._clock, self._rules_of_bare_root = clock, rules_of_bare_root
        self._kept: dict[tuple[int, int], tuple[tuple[int, ...], Rules]] = {}
        # By the id of the chain that they are made of, which each of them holds: so no other object has that id.
        self._chains: dict[tuple[int, str], tuple[Chain, Rules, Chain]] = {}
        self._decisions: dict[tuple[int, str | None, Verb], tuple[Chain, Decision]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the root go."""
        os.close(self._root)

    def has_rules_above(self) -> bool:
        """Whether there is a rule file in the folder above the root, where it does not count."""
        try:
            os.stat(f"../{RULE_FILE}", dir_fd=self._root, follow_symlinks=False)
        except OSError:
            return False
        return True

    def rules_in(self, folder: int) -> Rules:
        """Return the rules of the folder of a descriptor; what cannot be read has a fault."""
        try:
            found = os.stat(RULE_FILE, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return NO_RULES
        except OSError:
            return read_rules(folder)[1]
        place = found.st_dev, found.st_ino
        kept = self._kept.get(place)
        if kept and kept[0] == identity(found):
            return kept[1]
        now = self._clock()
        status, rules = read_rules(folder)
        if status and status.st_ctime_ns < now - SETTLED_NS:
            self._kept[status.st_dev, status.st_ino] = identity(status), rules
        return rules

    @contextmanager
    def open_folder(self, names: Sequence[str]) -> Iterator[tuple[int, Chain]]:
        """Open a folder, given by its names from the root on; the descriptor is closed at the end.

        Raises :class:`UnservedError` for what nobody gets, another OSError for what is not there or cannot be opened.
        """
        folder, chain = self.reach(names)
        try:
            yield folder, chain
        finally:
            self.leave(folder)

    def reach(self, names: Sequence[str]) -> tuple[int, Chain]:
        """Open a folder as :meth:`open_folder` does, for the caller to :meth:`leave`."""
        folder = self._root
        try:
            rules = self.rules_in(folder)
            chain = self.extend((), "", self._rules_of_bare_root if rules is NO_RULES else rules)
            for name in names:
                below, chain = self.enter(folder, chain, name)
                self.leave(folder)
                folder = below
        except BaseException:
            self.leave(folder)
            raise
        return folder, chain

    def leave(self, folder: int) -> None:
        """Close the descriptor of a folder that was reached."""
        if folder != self._root:
            os.close(folder)

    def enter(self, folder: int, chain: Chain, name: str) -> tuple[int, Chain]:
        """Open a folder in an open one, and return its descriptor, for the caller to close, with its chain.

        Raises :class:`UnservedError` for what nobody gets, another OSError for what is not there or cannot be opened.
        """
        require_visible(name)
        try:
            below = os.open(name, FOLDER, dir_fd=folder)
        except NotADirectoryError:
            raise UnservedError(f"'{name}' is a link, or no folder, and nobody gets past it") from None
        return below, self.extend(chain, name, self.rules_in(below))

    def extend(self, chain: Chain, name: str, rules: Rules) -> Chain:
        """Return what :func:`zddc.access.decide.extend` does, the same object as long as chain and rules are."""
        known = self._chains.get((id(chain), name))
        if known and known[0] is chain and known[1] is rules:
            return known[2]
        longer = extend(chain, name, rules)
        if len(self._chains) >= _MOST_KEPT:
            self._chains.clear()
        self._chains[id(chain), name] = chain, rules, longer
        return longer

    def decide(self, chain: Chain, email: str | None, verb: Verb) -> Decision:
        """Return what :func:`zddc.access.decide.decide` does, at once for a chain that was asked before."""
        known = self._decisions.get((id(chain), email, verb))
        if known and known[0] is chain:
            return known[1]
        decision = decide(chain, email, verb)
        if len(self._decisions) >= _MOST_KEPT:
            self._decisions.clear()
        self._decisions[id(chain), email, verb] = chain, decision
        return decision

    def chain_of(self, names: Sequence[str]) -> Chain:
        """Return the chain that judges a path: that of the folder itself, or of the folder that a file is in.

        Raises :class:`UnservedError` for what nobody gets, another OSError for what is not there or cannot be opened.
        """
        with self.open_folder(names[:-1]) as (folder, chain):
            if not names:
                return chain
            last = names[-1]
            require_visible(last)
            mode = os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISREG(mode):
                return chain
            if not stat.S_ISDIR(mode):
                kind = "a symbolic link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise UnservedError(f"'{last}' is {kind}, and nobody gets that")
            below, longer = self.enter(folder, chain, last)
            os.close(below)
            return longer

    def walk(self) -> Iterator[Visit]:
        """Yield every folder before those in it, in the order of their names; hidden ones and links are left out."""
        pending: list[tuple[str, ...]] = [()]
        while pending:
            names = pending.pop()
            try:
                with self.open_folder(names) as (folder, chain), os.scandir(folder) as listing:
                    entries = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing)
            except OSError as error:
                yield Visit(names, (), (), f"cannot be read: {error.strerror or error}")
                continue
            yield Visit(names, chain, tuple(name for name, _ in entries))
            folders = [name for name, is_folder in entries if is_folder and not name.startswith(".")]
            pending += [(*names, name) for name in reversed(folders)]

    def folders_with_rules(self) -> Iterator[tuple[str, ...]]:
        """Yield the root, and every folder below it that has a rule file: only there can access begin or end."""
        return (visit.names for visit in self.walk() if not visit.names or RULE_FILE in visit.entries)

    def entry_points(self, email: str | None, folders: Iterable[Sequence[str]]) -> Iterator[str]:
        """Yield those of some folders that a person may read, but not the folder above; for the root there is none."""
        for names in folders:
            with suppress(OSError), self.open_folder(names) as (_, chain):
                readable = [decide(part, email, "r").allowed for part in (chain, chain[:-1]) if part]
                if readable[0] and not any(readable[1:]):
                    yield chain[-1].folder


def require_visible(name: str) -> None:
    """Raise :class:`UnservedError` for a name that nobody gets, and for what is no single name."""
    if name.startswith("."):
        raise UnservedError(f"'{name}' begins with a dot, and nobody gets that")
    if not name or "/" in name or "\0" in name:
        raise UnservedError(f"'{name}' is no name of a file or folder")
