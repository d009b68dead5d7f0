"""Kill processes that append to one file, again and again, and count what became of what they were told is stored.

usage: python kill_writers.py FOLDER SIZE KILLS [WRITERS] [SEED]
"""

import ctypes
import itertools
import json
import os
import random
import re
import select
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from weakspot.storage import append_log
from weakspot.storage.append_log import Journal

# The file is checked and begun anew when it is this long.
LONGEST_FILE = 2**28
LONGEST_LIFE_SECONDS = 0.02
# Whatever ends this process, no writer goes on without it.
libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
# Appended when all writers are dead: what they left must not hurt it.
AFTER = '{"id": "after"}'


@dataclass
class Writer:
    """A process that appends records, and the pipe through which it tells which of them were acknowledged."""

    name: str
    process: int
    pipe: int
    told: bytes = b""


def record(identity: str, size: int) -> bytes:
    """Return the one record of that identity: each byte of it can be told from that of any other."""
    filler = identity * (size // len(identity) + 1)
    return b'{"id": "%b", "text": "%b"}' % (identity.encode(), filler.encode()[: size - len(identity) - 22])


def main(folder: Path, size: int, kills: int, writers: int = 8, seed: int = 1) -> dict[str, float]:
    """Kill so many times in all; return what was counted over all files.

    ``acknowledged`` records, of which ``lost`` are those that are not there, ``repeated`` those that are there
    twice; ``damaged`` lines are neither a record nor the beginning of one, as the ``torn`` ones are.
    """
    counts: Counter[str] = Counter()
    chance = random.Random(seed)
    started = time.monotonic()
    while counts["kills"] < kills:
        file = folder / f"{counts['files']}.jsonl"
        counts["files"] += 1
        counts += one_file(file, size, kills - counts["kills"], writers, chance)
        file.unlink()
    keys = ("kills", "files", "acknowledged", "lost", "repeated", "damaged", "torn", "unacknowledged")
    return {**{key: counts[key] for key in keys}, "seconds": round(time.monotonic() - started, 1)}


def one_file(file: Path, size: int, kills: int, writers: int, chance: random.Random) -> Counter[str]:
    """Kill writers until the file is long enough, then check what it holds."""
    counts: Counter[str] = Counter()
    acknowledged: set[str] = set()
    file.touch()
    alive = [start(file, size, f"{slot}-0") for slot in range(writers)]
    while alive:
        # However slow the machine is, each second kill is after a record that was acknowledged.
        heard = 0
        while heard < counts["kills"] % 2 and file.stat().st_size < 2 * LONGEST_FILE:
            heard = sum(map(receive, alive))
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS / writers))
        for writer in alive:
            receive(writer)
        slot = chance.randrange(len(alive))
        if counts["kills"] % 2 == 0:
            slot = writing(file, alive, slot)
        acknowledged |= killed(alive[slot])
        counts["kills"] += 1
        if counts["kills"] + len(alive) <= kills and file.stat().st_size < LONGEST_FILE:
            name, life = alive[slot].name.split("-")
            alive[slot] = start(file, size, f"{name}-{int(life) + 1}")
        else:
            del alive[slot]
    append_log.append(file, [AFTER])
    return counts + checked(file, size, acknowledged)


def start(file: Path, size: int, name: str) -> Writer:
    """Start a writer; every other one waits for the disk with each record.

    None writes on while the file is twice as long as it should get, so that it cannot fill the disk.
    """
    reading, writing = os.pipe()
    if process := os.fork():
        os.close(writing)
        os.set_blocking(reading, False)
        return Writer(name, process, reading)
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        slot, _ = name.split("-")
        shared = Journal(file, "disk" if int(slot) % 2 else "process")
        for number in itertools.count():
            while file.stat().st_size > 2 * LONGEST_FILE:
                time.sleep(0.001)
            shared.append([record(f"{name}-{number}", size).decode()])
            os.write(writing, b"%d\n" % number)
    finally:
        traceback.print_exc()
        os._exit(1)


def writing(file: Path, alive: list[Writer], otherwise: int) -> int:
    """Return the slot of the writer that holds the lock of the file's end just now, for a write that it will tear."""
    held = rf"^\d+: FLOCK +ADVISORY +WRITE (\d+) \S+:{file.stat().st_ino} "
    found = re.search(held, Path("/proc/locks").read_text(), re.MULTILINE)
    slots = {writer.process: slot for slot, writer in enumerate(alive)}
    return slots.get(int(found[1]), otherwise) if found else otherwise


def receive(writer: Writer) -> int:
    """Take what the writer has told, so that its pipe never fills up; return its length."""
    before = len(writer.told)
    while select.select([writer.pipe], [], [], 0)[0] and (told := os.read(writer.pipe, 65536)):
        writer.told += told
    return len(writer.told) - before


def killed(writer: Writer) -> set[str]:
    """Kill a writer and return the identities of the records that it said were acknowledged."""
    os.kill(writer.process, signal.SIGKILL)
    _, status = os.waitpid(writer.process, 0)
    if status != signal.SIGKILL:
        sys.exit(f"a writer ended by itself, with status {status}")
    receive(writer)
    os.close(writer.pipe)
    return {f"{writer.name}-{number.decode()}" for number in writer.told.split()}


def checked(file: Path, size: int, acknowledged: set[str]) -> Counter[str]:
    """Compare a file with what was acknowledged."""
    counts: Counter[str] = Counter(acknowledged=len(acknowledged))
    found: Counter[str] = Counter()
    last = b""
    for line in append_log.read_lines(file):
        last = line.data
        identity = re.match(rb'\{"id": "([\d-]+)"', last)
        whole = record(identity[1].decode(), size) if identity else b'{"id": "'
        if last == whole:
            found[identity[1].decode()] += 1
        elif whole.startswith(last) or re.fullmatch(rb'\{"id": "[\d-]*', last):
            counts["torn"] += 1
        elif last != AFTER.encode():
            counts["damaged"] += 1
    counts["lost"] = len(acknowledged - found.keys()) + (last != AFTER.encode())
    counts["repeated"] = sum(number > 1 for number in found.values())
    counts["unacknowledged"] = len(found.keys() - acknowledged)
    return counts


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
