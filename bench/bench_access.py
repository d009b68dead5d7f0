"""Claim: who may read a file six folders deep is decided in microseconds, and in a third of a millisecond at first.

Six folders, each with a rule file that denies some and allows others, and a person whom only the root names, so that
every folder is asked. Cold: rule files and patterns are read for the first time. On disk: each folder is opened and its
rule file looked at, but known. Decision: of a chain that is at hand. The peer is PyYAML, which reads the same six files
and decides nothing. All are measured in turns; the median of the rounds is reported.

usage: python bench/bench_access.py [ROUNDS]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import record
import yaml

from zddc.access.decide import decide
from zddc.access.patterns import matches
from zddc.access.policy import Policy
from zddc.console import out, table

NAMES = ("Pump station 7", "received", "Acme", "2026", "2026-11-29_ACME-TRN-0001 (IFC) - Piping")
PERSON = "kim@acme.example"
ROOT_RULES = """\
title: Archive
acl:
  allow: ["*@acme.example"]
roles:
  reviewers: [ann@pump.example, bob@pump.example]
admins: [it@acme.example]
"""
RULES = """\
title: Folder {0}
acl:
  deny: ["*@rival-{0}.example"]
  allow: ["*@partner-{0}.example", reviewers]
"""
GOALS = {"cold": 300.0, "decision": 10.0}


def main() -> None:
    """Measure and print a table."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else 30
    with tempfile.TemporaryDirectory() as folder:
        files = write_rules(Path(folder))
        # As if later: a file of the last two seconds is read each time.
        with Policy(Path(folder), clock=lambda: time.time_ns() + (60 << 30)) as known:
            chain = known.chain_of(NAMES)
            assert decide(chain, PERSON, "r").allowed
            arms: dict[str, tuple[Callable[[], object], int]] = {
                "cold": (lambda: decide_cold(Path(folder)), 20),
                "on disk": (lambda: decide(known.chain_of(NAMES), PERSON, "r"), 200),
                "decision": (lambda: decide(chain, PERSON, "r"), 2000),
                "PyYAML reads": (lambda: [yaml.load(file.read_bytes(), yaml.SafeLoader) for file in files], 5),
                "PyYAML reads, in C": (lambda: [yaml.load(file.read_bytes(), yaml.CSafeLoader) for file in files], 20),
            }
            found: dict[str, list[float]] = {name: [] for name in arms}
            for _ in range(rounds):
                for name, (arm, times) in arms.items():
                    found[name].append(microseconds(arm, times))
    shown = table("six folders", "microseconds, median", "lowest", "highest")
    for name, values in found.items():
        shown.add_row(name, *(f"{f(values):,.1f}" for f in (statistics.median, min, max)))
    out.print(shown)
    medians = {name: statistics.median(values) for name, values in found.items()}
    ratios = {f"{name} vs goal": medians[name] / goal for name, goal in GOALS.items()}
    ratios["cold vs PyYAML reads"] = medians["cold"] / medians["PyYAML reads"]
    figures = {
        name: {"microseconds": round(medians[name], 2), "lowest": round(min(values), 2)}
        for name, values in found.items()
    }
    settings = {"folders": len(files), "rounds": rounds, "goals_microseconds": GOALS}
    result = record.write("access", __doc__.splitlines()[0], ratios, {**figures, "settings": settings})
    out.print(f"{result}: {ratios}", markup=False)


def write_rules(root: Path) -> list[Path]:
    """Write a rule file into each folder; only that of the root names the person."""
    folder = root.joinpath(*NAMES)
    folder.mkdir(parents=True)
    files = [place / ".zddc" for place in (*folder.parents[: len(NAMES)][::-1], folder)]
    for number, file in enumerate(files):
        file.write_text(RULES.format(number))
    files[0].write_text(ROOT_RULES)
    return files


def decide_cold(root: Path) -> object:
    """Decide with nothing known: neither rules nor patterns."""
    matches.cache_clear()
    with Policy(root) as policy:
        return decide(policy.chain_of(NAMES), PERSON, "r")


def microseconds(arm: Callable[[], object], times: int) -> float:
    """Return how long one of so many calls takes."""
    begin = time.perf_counter()
    for _ in range(times):
        arm()
    return (time.perf_counter() - begin) / times * 1e6


if __name__ == "__main__":
    main()
