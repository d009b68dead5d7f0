"""Many who read slowly, or not at all, keep nobody out and take little memory: a real server on a socket file."""

import contextlib
import os
import socket
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.waiting import until
from tests.zddc.server.serving import connect, get, request_for, serving
from tests.zddc.tools.archives import served

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
# More than the server takes connections by itself, where nobody tells it how many.
READERS = 250 if SOAK else 160


def test_readers_who_stop_keep_nobody_out():
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        root = Path(folder) / "root"
        root.mkdir()
        (root / ".zddc").write_text("acl: {allow: [anonymous]}\n")
        (root / "small.txt").write_text("hello")
        with (root / "large.bin").open("wb") as large:
            large.truncate(64 << 20)
        file = stack.enter_context(serving(root, Path(folder)))
        for _ in range(READERS):
            connection = stack.enter_context(connect(file))
            connection.settimeout(200)
            connection.sendall(request_for(b"/large.bin"))
            assert connection.recv(12) == b"HTTP/1.1 200"  # and no more of it is read
        status, answer = get(file, b"/small.txt")
        assert status == 200
        assert answer.endswith(b"hello")


def test_the_system_keeps_little_for_a_reader_who_stops(tmp_path):
    """By itself it would take megabytes for each, and the server would be busy with nothing but giving them."""
    with (tmp_path / "large.bin").open("wb") as large:
        large.truncate(64 << 20)
    with served(tmp_path, "--public", "--tls", "none", "--audit-log", "off") as address, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", urlsplit(address).port))
        connection.sendall(request_for(b"/large.bin"))
        until(lambda: _bytes_kept(connection))
        looks = []
        while len(looks) < 3 or len({*looks[-3:]}) > 1:  # until it is filled
            time.sleep(0.05)
            looks.append(_bytes_kept(connection))
        assert 0 < max(looks) < 512 * 1024


def _bytes_kept(connection: socket.socket) -> int:
    """Return how much the system has to send to a socket of this machine, and its program has not taken yet."""
    wanted = tuple(f":{side[1]:04X}" for side in (connection.getpeername(), connection.getsockname()))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, _, queues, *_ = line.split()
        if (here[-5:], there[-5:]) == wanted:
            return int(queues.partition(":")[0], 16)
    return 0
