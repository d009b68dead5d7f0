"""Claim: an archive of a million files is served at once, indexed in half a minute, and its links take milliseconds.

The files are empty, in some 20,000 transmittals, with the revisions, copies and odd names of the tests' archives; a
rule file in the root says who may read. The server is a process of its own, asked over HTTP on loopback. ``first
answer`` and ``first index`` count from when the process was started. Links into ``.archive`` are asked for at a fixed
pace, whether or not the one before is answered: the time of an answer begins when it was due. Their peers are the same
server and Caddy, asked at the same pace, in turns, for the files themselves: they resolve nothing. ``seen`` is how long
after a new file is there its link leads to it. Then a second server is started beside the first, on the same files.

usage: python bench/bench_server_scale.py [--files N] [--seconds N] [--rounds N] [--folder DIR]
"""

import argparse
import contextlib
import http.client
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import quote

import record
from bench_index import make_files
from bench_server_files import Server, caddy, free_port, running

from zddc.archive.names import tracking_number
from zddc.console import out, table

PER_SECOND, CLIENTS, CHANGES = 200, 32, 20
GOALS = {
    "first index, s": 30.0,
    "memory at the first index, MB": 700.0,
    ".archive, p99 ms": 10.0,
    "memory, MB": 800.0,
    "seen, p95 s": 1.5,
}


def main() -> None:
    """Make the files, measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=10, help="how long links are asked for in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files are made, and removed again; a temporary folder")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        root = folder / "root"
        root.mkdir()
        folders = make_files(root, given.files)
        (root / ".zddc").write_text('acl: {allow: ["*@acme.example", anonymous]}\n')
        paths = draw_paths(root)
        figures, first = stack.enter_context(started(root, folder, "first"))
        peer = stack.enter_context(caddy(root, folder)) if shutil.which("caddy") else None
        figures |= measure_links(first, peer, paths, given)
        seen = [measure_seen(root, first, number) for number in range(CHANGES)]
        figures |= {"seen, median s": median(seen), "seen, p95 s": quantiles(seen, n=20)[18]}
        figures |= {"memory, MB": first.megabytes(), "memory at its most, MB": first.megabytes("VmHWM")}
        beside, second = stack.enter_context(started(root, folder, "second"))
        figures |= {f"second server, {name}": value for name, value in beside.items()}
        both = [measure_seen(root, one, CHANGES + number) for number, one in enumerate((first, second) * 3)]
        figures |= {"both servers, seen, slowest s": max(both)}
    shown = table("", "value")
    for name, one in figures.items():
        shown.add_row(name, f"{one:,.3f}")
    out.print(shown)
    ratios = {f"{name} vs goal": figures[name] / goal for name, goal in GOALS.items()}
    ratios[".archive / a file, p99"] = figures[".archive, p99 ms"] / figures["a file, p99 ms"]
    if peer:
        ratios[".archive / a file by Caddy, p99"] = figures[".archive, p99 ms"] / figures["a file by Caddy, p99 ms"]
    settings = {"files": given.files, "folders": folders, "per_second": PER_SECOND, "load": os.getloadavg()[0]}
    settings |= {"seconds": given.seconds, "rounds": given.rounds, "goals": GOALS}
    out.print(record.write("server-scale", __doc__ or "", ratios, {**figures, "settings": settings}), markup=False)


@contextlib.contextmanager
def started(root: Path, folder: Path, name: str) -> Iterator[tuple[dict[str, float], Server]]:
    """Run a server; yield it when its index is there, with what it took."""
    port, began = free_port(), time.perf_counter()
    command = [sys.executable, "-m", "zddc", "serve", str(root), "--listen", f"127.0.0.1:{port}", "--tls", "none"]
    with running([*command, "--audit-log", str(folder / f"{name}.jsonl")], port) as server:
        listed_began = time.perf_counter()
        if get(server, "/")[0] != 200:
            raise SystemExit("the root is not served")
        figures = {"first answer, s": time.perf_counter() - began}
        figures["first listing, ms"] = (time.perf_counter() - listed_began) * 1000
        while get(server, "/.health")[0] != 200:
            time.sleep(0.05)
        figures["first index, s"] = time.perf_counter() - began
        figures["processor to the first index, s"] = server.processor_seconds()
        figures["memory at the first index, MB"] = server.megabytes("VmHWM")
        yield figures, server


def get(server: Server, path: str) -> tuple[int, float]:
    """Return the status of an answer, read to its end, and the seconds that it took."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    with contextlib.closing(connection):
        connection.request("GET", quote(path), headers={"Accept": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.perf_counter() - began


def draw_paths(root: Path) -> list[tuple[str, str]]:
    """Return some links into the projects' ``.archive``, each with the path of a file that it may mean."""
    chance, found = random.Random(2), []
    folders = [Path(where) for where, _, _ in os.walk(root) if chance.random() < 1 / 10]
    for folder in folders:
        for file in folder.iterdir():
            if (number := tracking_number(file.name)) and len(file.relative_to(root).parts) > 1:
                path = str(file.relative_to(root))
                found.append((f"{path.partition('/')[0]}/.archive/{number}.html", path))
                break
    return found


def measure_links(
    first: Server, peer: Server | None, paths: list[tuple[str, str]], given: argparse.Namespace
) -> dict[str, float]:
    """Ask for links, and the peer for files, in turns; the median of the rounds counts."""
    rounds: list[dict[str, float]] = []
    for _ in range(given.rounds):
        chosen = random.Random(len(rounds)).choices(paths, k=PER_SECOND * given.seconds)
        before = first.processor_seconds()
        found = measure_pace(first, ".archive", [link for link, _ in chosen])
        found[".archive, processor ms"] = (first.processor_seconds() - before) / len(chosen) * 1000
        files = [file for _, file in chosen]
        found |= measure_pace(first, "a file", files)
        rounds.append(found | (measure_pace(peer, "a file by Caddy", files) if peer else {}))
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


def measure_pace(server: Server, label: str, paths: list[str]) -> dict[str, float]:
    """Ask for paths at a fixed pace; return in milliseconds how long after they were due they were answered."""
    took, statuses = [0.0] * len(paths), Counter[int]()
    waiting, start = iter(enumerate(paths)), time.perf_counter() + 0.2
    taking = threading.Lock()

    def ask_on() -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
            while True:
                with taking:
                    number, path = next(waiting, (-1, ""))
                if number < 0:
                    return
                due = start + number / PER_SECOND
                time.sleep(max(0.0, due - time.perf_counter()))
                connection.request("GET", f"/{quote(path)}")
                answer = connection.getresponse()
                answer.read()
                took[number] = time.perf_counter() - due
                statuses[answer.status] += 1

    clients = [threading.Thread(target=ask_on) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if statuses[200] < len(paths) / 2 or set(statuses) - {200, 404}:
        raise SystemExit(f"{label}: {statuses}")
    return {f"{label}, median ms": median(took) * 1000, f"{label}, p99 ms": quantiles(took, n=100)[98] * 1000}


def measure_seen(root: Path, server: Server, number: int) -> float:
    """Return how long after a file is there its link leads to it."""
    began = time.perf_counter()
    (root / "Project 1" / f"SEEN-{number}_A (IFC) - New.pdf").touch()
    while get(server, f"/Project 1/.archive/SEEN-{number}.html")[0] != 200:
        time.sleep(0.002)
        if time.perf_counter() - began > 60:
            raise SystemExit("the change was not seen")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
