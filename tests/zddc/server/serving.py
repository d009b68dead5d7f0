"""Starts a real server in a process of its own, on a socket file, and asks it: whole requests, or byte by byte."""

import contextlib
import re
import socket
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

from tests import waiting
from tests.processes import started

TRUSTED = ("--trusted-proxy", "unix")
"""Who connects to the socket file says who asks."""


class Told(NamedTuple):
    """What a server answered; status 0 where it did not."""

    status: int
    headers: dict[str, str]
    content: bytes


class _SocketConnection(HTTPConnection):
    def __init__(self, file: Path) -> None:
        super().__init__("localhost", timeout=waiting.PATIENCE_SECONDS)
        self._file = file

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._file))


@contextlib.contextmanager
def server_at(root: Path, file: Path, *options: object, audit: object = "off", **more) -> Iterator:
    """Serve a root at a socket file, whose path has to be short, until the block ends; yield the process.

    By then all folders are read, so that nothing that is asked has to wait for that.
    """
    command = [sys.executable, "-m", "zddc", "serve", root, "--listen", f"unix:{file}", "--audit-log", audit, *options]
    with started(command, **more) as process:
        waiting.until(lambda: process.poll() is not None or tell(file, "GET", "/.health").status == 200)
        yield process


@contextlib.contextmanager
def serving(root: Path, folder: Path, *options: object) -> Iterator[Path]:
    """Serve a root on a socket file in a folder, whose path has to be short; ``audit.jsonl`` there has the audit."""
    file = folder / "zddc.sock"
    with server_at(root, file, *options, audit=folder / "audit.jsonl"):
        yield file


def listens(file: Path) -> bool:
    """Whether somebody listens at a socket file."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(file)) == 0


def connect(file: Path) -> socket.socket:
    """Return a connection to a socket file."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(file))
    return connection


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Send bytes, and return all that comes back until the connection ends."""
    with connection:
        connection.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def request_for(target: bytes, *fields: str, method: bytes = b"GET", host: bytes = b"a") -> bytes:
    """Return the bytes of a request, after whose answer the connection ends."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: " + host, b"Connection: close"]
    return b"\r\n".join([*lines, *(field.encode("latin-1") for field in fields), b"", b""])


def get(file: Path, target: bytes, *fields: str) -> tuple[int, bytes]:
    """Return the status and the rest of an answer to a GET; 0 where there is no answer."""
    answer = exchange(connect(file), request_for(target, *fields))
    found = re.match(rb"HTTP/1.1 (\d+)", answer)
    return int(found[1]) if found else 0, answer


def tell(file: Path, method: str, path: str, email: str | None = None, body: bytes | None = None, **headers) -> Told:
    """Ask the server at a socket file; a name of a header has ``_`` for ``-``."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if email:
        sent["X-Auth-Request-Email"] = email
    with contextlib.closing(_SocketConnection(file)) as connection:
        try:
            connection.request(method, path, body, sent)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered before it got all
        except OSError:
            return Told(0, {}, b"")
        try:
            answer = connection.getresponse()
            return Told(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except (HTTPException, OSError):
            return Told(0, {}, b"")
