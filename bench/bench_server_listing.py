"""Claim: a folder of 100,000 files is listed, compressed, in less than 0.6 s, and one of 10,000 in less than 60 ms.

A folder of empty files with names of the convention, and its listing as JSON with gzip, from reading the folder to the
bytes to be sent, with everybody allowed to read. The peer is Caddy's ``file_server browse``, where it is installed,
asked on loopback by curl; our time is without a connection, which takes some milliseconds more. Caddy lists 10,000
names and leaves out the rest, so the larger folder has no peer. Both are measured in turns; the median is reported.

usage: python bench/bench_server_listing.py [ROUNDS]
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record
from starlette.datastructures import Headers

from zddc.access.policy import Policy
from zddc.console import out, table
from zddc.server import answer
from zddc.server.listing import answer_listing

SIZES = {10_000: 60.0, 100_000: 600.0}  # files, and the goal in milliseconds
CADDY_LISTS = 10_000  # names
ADDRESS = "127.0.0.1:18923"


def main() -> None:
    """Measure and print a table."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else 5
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / ".zddc").write_text('acl: {allow: ["*", anonymous]}')
        for size in SIZES:
            (root / str(size)).mkdir()
            for number in range(size):
                (root / str(size) / f"A-{number:06}_B (IFC) - Pump data sheet, station {number % 97}.pdf").touch()
        caddy = start_caddy(root)
        try:
            for size in SIZES:
                ours, peers = [], []
                for _ in range(rounds):
                    milliseconds, length = list_folder(root, str(size))
                    ours.append(milliseconds)
                    peers += [ask_caddy(size)] if caddy and size <= CADDY_LISTS else []
                figures[f"{size} files, ms"] = round(statistics.median(ours), 1)
                figures[f"{size} files, bytes"] = length
                if peers:
                    figures[f"{size} files, Caddy, ms"] = round(statistics.median(peers), 1)
        finally:
            if caddy:
                caddy.terminate()
                caddy.wait()
    ratios = {f"{size} files against the goal": figures[f"{size} files, ms"] / goal for size, goal in SIZES.items()}
    for size in SIZES:
        if f"{size} files, Caddy, ms" in figures:
            ratios[f"{size} files against Caddy"] = figures[f"{size} files, ms"] / figures[f"{size} files, Caddy, ms"]
    shown = table("measure", "value")
    for name, value in figures.items():
        shown.add_row(name, f"{value:,}")
    out.print(shown)
    record.write("server-listing", (__doc__ or "").splitlines()[0], ratios, figures)


def list_folder(root: Path, name: str) -> tuple[float, int]:
    """Return the milliseconds that a listing takes, and its length in bytes."""
    headers = Headers({"accept": "application/json", "accept-encoding": "gzip"})
    asked = answer.Request("GET", answer.Path((name,), True), {}, headers, None, f"/{name}/".encode())
    began = time.perf_counter()
    with Policy(root) as policy, policy.open_folder([name]) as (folder, chain):
        body = answer_listing(asked, folder, chain, policy).body
    milliseconds = (time.perf_counter() - began) * 1000
    return milliseconds, len(body) if isinstance(body, bytes) else 0


def start_caddy(root: Path) -> subprocess.Popen[bytes] | None:
    """Start Caddy, if there is one, and wait until it answers."""
    if not (program := shutil.which("caddy")):
        return None
    config = root / ".Caddyfile"
    config.write_text(
        "{\n admin off\n auto_https off\n}\n"
        f"http://{ADDRESS} {{\n root * {root}\n encode gzip\n file_server browse\n}}\n"
    )
    command = [program, "run", "--config", config, "--adapter", "caddyfile"]
    caddy = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": str(root)}
    )
    while subprocess.run(["curl", "-sfo", os.devnull, f"http://{ADDRESS}/"], check=False).returncode:
        if caddy.poll() is not None:
            raise SystemExit("caddy: it ended; see its own messages with 'caddy run'")
        time.sleep(0.1)
    return caddy


def ask_caddy(size: int) -> float:
    """Return the milliseconds that Caddy's listing takes, by curl's clock."""
    options = [
        "-sfo",
        os.devnull,
        "-w",
        "%{time_total}",
        "-H",
        "accept: application/json",
        "-H",
        "accept-encoding: gzip",
    ]
    done = subprocess.run(["curl", *options, f"http://{ADDRESS}/{size}/"], capture_output=True, text=True, check=True)
    return float(done.stdout) * 1000


if __name__ == "__main__":
    main()
