"""Ledger of spending: what was reserved before it was spent, and what it cost, shared by all processes of a machine.

A reservation counts at its reserved price until it is settled. If its process is killed, it stays at that price, so
that nothing is ever counted as less than it may have cost. What is older than a day counts no more.
"""

import contextlib
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weakspot.storage import atomic, locks

DAY_SECONDS, HOUR_SECONDS = 86_400.0, 3_600.0
# What was reserved this long ago and is not settled is not in flight any more.
_IN_FLIGHT_SECONDS = 900.0
_SOON_SECONDS = 5.0
# So many lines that count no more are removed at once.
_MOST_STALE_LINES = 5000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Limits of an account: US dollars in 24 hours, and reservations in an hour; None is no limit."""

    usd_per_day: float | None = None
    count_per_hour: int | None = None

    def __bool__(self) -> bool:
        """Return whether there is any limit."""
        return self.usd_per_day is not None or self.count_per_hour is not None


@dataclass(frozen=True)
class Balance:
    """What counts against an account now: US dollars of the last 24 hours, reservations of the last hour."""

    usd: float
    count: int


class OverLimitError(Exception):
    """A reservation that a limit forbids; ``seconds`` until it may be made, None where it never may."""

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass
class _Entry:
    account: str
    moment: float
    usd: float
    settled: bool = False


class Ledger:
    """The ledger in one file, append-only but for what counts no more; threads may share it, processes share the file.

    A reservation is made while some of the budget is left: the budget is exceeded by no more than the price of what
    was reserved last. While the disk fails, each process keeps its own entries in memory, and writes them later.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._guard = threading.Lock()
        self._unwritten: list[bytes] = []
        self._inode = self._offset = self._lines = 0
        self._entries: dict[str, _Entry] = {}

    def reserve(self, account: str, usd: float, limits: Limits) -> str:
        """Reserve ``usd`` on an account and return the reservation's id; raise :class:`OverLimitError` over a limit."""
        with self._guard, self._up_to_date() as descriptor:
            now = time.time()
            _require_room(self._entries_of(account), now, limits)
            identity = secrets.token_hex(8)
            self._write(descriptor, {"reserved": identity, "account": account, "at": now, "usd": usd})
            return identity

    def settle(self, identity: str, usd: float | None) -> None:
        """Replace a reservation's price by the real one; None releases it, as if it had not been made."""
        with self._guard, self._up_to_date() as descriptor:
            self._write(descriptor, {"settled": identity, "usd": usd})

    def balance(self, account: str) -> Balance:
        """Return what counts against an account now; nothing is written."""
        with self._guard:
            with contextlib.suppress(FileNotFoundError), self._file.open("rb") as stream:
                self._read(stream.fileno())
            return _balance(self._entries_of(account), time.time())

    def _entries_of(self, account: str) -> list[_Entry]:
        return sorted((one for one in self._entries.values() if one.account == account), key=lambda one: one.moment)

    @contextlib.contextmanager
    def _up_to_date(self) -> Iterator[int | None]:
        """Hold the file's lock, with all that is in it known; without a working disk give None."""
        with contextlib.ExitStack() as held:
            descriptor: int | None = None
            try:
                descriptor = held.enter_context(locks.open_and_lock(self._file, create=True))
                self._read(descriptor)
                self._remove_stale_lines()
                if not locks.is_current(descriptor, self._file):
                    held.close()
                    descriptor = held.enter_context(locks.open_and_lock(self._file, create=True))
                    self._read(descriptor)
            except OSError as error:
                _log.error("spending cannot be noted, and is counted in memory: %s", error)
                descriptor = None
            yield descriptor

    def _read(self, descriptor: int) -> None:
        """Read what was written since the last time; a line that a killed process left unfinished is no entry."""
        found = os.fstat(descriptor)
        if found.st_ino != self._inode or found.st_size < self._offset:
            unwritten = self._unwritten
            self._forget_what_was_read()
            self._inode = found.st_ino
            for line in unwritten:
                self._apply(line)
        data = b""
        while piece := os.pread(descriptor, 1 << 20, self._offset + len(data)):
            data += piece
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._apply(line)
        self._offset += len(whole)

    def _apply(self, line: bytes) -> None:
        self._lines += 1
        try:
            value = json.loads(line)
            if "reserved" in value:
                self._entries[value["reserved"]] = _Entry(value["account"], float(value["at"]), float(value["usd"]))
            elif value["usd"] is None:
                self._entries.pop(value["settled"], None)
            elif (entry := self._entries.get(value["settled"])) is not None:
                entry.usd, entry.settled = float(value["usd"]), True
        except (ValueError, TypeError, KeyError):
            return

    def _write(self, descriptor: int | None, value: dict[str, object]) -> None:
        """Append a line, and lines that the disk did not take before; return when they are on the disk."""
        line = json.dumps(value).encode() + b"\n"
        self._apply(line)
        self._unwritten.append(line)
        if descriptor is None:
            return
        try:
            end = os.fstat(descriptor).st_size
            unfinished = end > self._offset
            os.lseek(descriptor, 0, os.SEEK_END)
            data = b"\n" * unfinished + b"".join(self._unwritten)
            atomic.write_all(descriptor, data)
            os.fdatasync(descriptor)
        except OSError as error:
            _log.error("spending cannot be noted, and is counted in memory: %s", error)
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, end)
            return
        self._offset = end + len(data)
        self._unwritten = []

    def _remove_stale_lines(self) -> None:
        """Under the lock, write the file anew without what counts no more, if that is most of it."""
        oldest = time.time() - DAY_SECONDS
        live = {identity: one for identity, one in self._entries.items() if one.moment > oldest}
        if self._lines < _MOST_STALE_LINES or self._lines < 4 * len(live):
            return
        lines = []
        for identity, one in live.items():
            lines.append({"reserved": identity, "account": one.account, "at": one.moment, "usd": one.usd})
            if one.settled:
                lines.append({"settled": identity, "usd": one.usd})
        atomic.write_atomically(self._file, "".join(json.dumps(line) + "\n" for line in lines).encode())

    def _forget_what_was_read(self) -> None:
        self._inode = self._offset = self._lines = 0
        self._entries = {}


def _balance(entries: list[_Entry], now: float) -> Balance:
    return Balance(
        usd=sum(one.usd for one in entries if one.moment > now - DAY_SECONDS),
        count=sum(one.moment > now - HOUR_SECONDS for one in entries),
    )


def _require_room(entries: list[_Entry], now: float, limits: Limits) -> None:
    """Raise :class:`OverLimitError` where an account has reached a limit; ``entries`` are the oldest first."""
    found = _balance(entries, now)
    if (most := limits.count_per_hour) is not None and found.count >= most:
        moments = [one.moment for one in entries if one.moment > now - HOUR_SECONDS]
        seconds = moments[found.count - most] + HOUR_SECONDS - now if most else None
        raise OverLimitError(f"{found.count} of {most} consultations in the last hour", seconds)
    if (budget := limits.usd_per_day) is not None and found.usd >= budget:
        raise OverLimitError(
            f"{found.usd:.2f} of {budget:.2f} US dollars in the last 24 hours", _seconds_to_room(entries, now, budget)
        )


def _seconds_to_room(entries: list[_Entry], now: float, budget: float) -> float | None:
    """Return when some of the budget is left again: soon, where what is in flight may cost less than was reserved."""
    day = [one for one in entries if one.moment > now - DAY_SECONDS]
    if sum(one.usd for one in day if one.settled or one.moment < now - _IN_FLIGHT_SECONDS) < budget:
        return _SOON_SECONDS
    left = sum(one.usd for one in day)
    for one in day:
        left -= one.usd
        if left < budget:
            return one.moment + DAY_SECONDS - now
    return None
