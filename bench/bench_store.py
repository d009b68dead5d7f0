"""Claim: letting the lock go before the disk answers stores durable records faster than holding it, and than SQLite.

Eight processes each store records of 2 KB one by one, and a record counts when its writer was told that it is on the
disk. The peers: the same append with the lock held until the disk has answered, and SQLite in WAL mode with
synchronous=FULL, one transaction a record. All are measured in turns, so that what else the machine does hurts
them alike, and each ratio is that of two neighbouring turns; the median of the rounds is reported.

usage: python bench/bench_store.py [SECONDS] [ROUNDS] [FOLDER]
"""

import fcntl
import itertools
import os
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import record

from weakspot.storage import append_log
from weakspot.storage.append_log import Journal
from zddc.console import out, table

WRITERS, SIZE = 8, 2000
TEXT = '{"text": "' + "x" * (SIZE - 13) + '"}'

Store = Callable[[], None]


def ours(folder: Path) -> Store:
    """What the project does."""
    kept = Journal(folder / "journal.jsonl")
    return lambda: kept.append([TEXT])


def lock_held(folder: Path) -> Store:
    """The same, but the next writer may only write when the disk has what this one wrote."""
    file, data = folder / "held.jsonl", f"{TEXT}\n".encode()

    def store() -> None:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = os.fstat(descriptor).st_size
        torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
        os.write(descriptor, b"\n" * torn + data)
        os.fdatasync(descriptor)
        os.close(descriptor)

    return store


def sqlite(folder: Path) -> Store:
    """A table of texts."""
    connection = sqlite3.connect(folder / "store.sqlite", timeout=60, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    return lambda: connection.execute("INSERT INTO records (text) VALUES (?)", (TEXT,))


ARMS = {"ours": ours, "lock held": lock_held, "sqlite3": sqlite}


def main() -> None:
    """Measure and print a table."""
    seconds, rounds = float(sys.argv[1] if sys.argv[1:] else 5), int(sys.argv[2] if sys.argv[2:] else 5)
    rates: dict[str, list[float]] = {name: [] for name in ARMS}
    for _ in range(rounds):
        for name, arm in ARMS.items():
            with tempfile.TemporaryDirectory(dir=sys.argv[3] if sys.argv[3:] else None) as folder:
                rates[name].append(measured(arm, Path(folder), seconds))
    shown = table("store", "durable records/s, median", "lowest", "highest")
    for name, values in rates.items():
        shown.add_row(name, *(f"{f(values):,.0f}" for f in (statistics.median, min, max)))
    out.print(shown)
    ratios = {
        f"durable records/s, ours vs {peer}": statistics.median(
            own / other for own, other in zip(rates["ours"], rates[peer], strict=True)
        )
        for peer in ARMS
        if peer != "ours"
    }
    figures = {
        name: {"records_per_second": round(statistics.median(values)), "rounds": [round(value) for value in values]}
        for name, values in rates.items()
    }
    settings = {"writers": WRITERS, "record_bytes": SIZE, "seconds": seconds}
    result = record.write("store", __doc__.splitlines()[0], ratios, {**figures, "settings": settings})
    out.print(f"{result}: {ratios}", markup=False)


def measured(arm: Callable[[Path], Store], folder: Path, seconds: float) -> float:
    """Return how many records a second all writers were told are stored; check that they are there."""
    arm(folder)()
    reading, writing = os.pipe()
    writers = []
    for _ in range(WRITERS):
        if process := os.fork():
            writers.append(process)
            continue
        signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
        signal.alarm(int(seconds) + 60)
        store, end = arm(folder), time.monotonic() + seconds
        for number in itertools.count():
            if time.monotonic() >= end:
                os.write(writing, number.to_bytes(8, "big"))
                os._exit(0)
            store()
    if any(os.waitpid(process, 0)[1] for process in writers):
        sys.exit(f"a writer of '{arm.__name__}' failed")
    told = sum(int.from_bytes(os.read(reading, 8), "big") for _ in writers)
    os.close(reading)
    os.close(writing)
    if stored(folder) != told + 1:
        sys.exit(f"'{arm.__name__}' was told that {told + 1} records are stored, but {stored(folder)} are")
    return told / seconds


def stored(folder: Path) -> int:
    """Return how many records there are."""
    if (folder / "store.sqlite").exists():
        with sqlite3.connect(folder / "store.sqlite") as connection:
            return connection.execute("SELECT count(*) FROM records").fetchone()[0]
    return sum(1 for file in folder.glob("*.jsonl") for _ in append_log.read_lines(file))


if __name__ == "__main__":
    main()
