"""What the tests of the archive page open: a small archive on the disk, and servers in front of it."""

import contextlib
import functools
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests import waiting
from tests.processes import started

# A page waits with reading this folder of the small archive while it is held.
HELD_FOLDER = """
window.isHeld = true;
(() => {
  const values = FileSystemDirectoryHandle.prototype.values;
  FileSystemDirectoryHandle.prototype.values = async function* () {
    while (this.name === "Rock" && window.isHeld) await new Promise((resolve) => setTimeout(resolve, 20));
    yield* values.call(this);
  };
})();
"""

SCRIPT = Path(__file__).parents[3] / "examples/small-archive/make.py"


@functools.cache
def small_archive() -> object:
    """The script that makes the small archive, as a module."""
    found = importlib.util.spec_from_file_location("make_small_archive", SCRIPT)
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def open_to_hand_in(root: Path) -> None:
    """Let people at Acme hand in to a folder of a project, and Kim alone to one that is closed to all others."""
    for path, rules in {
        "P1/Acme/incoming": "acl: {permissions: {'*@acme.example': rc}}\n",
        "Drop": "acl: {deny: ['*']}\n",
        "Drop/incoming": "acl: {permissions: {kim@acme.example: c}}\n",
    }.items():
        (root / path).mkdir(parents=True)
        (root / path / ".zddc").write_text(rules)


@contextlib.contextmanager
def served(root: Path, *options: object) -> Iterator[str]:
    """Serve a folder by the command with these options; the address ends with a slash."""
    command = [sys.executable, "-m", "zddc", "serve", root, "--listen", "127.0.0.1:0", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZDDC_")}
    joined = ["sh", "-c", 'exec "$@" 2>&1', "sh", *command]
    with started(joined, stdout=subprocess.PIPE, text=True, env=environment) as process:
        found = (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in process.stdout)
        address = next(filter(None, found))[0]
        # What it says of each request must be read, or it waits.
        threading.Thread(target=lambda: [None for _ in process.stdout], daemon=True).start()
        wait_for(f"{address}.health")
        yield address


def served_by_zddc(root: Path, email: str = "kim@acme.example") -> contextlib.AbstractContextManager[str]:
    """Serve a folder by the command, as one person."""
    return served(root, "--as", email)


@contextlib.contextmanager
def served_by_caddy(root: Path) -> Iterator[str]:
    """Serve a folder by Caddy's listing, which knows nothing of us."""
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("there is no caddy on this machine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = root.parent / "Caddyfile"
    config.write_text(
        "{\n admin off\n auto_https off\n}\n"
        f'http://{address} {{\n root * "{root}"\n file_server browse {{\n hide .zddc\n }}\n}}\n'
    )
    environment = {**os.environ, "HOME": str(root.parent)}
    with started([program, "run", "--config", config, "--adapter", "caddyfile"], env=environment):
        wait_for(f"http://{address}/")
        yield f"http://{address}/"


@contextlib.contextmanager
def served_by(answer: Callable[[str], tuple[int, str, bytes]]) -> Iterator[str]:
    """Serve what a function answers a path with: status, type and content; the page itself is answered by it, too."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            status, kind, content = answer(unquote(asked.path) + (f"?{asked.query}" if asked.query else ""))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def listing(*rows: dict[str, object]) -> tuple[int, str, bytes]:
    """Return an answer with a listing in the form of Caddy's."""
    return 200, "application/json", json.dumps(rows).encode()


def wait_for(address: str) -> None:
    """Wait until an address is answered."""
    waiting.until(lambda: _answers(address))


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=30):
            return True
    except OSError:  # an answer that is an error is one of these
        return False
