"""A process whose system calls fail, or which dies in one of them, at a place of the test's choice."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Each that opens, locks, reads, changes or syncs a file.
CALLS = ("openat", "flock", "fcntl", "pread64", "write", "pwrite64", "ftruncate", "fdatasync", "fsync", "rename")
FAULTS = {
    "error=EIO": CALLS,
    "error=ENOSPC": ("openat", "write", "pwrite64", "fdatasync", "fsync"),
    "error=EINTR": ("flock", "fcntl"),
    "error=ENOLCK": ("flock", "fcntl"),
    "signal=KILL": CALLS,
}

# Waits until it is told to begin, so that only the system calls of ``act`` are counted.
PROGRAM = """
import os, sys
from pathlib import Path
from weakspot.data import journal, store
file = Path(sys.argv[1])
os.write(1, b"ready\\n")
os.read(0, 1)
{act}
os.write(1, b"acknowledged\\n")
os._exit(0)
"""


class Faults:
    """Runs a piece of code under strace."""

    def __init__(self, log: Path):
        self._log = log

    def run(self, act: str, file: Path, *options: str) -> bool:
        """Run ``act``, in which ``file`` is a path; tell whether it came to its end."""
        command = [sys.executable, "-c", PROGRAM.format(act=act), str(file)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as process:
            process.stdout.readline()
            strace = ["strace", "-p", str(process.pid), "-o", str(self._log), *options]
            with subprocess.Popen(strace, stderr=subprocess.PIPE, text=True) as tracer:
                if "attached" not in (line := tracer.stderr.readline()):
                    process.kill()
                    pytest.skip(f"strace may not trace here: {line}")
                said, _ = process.communicate(b"\n")
        return said == b"acknowledged\n"

    def each(self, act: str, file: Path, prepare: Callable[[], None]) -> Iterator[tuple[str, bool]]:
        """Run ``act`` once for each system call that it makes and each fault of it; yield the fault and its end."""
        prepare()
        assert self.run(act, file, "-e", f"trace={','.join(CALLS)}")
        counts = Counter(re.findall(r"^(\w+)\(", self._log.read_text(), re.MULTILINE))
        for fault, calls in FAULTS.items():
            for call in calls:
                for number in range(1, counts[call] + 1):
                    prepare()
                    yield (what := f"{call}:{fault}:when={number}"), self.run(act, file, "-e", f"inject={what}")


@pytest.fixture
def faults(tmp_path) -> Faults:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    return Faults(tmp_path / "strace.log")
