"""Claim: beside one other busy process no command takes more than 2.2 times what it takes on an idle machine.

`ask`, `train` and `evaluate` are run as whole processes on the embedded base, alone and beside one and two processes
that do nothing but compute. The peer is the same commands as they were: another installation, where one is named, else
this one with threads that wait by spinning, as OpenMP has it when nothing is set.

A part of the table is printed and not stored: what is short takes many runs to compare.

usage: python bench/bench_busy_machine.py [--before COMMAND] [--repeats N] [--only ACTION ...] [--idle]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import record

from zddc.console import out, table
from zddc.naming import STATUSES, format_filename, parse_filename

SETTINGS = """
[model]
base = "smollm2-135m"

[train]
learning_rate = 1e-3
max_steps = 6
batch_size = 4
gradient_accumulation = 1
eval_steps = 6

[evaluate]
batch_size = 32
max_new_tokens = 60
"""
QUESTIONS = ["What is a pump?", "Name three primes.", "Why is the sky blue?", "Write a haiku about valves."]
ACTIONS = ("ask", "train", "evaluate")
BESIDE = {"idle": 0, "beside one": 1, "beside two": 2}
# What libgomp does where neither OMP_WAIT_POLICY nor this is set.
SPINNING = {"OMP_WAIT_POLICY": "", "GOMP_SPINCOUNT": "300000"}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", default="", help="the weakspot command of another installation, as the peer")
    parser.add_argument("--repeats", type=int, default=1, help="the median of so many runs counts")
    parser.add_argument("--only", nargs="+", choices=ACTIONS, default=ACTIONS, help="of the commands")
    parser.add_argument("--idle", action="store_true", help="not beside busy processes")
    given = parser.parse_args()
    sides = {"now": (str(Path(sys.executable).with_name("weakspot")), {})}
    sides["before"] = (given.before, {}) if given.before else (sides["now"][0], SPINNING)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for side, (command, _) in sides.items():
            prepare(command, Path(folder) / side)
        for state, count in list(BESIDE.items())[: 1 if given.idle else None]:
            for action in given.only:
                # In turns: the machine itself is slower at some times than at others.
                runs: dict[str, list[float]] = {side: [] for side in sides}
                with busy(count):
                    for _ in range(given.repeats):
                        for side, (command, environment) in sides.items():
                            runs[side].append(run(command, action, Path(folder) / side, environment))
                for side, seconds in runs.items():
                    figures.setdefault(action, {}).setdefault(side, {})[state] = round(median(seconds), 1)
                    print(side, state, action, seconds, file=sys.stderr, flush=True)
    shown = table("", "", *BESIDE, "beside one / idle")
    ratios = {}
    for action, by_side in figures.items():
        for side, by_state in by_side.items():
            cells = [f"{one:.1f} s" for one in by_state.values()]
            if not given.idle:
                ratio = ratios[f"{action}, {side}: beside one / idle"] = by_state["beside one"] / by_state["idle"]
                cells.append(f"{ratio:.2f}")
            shown.add_row(action, side, *cells)
        for state in [one for one in ("idle", "beside one") if one in by_side["now"]]:
            ratios[f"{action}: now / before, {state}"] = by_side["now"][state] / by_side["before"][state]
    out.print(shown)
    if given.idle or len(given.only) < len(ACTIONS):
        out.print(ratios, markup=False)
        return
    peer = "an earlier version" if given.before else "this version with threads that spin"
    record.write("busy-machine", __doc__.splitlines()[0], ratios, {"seconds": figures, "before": peer})


def prepare(command: str, workspace: Path) -> None:
    """Make a processed workspace of sixty questions, and train the adapter that is evaluated."""
    workspace.mkdir()
    (workspace / "weakspot.toml").write_text(SETTINGS)
    codes = [code for code in STATUSES if code != "---"]
    names = [
        format_filename(
            tracking_number=f"ACME-CIV-DWG-{n * 397 % 10000:04}",
            revision="ABCD"[n * 3 % 4],
            status=codes[n * 5 % len(codes)],
            title="Plan",
            extension="pdf",
        )
        for n in range(1, 81)
    ]
    lines = [
        {
            "query": f'Which ZDDC status code has "{name}"? Answer in JSON.',
            "local": '{"status": "In progress"}',
            "expert": json.dumps({"status": parse_filename(name).status}),
        }
        for name in names
    ]
    source = workspace / "consultations.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for arguments in (["collect", "--from", str(source)], ["process"], ["train", "zddc-naming"]):
        subprocess.run([command, *arguments, "-w", str(workspace)], check=True, stdout=subprocess.DEVNULL)


def run(command: str, action: str, workspace: Path, environment: dict[str, str]) -> float:
    """Return the seconds that a command takes, as a whole process."""
    arguments = {"ask": QUESTIONS, "train": ["zddc-naming"], "evaluate": ["zddc-naming"]}[action]
    # The first adapter stays, for `evaluate`, which then has everything to do anew.
    for later in (workspace / "adapters").glob("zddc-naming-lora-v[2-9]*"):
        shutil.rmtree(later)
    (workspace / "adapters" / "zddc-naming-lora-v1" / "expected.json").unlink(missing_ok=True)
    started = time.monotonic()
    subprocess.run(
        [command, action, *arguments, "-w", str(workspace)],
        check=True,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - started


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Let so many other processes compute during the block."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in others:
            one.kill()
            one.wait()


if __name__ == "__main__":
    main()
