"""A process whose system calls fail or which dies in one of them, and a disk that fails, when the test says so."""

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
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

# Forks for each piece of code that it is given, as Python takes longer to start than the code to run. The child waits
# until it is told to begin: only the system calls of the code are to be counted.
PROGRAM = """
import json, os, sys
from pathlib import Path
from weakspot.storage import append_log, atomic
for line in sys.stdin:
    act, file = json.loads(line)
    if child := os.fork():
        os.waitpid(child, 0)
        os.write(1, b"ended\\n")
        continue
    try:
        os.write(1, b"%d\\n" % os.getpid())
        os.read(0, 1)
        exec(act, {**globals(), "file": Path(file)})
        os.write(1, b"acknowledged\\n")
    finally:
        os._exit(0)
"""


class Faults:
    """Runs pieces of code under strace."""

    def __init__(self, program: subprocess.Popen, log: Path):
        self._program, self._log = program, log

    def run(self, act: str, file: Path, *options: str) -> bool:
        """Run ``act``, in which ``file`` is a path; tell whether it came to its end."""
        with self._begun(act, file, *options):
            return self._acknowledged()

    @contextlib.contextmanager
    def held_up(self, act: str, file: Path, call: str) -> Iterator[Callable[[], bool]]:
        """Run ``act``, whose first ``call`` lasts until the block is left; give what tells whether it has ended."""
        with self._begun(act, file, "-e", f"inject={call}:delay_enter=3600000000") as tracer:
            try:
                yield lambda: bool(select.select([self._program.stdout], [], [], 0)[0])
            finally:
                tracer.kill()
                assert self._acknowledged()

    @contextlib.contextmanager
    def _begun(self, act: str, file: Path, *options: str) -> Iterator[subprocess.Popen]:
        self._tell(json.dumps([act, str(file)]) + "\n")
        process = self._program.stdout.readline().strip()
        strace = ["strace", "-p", process, "-o", str(self._log), *options]
        with subprocess.Popen(strace, stderr=subprocess.PIPE, text=True) as tracer:
            attached = tracer.stderr.readline()
            self._tell("!")
            if "attached" not in attached:
                self._acknowledged()
                pytest.skip(f"strace may not trace here: {attached}")
            yield tracer

    def _acknowledged(self) -> bool:
        said = self._program.stdout.readline()
        if said != "ended\n":
            assert self._program.stdout.readline() == "ended\n"
        return said == "acknowledged\n"

    def _tell(self, text: str) -> None:
        self._program.stdin.write(text)
        self._program.stdin.flush()

    def each(
        self, act: str, file: Path, prepare: Callable[[], None], kinds: Iterable[str] = FAULTS
    ) -> Iterator[tuple[str, bool]]:
        """Run ``act`` once for each system call that it makes and each fault of it; yield the fault and its end."""
        prepare()
        assert self.run(act, file, "-e", f"trace={','.join(CALLS)}")
        counts = Counter(re.findall(r"^(\w+)\(", self._log.read_text(), re.MULTILINE))
        for fault in kinds:
            for call in FAULTS[fault]:
                for number in range(1, counts[call] + 1):
                    prepare()
                    yield (what := f"{call}:{fault}:when={number}"), self.run(act, file, "-e", f"inject={what}")


@pytest.fixture(scope="session")
def faults(tmp_path_factory) -> Iterator[Faults]:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        yield Faults(program, tmp_path_factory.mktemp("strace") / "log")


class Disk:
    """A file system on a disk whose last blocks can be taken away, so that what is new cannot be written to it."""

    def __init__(self, folder):
        self.folder, self._backing = folder / "disk", folder / "backing"
        self._image, self._ballast = self._backing / "image", self._backing / "ballast"
        self._device = None

    def start(self) -> bool:
        self.folder.mkdir()
        self._backing.mkdir()
        if os.geteuid() != 0 or not system("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", self._backing):
            return False
        with self._image.open("wb") as stream:
            # Where the file system keeps its own records: only the blocks of files fail.
            stream.write(bytes(2**22))
            stream.truncate(2**26)
        # Without a journal of its own, it goes on after an error.
        if not system("mkfs.ext4", "-q", "-b", "4096", "-O", "^has_journal", "-E", "nodiscard", self._image):
            return False
        found = subprocess.run(
            ["losetup", "--find", "--show", self._image], capture_output=True, text=True, check=False
        )
        self._device = found.stdout.strip()
        if found.returncode:
            return False
        # A loop device takes a merged write of which the last part failed for done.
        Path(f"/sys/block/{Path(self._device).name}/queue/nomerges").write_text("2")
        return system("mount", self._device, self.folder)

    def fail(self) -> None:
        with self._ballast.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(bytes(4096))

    def mend(self) -> None:
        self._ballast.unlink()

    def damage(self, data: bytes) -> None:
        """Overwrite the first bytes of ``data``, which is on the disk once; who has it in memory does not see it."""
        with self._image.open("r+b") as stream:
            image = stream.read()
            assert image.count(data) == 1
            stream.seek(image.index(data))
            stream.write(bytes(3))

    @contextlib.contextmanager
    def after_power_cut(self) -> Iterator[Path]:
        """Give a folder with what is on the disk now, and nothing of what is in memory only."""
        image, folder = self._image.with_name("copy"), self.folder.with_name("copy")
        folder.mkdir(exist_ok=True)
        assert system("cp", "--sparse=always", self._image, image)
        assert system("mount", "-o", "loop", image, folder)
        try:
            yield folder
        finally:
            system("umount", folder)

    def restart(self) -> None:
        """Lose what is in memory and could not be written to the disk."""
        assert system("umount", self.folder)
        assert system("mount", self._device, self.folder)

    def stop(self) -> None:
        system("umount", self.folder)
        if self._device:
            system("losetup", "--detach", self._device)
        system("umount", self._backing)


def system(*command: object) -> bool:
    return not subprocess.run([str(word) for word in command], capture_output=True, check=False).returncode


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path)
    try:
        if not disk.start():
            pytest.skip("a disk that fails needs root, loop devices and ext4")
        yield disk
    finally:
        disk.stop()
