"""The whole pipeline on a real, small model: it fails, is taught by its expert, and then succeeds.

The local model is SmolLM2-135M. The expert is the naming convention's own parser, so no key and no network
are needed once the model is there. Every step below is a public command.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from documents import file_names
from picture import draw
from rich.table import Table

from weakspot.evaluation.scoring import is_exact_match
from zddc.console import out
from zddc.naming import parse_filename

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "demo"
WORKSPACE = BUILD / "training-data"
DOMAIN = "zddc-naming"
TAUGHT, UNSEEN = 100, 30
seconds: dict[str, float] = {}


def main() -> None:
    """Run the pipeline and write what came of it to ``build/demo/result.json``."""
    shutil.rmtree(BUILD, ignore_errors=True)
    WORKSPACE.mkdir(parents=True)
    shutil.copy(HERE / "weakspot.toml", WORKSPACE)

    # 100 file names to learn from and 30 that are never shown; a few dozen questions of other domains.
    names = list(file_names(TAUGHT + UNSEEN, seed=7))
    taught, unseen = names[:TAUGHT], names[TAUGHT:]
    others = [json.loads(line) for line in (HERE / "other-domains.jsonl").read_text().splitlines()]
    queries = [question(name) for name in taught] + [other["query"] for other in others]
    experts = [expert(name) for name in taught] + [other["expert"] for other in others]

    say("The local model answers as well as it can; its answers are short here to save time.")
    with timed("local answers"):
        locals_ = ask(queries, "--set", "evaluate.max_new_tokens=12")
    consultations = BUILD / "consultations.jsonl"
    consultations.write_text(
        "".join(
            json.dumps({"query": query, "local": local, "expert": answer}) + "\n"
            for query, local, answer in zip(queries, locals_, experts, strict=True)
        )
    )

    stage("collect", "--from", str(consultations))
    stage("process")
    stage("validate")
    stage("train", DOMAIN)
    stage("evaluate", DOMAIN)
    stage("deploy", DOMAIN)
    stage("status")

    say(f"Now {UNSEEN} file names that none of them ever saw.")
    asked, wanted = [question(name) for name in unseen], [expert(name) for name in unseen]
    # All three at once: one that writes a token at a time leaves a second processor half idle.
    asks = ((), ("--domain", DOMAIN), ("--domain", DOMAIN, "--merged"))
    with timed("ask"), ThreadPoolExecutor() as at_once:
        base, adapter, merged = at_once.map(lambda options: ask(asked, *options), asks)
    scores = {name: sum(map(is_exact_match, wanted, answers)) for name, answers in
              (("base", base), ("adapter", adapter), ("merged", merged))}  # fmt: skip

    table = Table("", f"exact of {UNSEEN}", "its answer to the first")
    for (name, score), answers in zip(scores.items(), (base, adapter, merged), strict=True):
        table.add_row(name, str(score), " ".join(answers[0].split())[:110])
    out.print(f"first question: {asked[0]}", markup=False)
    out.print(table)
    report = next((WORKSPACE / "adapters").glob("*/evaluation.html"))
    out.print(
        f"report: {report.relative_to(Path.cwd()) if report.is_relative_to(Path.cwd()) else report}", markup=False
    )
    result = {
        **{f"{name}_exact": score for name, score in scores.items()},
        "questions": UNSEEN,
        "seconds": {**seconds, "total": round(sum(seconds.values()), 1)},
    }
    (BUILD / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    draw(report.with_name("metrics.jsonl"), scores, UNSEEN, BUILD / "result.png")
    out.print(f"figures and picture: {BUILD.relative_to(HERE.parents[1])}/result.json, result.png", markup=False)
    out.print(f"{sum(seconds.values()):.0f} seconds in all", markup=False)


def question(name: str) -> str:
    """Ask for the parts of a file name."""
    return f"Parse this ZDDC file name, answer in JSON only: {name}"


def expert(name: str) -> str:
    """Return the convention's own answer."""
    read = parse_filename(name)
    keys = ("tracking_number", "revision", "status", "title", "extension")
    return json.dumps({key: getattr(read, key) for key in keys})


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Keep the seconds that the block takes."""
    started = time.monotonic()
    yield
    seconds[what] = round(time.monotonic() - started, 1)


def stage(command: str, *options: str) -> None:
    """Run a stage of the pipeline."""
    with timed(command):
        weakspot(command, *options)


def ask(questions: list[str], *options: str) -> list[str]:
    """Put questions, one a line, to ``weakspot ask``."""
    printed = weakspot("ask", "-", "--json", *options, text="\n".join(questions))
    return [json.loads(line)["answer"] for line in printed.splitlines()]


def weakspot(command: str, *options: str, text: str | None = None) -> str:
    """Run a public command in the demo's workspace, showing it; ``text`` is given to it and its output taken."""
    line = [sys.executable, "-m", "weakspot", command, *options, "--workspace", str(WORKSPACE)]
    shown = " ".join(part.replace(f"{BUILD.parents[1]}/", "") for part in line[2:])
    out.print(f"\n$ {shown}", style="bold", markup=False)
    done = subprocess.run(line, input=text, stdout=subprocess.PIPE if text else None, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


def say(text: str) -> None:
    """Tell what comes next."""
    out.print(f"\n{text}", style="italic", markup=False)


if __name__ == "__main__":
    main()
