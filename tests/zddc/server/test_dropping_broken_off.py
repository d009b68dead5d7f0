"""Files handed in to a real server, of which either end is killed, the disk fails, or two come at once."""

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE
from urllib.parse import quote

import pytest
from tests import waiting
from tests.processes import started
from tests.zddc.server.serving import TRUSTED, listens, server_at, tell

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
CLIENTS_KILLED, SERVERS_KILLED = (500, 500) if SOAK else (15, 5)
RACES = 1000 if SOAK else 20
SENDERS = 4
KIM = "kim@acme.example"
FOLDER = "2025-01-02_T-1 (IFC) - Sent"
BEFORE = b"what was there before\n" * 50_000

# Makes one server after the other, each in a process of its own, without loading the program each time.
MANY_SERVERS = """
import os, sys
import granian.server.embed, zddc.server.run
from zddc.cli import main
root, file = sys.argv[1:]
for _ in sys.stdin:
    server = os.fork()
    if not server:
        sys.argv = ["zddc", "serve", root, "--listen", f"unix:{file}", "--trusted-proxy", "unix", "--audit-log", "off"]
        main()
    print(server, flush=True)
    os.waitpid(server, 0)
    print(server, "is gone", flush=True)
"""


@pytest.fixture
def place():
    # The path of a socket file has to be short.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        (root / "P" / "incoming" / FOLDER).mkdir(parents=True)
        (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\n')
        (root / "P" / "incoming" / ".zddc").write_text('acl: {permissions: {"*@acme.example": rc}}\n')
        yield Path(folder)


def path_of(number) -> str:
    return f"/P/incoming/{FOLDER}/D-{number}_A (IFC) - Plan.bin"


def data_of(number) -> bytes:
    """Return the bytes of a file: a megabyte that no other has."""
    block = hashlib.sha256(str(number).encode()).digest()
    return block * (2**20 // 32 + int(number) % 7) + b"end"


def check(root: Path, stored: set[str], taken: set[str]) -> int:
    """Check that all that is visible is whole, that what was there is the same, and all that was told is there."""
    seen = set()
    for file in (root / "P" / "incoming" / FOLDER).iterdir():
        number = re.fullmatch(r"D-(\d+)_A \(IFC\) - Plan\.bin", file.name)[1]
        wanted = BEFORE if number in taken else data_of(number)
        assert file.read_bytes() == wanted, file
        seen.add(number)
    assert stored | taken <= seen
    return len(seen)


def send_with_curl(socket_file: Path, source: Path, number) -> subprocess.Popen:
    """Begin to hand in a file with a program of its own, which prints the status."""
    url = f"http://localhost{quote(path_of(number))}"
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", source, "--unix-socket", socket_file]
    return subprocess.Popen(
        [*map(str, command), "--limit-rate", "20M", "-H", f"X-Auth-Request-Email: {KIM}", url], stdout=subprocess.PIPE
    )


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_a_client_that_is_killed_leaves_nothing_that_can_be_seen(place):
    """G1, half of it: each time a client is killed somewhere between its start and its answer."""
    chance, root, source = random.Random(5), place / "root", place / "source"
    stored, taken = set(), {"0", "1"}
    for number in taken:
        (root / path_of(number)[1:]).write_bytes(BEFORE)
    with server_at(root, place / "s.sock", *TRUSTED, audit=place / "audit.jsonl"):
        for number in range(CLIENTS_KILLED):
            source.write_bytes(data_of(number))
            with send_with_curl(place / "s.sock", source, number) as sender:
                time.sleep(chance.uniform(0.01, 0.25))  # any moment will do: none of them may matter
                sender.kill()
                status = sender.stdout.read()
            if status == b"201":
                stored.add(str(number))
        waiting.until(lambda: not list((root / "P" / "incoming").glob(".*.part")))
        seen = check(root, stored, taken)
        assert not stored & taken
        for number in range(2, CLIENTS_KILLED):  # whoever was broken off sends it again
            assert tell(place / "s.sock", "PUT", quote(path_of(number)), KIM, data_of(number)).status in (200, 201)
    assert check(root, {str(number) for number in range(2, CLIENTS_KILLED)}, taken) == CLIENTS_KILLED
    audit = (place / "audit.jsonl").read_text()
    told = {status: audit.count(f'"status": {status},') for status in (201, 400, 409)}
    print(f"{CLIENTS_KILLED} clients killed, {seen - 2} files were whole; answers by status, with those after: {told}")


def test_a_server_that_is_killed_leaves_nothing_that_can_be_seen(place):
    """G1, the other half: each time a server is killed while some hand in."""
    chance, root, file = random.Random(6), place / "root", place / "s.sock"
    stored, taken, number = set(), {"0", "1"}, 0
    for one in taken:
        (root / path_of(one)[1:]).write_bytes(BEFORE)
    with started([sys.executable, "-c", MANY_SERVERS, root, file], stdin=PIPE, stdout=PIPE, text=True) as servers:
        for _ in range(SERVERS_KILLED):
            print(file=servers.stdin, flush=True)
            server = int(servers.stdout.readline())
            waiting.until(lambda: listens(file))
            numbers = range(number, number + SENDERS)
            with ThreadPoolExecutor(SENDERS) as senders:
                told = [senders.submit(tell, file, "PUT", quote(path_of(one)), KIM, data_of(one)) for one in numbers]
                time.sleep(chance.uniform(0, 0.15))  # any moment will do: none of them may matter
                os.kill(server, signal.SIGKILL)
                assert servers.stdout.readline() == f"{server} is gone\n"
            stored |= {str(one) for one, answer in zip(numbers, told, strict=True) if answer.result().status == 201}
            number += SENDERS
            file.unlink(missing_ok=True)
        servers.stdin.close()
        servers.wait()
    check(root, stored, taken)  # no file is sent twice, so that what was ever seen of one is seen now
    assert not stored & taken
    parts = len(list((root / "P" / "incoming").glob(".*.part")))
    print(
        f"{SERVERS_KILLED} servers killed, {len(stored)} of {number} files were told to be stored, {parts} were parts"
    )


def test_of_two_senders_of_one_name_exactly_one_is_told_that_it_is_stored(place):
    """G3: with the same bytes the other is told that it is there, with others that the name is taken."""
    root, file = place / "root", place / "s.sock"
    with server_at(root, file, *TRUSTED), ThreadPoolExecutor(2) as senders:
        for number in range(RACES):
            is_same = number % 2
            data = [data_of(number)[: 50_000 + number], data_of(number + 7 * (1 - is_same))[: 50_000 + number]]
            started_at_once = threading.Barrier(2)

            def send(one, number=number, barrier=started_at_once):
                barrier.wait()
                return tell(file, "PUT", quote(path_of(number)), KIM, one).status

            told = list(senders.map(send, data))
            assert sorted(told) == [200 if is_same else 201, 201 if is_same else 409], (number, told)
            assert (root / path_of(number)[1:]).read_bytes() == data[told.index(201)]


FAULTS = [
    (call, error, when)
    for call, times in (("pwrite64", (1,)), ("fsync", (1, 2, 3)), ("mkdirat", (1,)), ("renameat2", (1,)))
    for error in ("ENOSPC", "EIO")
    for when in times
]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_disk_that_is_full_or_fails_is_never_told_to_be_stored(place):
    """G2: system calls of a real server fail, one at a time: the one of that number in its thread."""
    root, file = place / "root", place / "s.sock"
    found = {}
    with server_at(root, file, *TRUSTED) as server:
        for number, (call, error, when) in enumerate(FAULTS):
            path, data = path_of(number).replace("T-1", f"T-{number}"), data_of(number) * 2
            said = place / f"strace-{number}"
            inject = f"inject={call}:error={error}:when={when}"
            with started(["strace", "-f", "-q", "-p", server.pid, "-o", said, "-e", f"trace={call}", "-e", inject]):
                waiting.until(lambda: is_traced(server.pid))
                told = tell(file, "PUT", quote(path), KIM, data)
            if not said.exists() or "INJECTED" not in said.read_text():
                pytest.fail(f"{call} was not called {when} times")
            found[call, error, when] = told.status
            assert told.status == (507 if error == "ENOSPC" else 503), (call, error, when, told)
            if (root / path[1:]).exists():  # it has its name, and only the folder may not be on the disk
                assert (call, when) == ("fsync", 3)
                assert (root / path[1:]).read_bytes() == data
            assert not list((root / "P" / "incoming").glob(".*.part"))
            assert tell(file, "PUT", quote(path), KIM, data).status in (200, 201)
    print(found)


def is_traced(process: int) -> bool:
    """Whether every thread of a process is traced."""
    tasks = Path("/proc", str(process), "task").iterdir()
    try:
        return all("TracerPid:\t0" not in (task / "status").read_text() for task in tasks)
    except (FileNotFoundError, ProcessLookupError):  # a thread has ended meanwhile
        return False
