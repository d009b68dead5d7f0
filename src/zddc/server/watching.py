"""Keeps the index of an archive in step with the disk, in a thread, from when the system tells of a change.

What the system did not tell is found by looking at every folder from time to time. The rules of folders need none of
this: a policy looks at them whenever somebody asks.
"""

import errno
import gc
import logging
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from zddc.access.rules import RULE_FILE
from zddc.archive.index import Index
from zddc.archive.tree import Listing, join, read_folder
from zddc.file_identity import SETTLED_NS
from zddc.server.inotify import LOST, Inotify

FULL_SECONDS = 24 * 3600.0

# Changes come in swarms: as long as there is another one within a step, they are taken together.
_STEP_SECONDS, _LONGEST_SWARM_SECONDS, _TICK_SECONDS = 0.05, 0.4, 0.25
# They tell of no change that another machine makes.
_NETWORK = {"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs", "virtiofs"}
_NO_MORE = {
    errno.ENOSPC: "the system watches no more folders; raise fs.inotify.max_user_watches",
    errno.EMFILE: "the system has no more watchers; raise fs.inotify.max_user_instances",
}

_logger = logging.getLogger(__name__)


class _Look(NamedTuple):
    """What tells whether a folder is still the same one, and has the same names in it."""

    device: int
    inode: int
    mtime_ns: int
    ctime_ns: int

    def is_same_folder(self, other: "_Look") -> bool:
        return self[:2] == other[:2]


class _StoppedError(Exception):
    """The watcher was stopped while it read."""


class Watcher:
    """Keeps ``index`` in step with the folders below a root, between :meth:`start` and :meth:`stop`.

    ``rescan_seconds`` is how often every folder is looked at, 0 for never; a folder whose time has not changed is not
    read again. Each day all are read. ``problem`` says why changes are seen no sooner than that, and is empty where
    they are seen at once; ``folders_read`` counts what was read so far.
    """

    def __init__(self, root: Path, rescan_seconds: float = 600) -> None:
        self.index = Index()
        self.problem = ""
        self.folders_read = 0
        self._root = root.resolve()
        self._rescan_seconds = rescan_seconds
        self._looks: dict[str, _Look] = {}
        self._young: set[str] = set()
        self._replaced: set[str] = set()
        self._inotify: Inotify | None = None
        self._watched: dict[int, str] = {}
        self._ready, self._stopping = threading.Event(), threading.Event()
        self._asked, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_ready(self) -> bool:
        """Whether all folders were read once."""
        return self._ready.is_set()

    def start(self) -> None:
        """Begin to read and to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it."""
        self._stopping.set()
        self._thread.join()

    def ask_for_rescan(self) -> None:
        """Let every folder be looked at soon."""
        self._asked.set()

    def read_all(self) -> None:
        """Read every folder, whatever is known of it."""
        self.index.refresh(self._root, "", replaced=[""], read=self._read_folder)
        self._forget_gone()
        self._ready.set()

    def rescan(self) -> None:
        """Look at every folder, and read those again that have changed, or had changed just before they were read."""
        changed = {path for path in ("", *self.index.listings) if self._look(path) != self._looks.get(path)}
        young, self._young = self._young, set()
        self.refresh(changed | young)
        self._forget_gone()

    def refresh(self, paths: Iterable[str]) -> None:
        """Read some folders again; one that is another folder by now is read with all that is below.

        One that is reached through a link by now is passed over: whoever holds the link is among the changes, too.
        """
        paths = {path for path in paths if os.path.realpath(place := self._root / path) == str(place)}
        self._replaced.clear()
        self.index.refresh(self._root, *paths, replaced=self._replaced, read=self._read_folder)

    def _look(self, path: str) -> _Look | None:
        try:
            status = os.lstat(self._root / path)
        except OSError:
            return None
        return _Look(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)

    def _read_folder(self, root: Path, path: str) -> Listing:
        """Read a folder as the index does; before that, watch it, and remember how it looks."""
        if self._stopping.is_set():
            raise _StoppedError
        self.folders_read += 1
        self._watch(path)
        before, now = self._looks.pop(path, None), self._look(path)
        if before and now and not now.is_same_folder(before):
            self._replaced.add(path)
        listing = read_folder(root, path)
        if now:
            self._looks[path] = now
            if now != before and max(now.mtime_ns, now.ctime_ns) > time.time_ns() - SETTLED_NS:
                self._young.add(path)
        return listing

    def _watch(self, path: str) -> None:
        if self._inotify:
            try:
                self._watched[self._inotify.watch(self._root / path)] = path
            except OSError as error:
                if error.errno in _NO_MORE:
                    self._end_watching()
                    self._tell(_NO_MORE[error.errno])

    def _end_watching(self) -> None:
        if self._inotify:
            self._inotify.close()
            self._inotify = None
            self._watched.clear()

    def _forget_gone(self) -> None:
        known = self.index.listings
        self._looks = {path: look for path, look in self._looks.items() if path in known}
        for watch in [watch for watch, path in self._watched.items() if path not in known]:
            del self._watched[watch]
            if self._inotify:
                self._inotify.forget(watch)

    def _run(self) -> None:
        try:
            self._inotify = Inotify()
            if kind := network_file_system(self._root):
                self._tell(f"{kind} does not tell of changes that other machines make")
        except OSError as error:
            self._tell(_NO_MORE.get(error.errno or 0, str(error)))
        try:
            self._keep_in_step()
        finally:
            self._end_watching()

    def _keep_in_step(self) -> None:
        all_read = all_seen = -float("inf")
        while not self._stopping.is_set():
            try:
                now = time.monotonic()
                if now >= all_read + FULL_SECONDS or self._lost.is_set():
                    self._lost.clear()
                    self.read_all()
                    gc.freeze()  # The garbage collector would go through a million entries each time, and find nothing.
                    all_read = all_seen = time.monotonic()
                elif self._asked.is_set() or (self._rescan_seconds and now >= all_seen + self._rescan_seconds):
                    self._asked.clear()
                    self.rescan()
                    all_seen = time.monotonic()
                if changed := self._wait_for_changes():
                    self.refresh(changed)
            except _StoppedError:
                return
            except Exception:
                _logger.exception("the index may not be in step until all folders are read again")
                self._lost.set()
                self._stopping.wait(_TICK_SECONDS)

    def _wait_for_changes(self) -> set[str]:
        """Wait a moment for changes; return the folders that they are about."""
        if not self._inotify:
            self._stopping.wait(_TICK_SECONDS)
            return set()
        changed: set[str] = set()
        wait, end = _TICK_SECONDS, 0.0
        while events := self._inotify.wait(wait):
            for watch, mask, name in events:
                if mask & LOST:
                    self._lost.set()
                elif watch in self._watched and (name == RULE_FILE or not name.startswith((".", "_"))):
                    folder = self._watched[watch]
                    changed |= {folder, join(folder, name)}
            wait, end = _STEP_SECONDS, end or time.monotonic() + _LONGEST_SWARM_SECONDS
            if time.monotonic() >= end:
                break
        return {path for path in changed if path in self.index.listings or not path}

    def _tell(self, reason: str) -> None:
        self.problem = reason
        when = f"every {self._rescan_seconds:g} seconds" if self._rescan_seconds else "once a day"
        _logger.warning("not every change is seen at once: %s; all folders are looked at %s", reason, when)


def network_file_system(path: Path) -> str:
    """Return the kind of the file system of a folder where other machines may change what is in it, else nothing."""
    status = path.stat()
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        place, _, source = line.partition(" - ")
        kind = source.split(" ")[0]
        if place.split(" ")[2] == device and (kind in _NETWORK or kind.startswith("fuse")):
            return kind
    return ""
