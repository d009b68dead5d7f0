"""Claim: the names of a million files are walked, indexed and searched in seconds, with no database.

The files are empty, in some 20,000 transmittals, with the revisions, copies and odd names of the tests' archives. Each
program runs in a process of its own, in turn, and the median of the rounds counts. The peer is ``find -printf``, which
reads the same names, sizes and times and keeps none of them. ``index`` keeps all of them by document; ``search`` asks
about every file once the folders are read, and its ratio is that of the slowest expression.

usage: python bench/bench_index.py [--files N] [--rounds N] [--folder DIR]
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import record

from zddc.archive.index import Index
from zddc.archive.rows import matching_files
from zddc.archive.tree import walk
from zddc.console import out, table
from zddc.filters import parse_filter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests import archives

EXPRESSIONS = (
    "layout",
    "status:IFC rev:^1 ext:pdf",
    "^civ.*layout !(draft | folder:issued)",
    "nothing-like-this",
    "!draft",
)
PRINTF = ["find", "{}", "-type", "f", "-printf", "%P\\t%s\\t%T@\\n"]


def main() -> None:
    """Make the files, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files are made, and removed again; a temporary folder")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        seconds = MEASURES[given.measure](given.folder)
        print(json.dumps({label: {"seconds": one, "megabytes": peak_megabytes()} for label, one in seconds.items()}))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        folders = make_files(Path(place), given.files)
        rounds = [measure_all(place) for _ in range(given.rounds)]
    figures: dict[str, dict[str, float]] = {
        name: {key: median(one[name][key] for one in rounds) for key in rounds[0][name]} for name in rounds[0]
    }
    shown = table("", "seconds", "peak")
    for name, one in figures.items():
        shown.add_row(name, f"{one['seconds']:.2f}", f"{one['megabytes']:.0f} MB" if "megabytes" in one else "")
    out.print(shown)
    slowest = max(one["seconds"] for name, one in figures.items() if name.startswith("search"))
    ratios = {
        f"{name} / find -printf": seconds / figures["find -printf"]["seconds"]
        for name, seconds in (
            ("walk", figures["walk"]["seconds"]),
            ("index", figures["index"]["seconds"]),
            ("search", slowest),
        )
    }
    record.write("index", __doc__, ratios, {"files": given.files, "folders": folders, **figures})


def make_files(root: Path, count: int) -> int:
    """Make the files, empty; return the number of folders they lie in."""
    folders = set()
    for file in archives.draw(count, 1):
        target = root / file.path
        if target.parent not in folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            folders.add(target.parent)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    return len(folders)


def measure_all(place: str) -> dict[str, dict[str, float]]:
    """Run every program once."""
    found = {"find -printf": {"seconds": run([part.format(place) for part in PRINTF])[1]}}
    for name in MEASURES:
        found |= json.loads(run([sys.executable, __file__, "--measure", name, "--folder", place])[0])
    for command in (["find", EXPRESSIONS[2]], ["list"], ["show", "CIV-CAL-000001"]):
        seconds = run([sys.executable, "-m", "zddc", *command, place])[1]
        found[f"zddc {command[0]}, from start to end"] = {"seconds": seconds}
    print({name: round(one["seconds"], 2) for name, one in found.items()}, file=sys.stderr, flush=True)
    return found


def run(command: list[str]) -> tuple[bytes, float]:
    """Run a command; return what it printed, and the seconds it took."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return done.stdout, time.perf_counter() - started


def peak_megabytes() -> float:
    """Return the most memory that this program had; the count for a child would include its parent."""
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024


def measure_walk(root: Path) -> dict[str, float]:
    """Read all folders, and keep nothing."""
    started = time.perf_counter()
    for _ in walk(root):
        pass
    return {"walk": time.perf_counter() - started}


def measure_index(root: Path) -> dict[str, float]:
    """Build the index."""
    started = time.perf_counter()
    index = Index(walk(root))
    seconds = time.perf_counter() - started
    if not index.tracking_numbers():
        raise SystemExit("the index is empty")
    return {"index": seconds}


def measure_search(root: Path) -> dict[str, float]:
    """Search all files once the folders are read."""
    index = Index(walk(root))
    seconds = {}
    for expression in EXPRESSIONS:
        matches = parse_filter(expression)
        started = time.perf_counter()
        sum(1 for _ in matching_files(index.entries(), matches))
        seconds[f"search {expression}"] = time.perf_counter() - started
    return seconds


MEASURES = {"walk": measure_walk, "index": measure_index, "search": measure_search}

if __name__ == "__main__":
    main()
