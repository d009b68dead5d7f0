"""Removes what is left of files that were handed in and never came whole, at the start and every hour."""

import os
import re
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from zddc.access.policy import Policy
from zddc.server.drop_names import INCOMING
from zddc.server.watching import Watcher

STALE_SECONDS = 24 * 3600.0

_PART = re.compile(r"\.[0-9a-f]{16}\.part")
_SECONDS_BETWEEN, _SECONDS_TO_READY = 3600.0, 1.0


def remove_stale_parts(policy: Policy, folders: Iterable[str], now: float) -> int:
    """Remove parts of files that are older than a day at a time, in seconds since 1970; return how many.

    ``folders`` are paths of folders of the archive, of which those named incoming are looked into.
    """
    removed = 0
    for path in folders:
        names = path.split("/")
        if names[-1].lower() != INCOMING:
            continue
        with suppress(OSError), policy.open_folder(names) as (folder, _), os.scandir(folder) as found:
            for entry in list(found):
                if _PART.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < now - STALE_SECONDS:
                    os.unlink(entry.name, dir_fd=folder)
                    removed += 1
    return removed


class StalePartRemover:
    """Removes stale parts in a thread, as soon as the folders are known and then every hour, within its block."""

    def __init__(self, policy: Policy, watcher: Watcher) -> None:
        self._policy, self._watcher = policy, watcher
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stale parts", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        wait = _SECONDS_TO_READY
        while not self._stopping.wait(wait):
            if self._watcher.is_ready:
                wait = _SECONDS_BETWEEN
                folders = [listing.path for listing in self._watcher.index.listings_below()]
                remove_stale_parts(self._policy, folders, time.time())
