"""Claim: on a CPU the engine trains faster than TRL, at its defaults and at its best, and six adapters at once.

Both sides see the same tokens of real interactions, with loss on the same ones, SmolLM2-135M in fp32, rank 64 on
q/k/v/o, dropout 0.05, eight examples a step; each run is a process of its own, and the sides take turns. Then six
domains of 200 examples: six processes of TRL, one after another, against one of ours, from cold. Those examples are
real ones cut to a sixth of their length each: whole, they would take TRL five hours on two cores.

usage: python bench/bench_engine_cpu.py [INTERACTIONS.jsonl] [--one]     (make build/trl/ready first; --one: no six)
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import record

from weakspot.config import Config
from weakspot.dataset.reading import load_split
from weakspot.models import demo_model, loading, tokenization
from weakspot.models.rendering import UntrainableExampleError
from weakspot.pipeline import collect, process
from weakspot.settings import Model
from weakspot.workspace import Workspace
from zddc.console import out, table

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "shared" / "data" / "real-interactions.jsonl"
TRL = HERE.parent / "build" / "trl" / "bin" / "python"
ROUNDS, STEPS, LONGEST = 2, 2, 1024
DOMAINS, EXAMPLES, SHARE = 6, 200, 6


def main() -> None:
    """Measure and print the tables."""
    given = [word for word in sys.argv[1:] if word != "--one"]
    source = Path(given[0]) if given else SOURCE
    if not source.is_file():
        sys.exit(f"{source}: no such file; give a JSONL file of interactions")
    if not TRL.exists():
        sys.exit("build/trl: not there; run 'make build/trl/ready'")
    base = loading.resolve_base(Model(base=demo_model.NAME))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        long, short = prepared(base, folder, source)
        sides = one_domain(base.location, folder, long)
        six = {} if "--one" in sys.argv else six_domains(base.location, folder, short)
    shown = table("", "tokens/s", "peak memory", "mean loss")
    for side, runs in sides.items():
        loss = runs[0]["mean_loss"]
        shown.add_row(side, f"{speed(runs):.0f}", f"{peak(runs) * 1e-9:.2f} GB", f"{loss:.4f}")
        if abs(loss / sides["ours"][0]["mean_loss"] - 1) > 0.05:
            sys.exit(f"{side}: does not train the same: loss {loss}")
    out.print(shown)
    ours, best, default = sides["ours"], sides["TRL best"], sides["TRL default"]
    ratios = {
        "tokens/s vs TRL default": speed(ours) / speed(default),
        "tokens/s vs TRL best": speed(ours) / speed(best),
        "peak memory, ours vs TRL default": peak(ours) / peak(default),
        "peak memory, ours vs TRL best": peak(ours) / peak(best),
    }
    if six:
        wall = {side: sum(run["process_seconds"] for run in runs) for side, runs in six.items()}
        ratios["six adapters vs six TRL runs"] = wall["TRL default"] / wall["ours"]
        out.print(f"six domains, from cold: ours {wall['ours']:.0f} s, TRL {wall['TRL default']:.0f} s")
    figures = {"one adapter": sides, "six adapters": six, "threads": os.environ.get("OMP_NUM_THREADS", "all")}
    out.print(f"{record.write('engine-cpu', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


def one_domain(base: str, folder: Path, lines: list[str]) -> dict[str, list[dict]]:
    """Train the same examples by each side in turn."""
    sides: dict[str, list[dict]] = {"ours": [], "TRL best": [], "TRL default": []}
    files = chosen(folder, "one", lines, 8 * STEPS, 1)
    for _ in range(ROUNDS):
        for side, runs in sides.items():
            runs.append(trained(side, base, folder, files))
            told(side, runs[-1])
    return sides


def six_domains(base: str, folder: Path, lines: list[str]) -> dict[str, list[dict]]:
    """Train six domains in one process of ours, and in six of TRL."""
    files = chosen(folder, "domain", lines, EXAMPLES, DOMAINS)
    six = {"ours": [trained("ours", base, folder, files, epochs=True)], "TRL default": []}
    told("ours, six domains", six["ours"][0])
    for file in files:
        six["TRL default"].append(trained("TRL default", base, folder, [file], epochs=True))
        told(f"TRL default, {file.stem}", six["TRL default"][-1])
    return six


def prepared(base, folder: Path, source: Path) -> tuple[list[str], list[str]]:
    """The real train examples as lines of token ids: as they are, and cut short."""
    tokenizer = loading.load_tokenizer(base)
    workspace, config = Workspace(folder / "workspace"), Config()
    collect.import_file(workspace, config, source)
    process.process(workspace, config)
    long, short = [], []
    for example in load_split(workspace, "train"):
        try:
            one = tokenization.tokenize_example(tokenizer, example, LONGEST)
        except UntrainableExampleError:
            continue
        long.append(line(one.ids, one.start))
        fewer = one.ids[: max(8, len(one.ids) // SHARE)]
        short.append(line(fewer, min(one.start, len(fewer) // 2)))
    return long, short


def line(ids: tuple[int, ...], start: int) -> str:
    """An example, under loss from ``start`` on."""
    return json.dumps({"input_ids": ids, "completion_mask": [int(place >= start) for place in range(len(ids))]})


def chosen(folder: Path, name: str, lines: list[str], count: int, files: int) -> list[Path]:
    """Write so many files of so many lines, each drawn anew."""
    written = []
    for number in range(files):
        file = folder / f"{name}-{number}.jsonl"
        file.write_text("\n".join(random.Random(number).sample(lines, min(count, len(lines)))) + "\n")
        written.append(file)
    return written


def trained(side: str, base: str, folder: Path, files: list[Path], *, epochs: bool = False) -> dict:
    """Train in a process of its own and return what it printed."""
    output = tempfile.mkdtemp(dir=folder)
    length = ["--epochs", "1"] if epochs else ["--steps", str(STEPS)]
    if side == "ours":
        command = [sys.executable, str(HERE / "engine_training.py"), base, output, *map(str, files), *length]
    else:
        settings = side.removeprefix("TRL ")
        command = [
            str(TRL),
            str(HERE / "trl_training.py"),
            base,
            *map(str, files),
            output,
            "--settings",
            settings,
            *length,
        ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def told(name: str, found: dict) -> None:
    """Say what came of a run at once: the whole takes long."""
    speed = found["tokens"] / found["train_seconds"]
    text = f"{name}: {found['process_seconds']:.0f} s, {speed:.0f} tokens/s, {found['peak_bytes'] * 1e-9:.2f} GB"
    print(f"{text}, loss {found['mean_loss']:.4f}", file=sys.stderr, flush=True)


def speed(runs: list[dict]) -> float:
    """Tokens a second, of all runs together, loading aside."""
    return sum(one["tokens"] for one in runs) / sum(one["train_seconds"] for one in runs)


def peak(runs: list[dict]) -> int:
    """The most memory that a run took."""
    return max(one["peak_bytes"] for one in runs)


if __name__ == "__main__":
    main()
