"""Claim: which objective, which layers and which learning rate teach most in the same steps.

SFT, DPO and ORPO, on attention and on all linear layers, each at three learning rates, which are three adapters of one
pass. All see the same real records in the same order, for the same number of steps. Asked for is what counts in use:
the loss of the expert's answer, and how often it is the likelier one, by the token, than the local answer.

usage: python bench/bench_effects.py [INTERACTIONS.jsonl]
"""

import random
import sys
import tempfile
import time
from pathlib import Path

import record
import torch

from weakspot.config import Config
from weakspot.dataset.reading import load_split
from weakspot.models import demo_model, loading, tokenization
from weakspot.models.rendering import UntrainableExampleError
from weakspot.models.tokenization import Tokens
from weakspot.pipeline import collect, process
from weakspot.settings import Lora, Model, Train
from weakspot.training import logprobs, loop, lora_layers
from weakspot.training.adapter_trainer import TrainingRun
from weakspot.training.packing import PackedItem
from weakspot.workspace import Workspace
from zddc.console import out, table

SOURCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "real-interactions.jsonl"
STEPS, BATCH, BUDGET = 12, 4, 1024
LONGEST = {"train": 224, "test": 288}
"""Tokens: so few that a CPU gets through with it."""
TARGETS = {
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "all-linear": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}
RATES = [1e-4, 3e-4, 1e-3]


def main() -> None:
    """Measure and print a table."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE
    if not source.is_file():
        sys.exit(f"{source}: no such file; give a JSONL file of interactions")
    base = loading.resolve_base(Model(base=demo_model.NAME))
    tokenizer = loading.load_tokenizer(base)
    with tempfile.TemporaryDirectory() as folder:
        workspace, config = Workspace(Path(folder)), Config()
        collect.import_file(workspace, config, source)
        process.process(workspace, config)
        train = fitting(tokenizer, load_split(workspace, "train"), LONGEST["train"])
        unseen = fitting(tokenizer, [*load_split(workspace, "val"), *load_split(workspace, "test")], LONGEST["test"])
    train = random.Random(0).sample(train, min(len(train), STEPS * BATCH))
    figures = {"base": asked(loading.load_model(base, torch.float32), None, unseen)}
    shown = table("objective", "layers", "learning rate", "test loss", "preference accuracy", "seconds")
    shown.add_row("nothing: the base", "", "", *cells(figures["base"]))
    for objective in ("sft", "dpo", "orpo"):
        for name, targets in TARGETS.items():
            model = loading.load_model(base, torch.float32)
            adapters = lora_layers.attach(model, targets)
            started = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                runs = [run(objective, rate, train, Path(folder)) for rate in RATES]
                loop.train(model, adapters, runs, budget=BUDGET)
            seconds = time.monotonic() - started
            for slot, rate in enumerate(RATES):
                found = {**asked(model, (adapters, slot), unseen), "seconds of the pass": round(seconds, 1)}
                figures[f"{objective}, {name}, {rate:g}"] = found
                shown.add_row(objective, name, f"{rate:g}", *cells(found))
            print(f"{objective}, {name}: {seconds:.0f} s", file=sys.stderr, flush=True)
    out.print(shown)
    figures["examples"] = {"train": len(train), "test": len(unseen), "steps": STEPS, "batch": BATCH, "longest": LONGEST}
    start = figures["base"]["test_loss"]
    gain = {
        key: start - min(figures[f"{key}, {rate:g}"]["test_loss"] for rate in RATES)
        for key in (f"{objective}, {name}" for objective in ("sft", "dpo", "orpo") for name in TARGETS)
    }
    ratios = {
        f"gain in test loss, {key} vs sft, attention": value / gain["sft, attention"] for key, value in gain.items()
    }
    out.print(f"{record.write('effects', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


def fitting(tokenizer, examples, longest: int) -> list[Tokens]:
    """The examples as pairs, where neither answer is cut."""
    found = []
    for example in examples:
        try:
            one = tokenization.tokenize_pair(tokenizer, example, 4096)
        except UntrainableExampleError:
            continue
        if one.rejected and max(len(one.ids), one.start + len(one.rejected)) <= longest:
            found.append(one)
    return found


def run(objective: str, rate: float, train: list[Tokens], folder: Path) -> TrainingRun:
    """One adapter of a pass."""
    settings = Train(
        objective=objective, learning_rate=rate, max_steps=STEPS, batch_size=BATCH, gradient_accumulation=1,
        save_steps=1000,
    )  # fmt: skip
    return TrainingRun(f"{rate:g}", train, [], settings, Lora(), folder / f"{rate:g}", "")


def asked(model, adapter, unseen: list[Tokens]) -> dict[str, float]:
    """Test loss over all supervised tokens, and the share of pairs whose expert's answer is the likelier per token."""
    model.eval()
    slot = adapter[1] if adapter else None
    total = preferred = 0.0
    with torch.inference_mode():
        for row in logprobs.pack_batches(model, [PackedItem(one, slot, paired=True) for one in unseen], BUDGET):
            if adapter:
                adapter[0].layout.set(row, dropout=False)
            losses = iter(logprobs.answer_losses(model, row))
            for _ in row.pieces:
                expert, local = next(losses), next(losses)
                total += float(expert.sum())
                preferred += float(expert.mean() < local.mean())
    return {
        "test_loss": round(total / sum(one.supervised for one in unseen), 4),
        "preference_accuracy": round(preferred / len(unseen), 3),
    }


def cells(found: dict[str, float]) -> list[str]:
    """A row's figures."""
    return [
        f"{found['test_loss']:.4f}",
        f"{found['preference_accuracy']:.3f}",
        str(found.get("seconds of the pass", "")),
    ]


if __name__ == "__main__":
    main()
