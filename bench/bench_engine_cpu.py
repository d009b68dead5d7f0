"""Claim: on a CPU the engine trains faster than TRL, at its defaults and at its best, and six adapters at once.

Both sides see the same tokens of real interactions, with loss on the same ones, SmolLM2-135M in fp32, rank 64 on
q/k/v/o, dropout 0.05, eight examples a step; each run is a process of its own, and the sides take turns. Then six
domains of 200 examples: six processes of TRL, one after another, against one of ours, from cold.

usage: python bench/bench_engine_cpu.py [INTERACTIONS.jsonl]     (make build/trl/ready first)
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import record

from weakspot.config import Config
from weakspot.data.dataset import split_examples
from weakspot.model import bases, embedded, view
from weakspot.model.view import ViewError
from weakspot.stages import collect, process
from weakspot.tables import Model
from weakspot.workspace import Workspace
from zddc.console import out, table

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "shared" / "data" / "real-interactions.jsonl"
TRL = HERE.parent / "build" / "trl" / "bin" / "python"
ROUNDS, STEPS, LONGEST = 2, 2, 1024
DOMAINS, EXAMPLES, SHORT = 6, 200, 64


def main() -> None:
    """Measure and print the tables."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE
    if not source.is_file():
        sys.exit(f"{source}: no such file; give a JSONL file of interactions")
    if not TRL.exists():
        sys.exit("build/trl: not there; run 'make build/trl/ready'")
    base = bases.resolve(Model(base=embedded.NAME))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        long, short = prepared(base, folder, source)
        sides: dict[str, list[dict]] = {"ours": [], "TRL best": [], "TRL default": []}
        files = chosen(folder, "one", long, 8 * STEPS, 1)
        for _ in range(ROUNDS):
            for side, runs in sides.items():
                runs.append(trained(side, base.location, folder, files))
                told(side, runs[-1])
        files = chosen(folder, "domain", short, EXAMPLES, DOMAINS)
        six = {"ours": [trained("ours", base.location, folder, files)]}
        told("ours, six domains", six["ours"][0])
        six["TRL default"] = []
        for file in files:
            six["TRL default"].append(trained("TRL default", base.location, folder, [file]))
            told(f"TRL default, {file.stem}", six["TRL default"][-1])
    speeds = {
        side: sum(r["tokens"] for r in runs) / sum(r["train_seconds"] for r in runs) for side, runs in sides.items()
    }
    shown = table("", "tokens/s", "peak memory", "loss of the first steps")
    for side, runs in sides.items():
        shown.add_row(
            side,
            f"{speeds[side]:.0f}",
            f"{max(r['peak_bytes'] for r in runs) * 1e-9:.2f} GB",
            f"{runs[0]['mean_loss']:.4f}",
        )
    out.print(shown)
    wall = {side: sum(r["process_seconds"] for r in runs) for side, runs in six.items()}
    out.print(
        f"six domains of {EXAMPLES} examples, from cold: ours {wall['ours']:.0f} s, TRL {wall['TRL default']:.0f} s"
    )
    losses = [runs[0]["mean_loss"] for runs in sides.values()]
    if max(losses) - min(losses) > 0.02 * min(losses):
        sys.exit(f"the sides do not train the same: losses {losses}")
    ratios = {
        "tokens/s vs TRL default": speeds["ours"] / speeds["TRL default"],
        "tokens/s vs TRL best": speeds["ours"] / speeds["TRL best"],
        "six adapters vs six TRL runs": wall["TRL default"] / wall["ours"],
        "peak memory, ours vs TRL best": peak(sides["ours"]) / peak(sides["TRL best"]),
        "peak memory, ours vs TRL default": peak(sides["ours"]) / peak(sides["TRL default"]),
    }
    figures = {"one adapter": sides, "six adapters": six}
    out.print(f"{record.write('engine-cpu', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


def prepared(base, folder: Path, source: Path) -> tuple[list[str], list[str]]:
    """The real train examples as lines of token ids: as they are, and cut to ``SHORT`` tokens."""
    tokenizer = bases.load_tokenizer(base)
    workspace, config = Workspace(folder / "workspace"), Config()
    collect.import_file(workspace, config, source)
    process.process(workspace, config)
    found: dict[int, list[str]] = {LONGEST: [], SHORT: []}
    for example in split_examples(workspace, "train"):
        for longest, lines in found.items():
            try:
                one = view.tokens(tokenizer, example, longest)
            except ViewError:
                continue
            mask = [int(place >= one.start) for place in range(len(one.ids))]
            lines.append(json.dumps({"input_ids": one.ids, "completion_mask": mask}))
    return found[LONGEST], found[SHORT]


def chosen(folder: Path, name: str, lines: list[str], count: int, files: int) -> list[Path]:
    """Write so many files of so many lines, each drawn anew."""
    written = []
    for number in range(files):
        file = folder / f"{name}-{number}.jsonl"
        file.write_text("\n".join(random.Random(number).sample(lines, min(count, len(lines)))) + "\n")
        written.append(file)
    return written


def trained(side: str, base: str, folder: Path, files: list[Path]) -> dict:
    """Train in a process of its own and return what it printed."""
    output = tempfile.mkdtemp(dir=folder)
    if side == "ours":
        command = [sys.executable, str(HERE / "engine_training.py"), base, output, *map(str, files)]
    else:
        settings = side.removeprefix("TRL ")
        command = [str(TRL), str(HERE / "trl_training.py"), base, *map(str, files), output, "--settings", settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def told(name: str, found: dict) -> None:
    """Say what came of a run at once: the whole takes long."""
    speed = found["tokens"] / found["train_seconds"]
    text = f"{name}: {found['process_seconds']:.0f} s, {speed:.0f} tokens/s, {found['peak_bytes'] * 1e-9:.2f} GB"
    print(f"{text}, loss {found['mean_loss']:.4f}", file=sys.stderr, flush=True)


def peak(runs: list[dict]) -> int:
    """The most memory that a run took."""
    return max(one["peak_bytes"] for one in runs)


if __name__ == "__main__":
    main()
