"""Claim: all readable files below a folder are one answer of a second, and a link into .archive takes milliseconds.

The files lie in folders of a hundred, with a rule file in every tenth folder. ``recursive`` is the answer to
``?recursive=1`` up to its last byte, as it is and compressed; its peer is ``find -printf``, which reads the same names,
sizes and times, and judges nobody. ``.archive`` are links to documents that are asked for at a fixed pace, whether or
not the one before is answered: the time of an answer begins when it was due. ``seen`` is how long after a new file is
there its link leads to it. The answers are made in this process, without the HTTP server.

usage: python bench/bench_server_index.py [--files N] [--links N] [--rounds N] [--folder DIR]
"""

import argparse
import asyncio
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import record
from starlette.datastructures import Headers

from zddc.access.policy import Policy
from zddc.console import out, table
from zddc.server.answer import Answer, Request
from zddc.server.answer import Path as Asked
from zddc.server.hash_links import HashLinks
from zddc.server.recursive import answer_recursive
from zddc.server.virtual import answer_archive
from zddc.server.watching import Watcher

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests import archives

PERSON, PER_SECOND = "kim@acme.example", 200
PRINTF = ("-type", "f", "-printf", "%P\\t%s\\t%T@\\n")
RULES = ("acl: {deny: ['*@rival.example']}", "acl: {allow: ['*@pipe.example']}", "acl: {deny: ['*@acme.example']}")
GOALS = {"recursive, gzip": 1.5, ".archive, p99": 0.010, "seen, p95": 1.5}


def main() -> None:
    """Make the files, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--links", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the files are made, and removed again; a temporary folder")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=given.folder) as place,
        in_step(make_files(Path(place), given.files)) as watched,
    ):
        watcher, policy, seconds = watched
        figures: dict[str, float] = {"first pass": seconds}
        rounds: dict[str, list[float]] = {}
        for _ in range(given.rounds):
            rounds.setdefault("find -printf", []).append(took(lambda: run_find(place)))
            for label, headers in (("recursive", []), ("recursive, gzip", [(b"accept-encoding", b"gzip")])):
                rounds.setdefault(label, []).append(took(lambda h=headers: read_all(watcher, policy, h)))
        figures |= {label: median(found) for label, found in rounds.items()}
        links = measure_links(Path(place), watcher, policy, given.links)
        figures |= {".archive, median": median(links), ".archive, p99": quantiles(links, n=100)[98]}
        seen = [measure_seen(Path(place), watcher, policy, number) for number in range(20)]
        figures |= {"seen, median": median(seen), "seen, p95": quantiles(seen, n=20)[18]}
        folders = len(watcher.index.listings)
    shown = table("", "seconds")
    for name, one in figures.items():
        shown.add_row(name, f"{one:.4f}")
    out.print(shown)
    ratios = {f"{name} vs goal": figures[name] / goal for name, goal in GOALS.items()}
    ratios["recursive / find -printf"] = figures["recursive"] / figures["find -printf"]
    memory = int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024
    settings = {"files": given.files, "folders": folders, "links": given.links, "per_second": PER_SECOND}
    out.print(record.write("server_index", __doc__, ratios, {**figures, "megabytes": memory, "settings": settings}))


def make_files(root: Path, count: int) -> Path:
    """Make the files, and a rule file in every tenth folder."""
    archives.write(root, archives.draw(count, 1, per_folder=100))
    (root / ".zddc").write_text("acl: {allow: ['*@acme.example']}")
    chance = random.Random(1)
    for folder in sorted(root.glob("*/*/*/*/")):
        if chance.random() < 1 / 10:
            (folder / ".zddc").write_text(chance.choice(RULES))
    return root


@contextmanager
def in_step(root: Path) -> Iterator[tuple[Watcher, Policy, float]]:
    """Watch a folder; yield when all is read, with the seconds that this took."""
    started = time.perf_counter()
    with Watcher(root, rescan_seconds=0) as watcher, Policy(root) as policy:
        while not watcher.is_ready:
            time.sleep(0.001)
        yield watcher, policy, time.perf_counter() - started


def took(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def run_find(place: str) -> None:
    """Let find print the same files."""
    subprocess.run(["find", place, *PRINTF], stdout=subprocess.DEVNULL, check=True)


def ask(names: tuple[str, ...], is_folder: bool, headers: list[tuple[bytes, bytes]]) -> Request:
    """Return a request as the server makes it."""
    return Request("GET", Asked(names, is_folder), {}, Headers(raw=headers), PERSON, b"/")


def read_all(watcher: Watcher, policy: Policy, headers: list[tuple[bytes, bytes]]) -> int:
    """Read the answer to its last byte, piece by piece as the server does."""
    answer = answer_recursive(ask((), True, headers), watcher.index, policy)

    async def read() -> int:
        return sum([len(piece) async for piece in answer.body])

    return asyncio.run(read())


def measure_links(root: Path, watcher: Watcher, policy: Policy, count: int) -> list[float]:
    """Return how long after it was due each link was answered."""
    chance, found, hashes = random.Random(2), [], HashLinks(root)
    numbers = watcher.index.tracking_numbers()
    asked = [
        ask((f"Project {chance.randint(1, 4)}", ".archive", f"{chance.choice(numbers)}.html"), False, [])
        for _ in range(count)
    ]
    started = time.perf_counter()
    for number, request in enumerate(asked):
        due = started + number / PER_SECOND
        time.sleep(max(0, due - time.perf_counter()))
        answer = answer_archive(request, watcher.index, policy, root, hashes)
        assert not isinstance(answer, Answer)
        found.append(time.perf_counter() - due)
    return found


def measure_seen(root: Path, watcher: Watcher, policy: Policy, number: int) -> float:
    """Return how long after a file is there its link leads to it."""
    request = ask(("Project 1", ".archive", f"SEEN-{number}.html"), False, [])
    started, hashes = time.perf_counter(), HashLinks(root)
    (root / "Project 1" / f"SEEN-{number}_A (IFC) - New.pdf").touch()
    while answer_archive(request, watcher.index, policy, root, hashes) is None:
        time.sleep(0.002)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
