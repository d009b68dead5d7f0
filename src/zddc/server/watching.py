"""Keeps the index of an archive in step with the disk, in a thread, from when the system tells of a change.

What the system did not tell is found by looking at every folder from time to time. The rules of folders need none of
this: a policy looks at them whenever somebody asks.
"""

import gc
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from zddc.access.rules import RULE_FILE
from zddc.archive.index import Index
from zddc.archive.tree import Listing, read_folder

FULL_SECONDS = 24 * 3600.0

# Changes come in swarms: as long as there is another one within a step, they are taken together.
_STEP_MS, _LONGEST_SWARM_MS, _TICK_SECONDS = 50, 400, 0.25
# Two changes within one tick of a file system's clock look alike, so a folder that changed just now is read once more.
# That also finds what was put into a new folder before the system began to watch it.
_SETTLED_SECONDS = 2.0
# The system keeps so many changes for us and then drops all others, without a word in what reaches us.
_MANY_CHANGES = 1000
# They tell of no change that another machine makes.
_NETWORK = {"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs", "virtiofs"}

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
        self._young: dict[str, float] = {}
        self._ready, self._stopping, self._asked = threading.Event(), threading.Event(), threading.Event()
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
        self.index.refresh(self._root, "", replaced=[""], read=self._read)
        self._forget_looks()
        self._ready.set()

    def rescan(self) -> None:
        """Look at every folder, and read those again that have changed, or had changed just before they were read."""
        changed = {path for path in ("", *self.index.listings) if self._look(path) != self._looks.get(path)}
        self.refresh(changed | self._young.keys())
        self._forget_looks()

    def refresh(self, paths: Iterable[str]) -> None:
        """Read some folders again; one that is another folder by now is read with all that is below.

        One that is reached through a link by now is passed over: whoever holds the link is among the changes, too.
        """
        paths = {path for path in paths if os.path.realpath(place := self._root / path) == str(place)}
        replaced = [path for path in paths if self._is_replaced(path)]
        self.index.refresh(self._root, *paths, replaced=replaced, read=self._read)

    def _is_replaced(self, path: str) -> bool:
        before, now = self._looks.get(path), self._look(path)
        return bool(before and now and not now.is_same_folder(before))

    def _look(self, path: str) -> _Look | None:
        try:
            status = os.lstat(self._root / path)
        except OSError:
            return None
        return _Look(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)

    def _read(self, root: Path, path: str) -> Listing:
        """Read a folder as the index does, and remember how it looked before that."""
        if self._stopping.is_set():
            raise _StoppedError
        self.folders_read += 1
        before, now = self._looks.pop(path, None), self._look(path)
        listing = read_folder(root, path)
        if now:
            self._looks[path] = now
            if now != before and max(now.mtime_ns, now.ctime_ns) > time.time_ns() - _SETTLED_SECONDS * 1e9:
                self._young[path] = time.monotonic() + _SETTLED_SECONDS
        return listing

    def _forget_looks(self) -> None:
        for known in (self._looks, self._young):
            for path in known.keys() - self.index.listings.keys():
                del known[path]

    def _run(self) -> None:
        swarms = self._swarms()
        next(swarms)  # From now on changes are kept for us, so that none is missed while the folders are read.
        done_all = done_rescan = -float("inf")
        while not self._stopping.is_set():
            try:
                now = time.monotonic()
                if now >= done_all + FULL_SECONDS or not self.is_ready:
                    self.read_all()
                    gc.freeze()  # The garbage collector would go through a million entries each time, and find nothing.
                    done_all = done_rescan = time.monotonic()
                elif self._asked.is_set() or (self._rescan_seconds and now >= done_rescan + self._rescan_seconds):
                    self._asked.clear()
                    self.rescan()
                    done_rescan = time.monotonic()
                self._take_in(next(swarms))
            except _StoppedError:
                return
            except Exception:
                _logger.exception("the index may not be in step until all folders are looked at again")
                self._asked.set()
                self._stopping.wait(_TICK_SECONDS)

    def _take_in(self, paths: set[str]) -> None:
        if len(paths) >= _MANY_CHANGES:
            self._asked.set()
        folders = {folder for path in paths if not _is_private(path) for folder in self._folders_of(path)}
        now = time.monotonic()
        settled = {path for path, due in self._young.items() if due <= now}
        for path in settled:
            del self._young[path]
        if folders | settled:
            self.refresh(folders | settled)

    def _folders_of(self, path: str) -> Iterator[str]:
        """Yield the known folders that a change of a path is about: itself, and the nearest above."""
        if path in self.index.listings:
            yield path
        while path:
            path = path.rpartition("/")[0]
            if path in self.index.listings:
                yield path
                return
        yield ""

    def _swarms(self) -> Iterator[set[str]]:
        """Yield the paths that have changed, several times a second; nothing where the system does not tell of them."""
        try:
            if kind := network_file_system(self._root):
                self._tell(f"{kind} does not tell of changes that other machines make")
            yield from self._watched()
        except (OSError, RuntimeError) as error:
            self._tell(str(error).partition(" about [")[0].rstrip("."))
        while True:
            self._stopping.wait(_TICK_SECONDS)
            yield set()

    def _watched(self) -> Iterator[set[str]]:
        from watchfiles import watch

        above = f"{self._root}/".replace("//", "/")
        for changes in watch(
            self._root,
            watch_filter=None,
            debounce=_LONGEST_SWARM_MS,
            step=_STEP_MS,
            rust_timeout=int(_TICK_SECONDS * 1000),
            yield_on_timeout=True,
            stop_event=self._stopping,
            force_polling=False,
            ignore_permission_denied=True,
        ):
            yield {path.removeprefix(above) for _, path in changes}

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


def _is_private(path: str) -> bool:
    names = path.split("/")
    if names[-1] == RULE_FILE:
        names.pop()
    return any(name.startswith((".", "_")) for name in names)
