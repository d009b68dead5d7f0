"""Claim: an adapter loses least where it is served on the bits that it was trained on.

SmolLM2-135M in fp32, NF4, NVFP4 and FP8: its decoder's linear layers are rounded to each format and computed in fp32,
as the frozen layers compute them. One adapter is trained on each, and each is asked on all four: the share of generated
file names that it parses exactly, and the loss of the experts' answers in real interactions, by a second adapter.

usage: python bench/bench_precision.py [--names 500] [--seeds 3] [--steps 20] [INTERACTIONS.jsonl]
"""

import argparse
import random
import statistics
import sys
import tempfile
from itertools import islice
from pathlib import Path

import record
import torch

from weakspot.config import Config
from weakspot.dataset.reading import load_split
from weakspot.models import demo_model, generation, loading, quantised_weights, tokenization
from weakspot.models.rendering import UntrainableExampleError
from weakspot.models.tokenization import Tokens
from weakspot.pipeline import collect, process
from weakspot.records import Interaction, Message, Metadata
from weakspot.settings import Lora, Model, Train
from weakspot.training import logprobs, loop, lora_layers
from weakspot.training.adapter_trainer import TrainingRun
from weakspot.training.packing import PackedBatch, PackedItem
from weakspot.workspace import Workspace
from zddc.console import out, table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples" / "first-adapter"))
from documents import file_names  # noqa: E402
from run import expert, question  # noqa: E402

SOURCE = ROOT.parent / "shared" / "data" / "real-interactions.jsonl"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj"]
FORMATS = ("fp32", "nf4", "nvfp4", "fp8")
BATCH, LONGEST, BUDGET, ANSWER_TOKENS = 4, 288, 1024, 96


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--names", type=int, default=500)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("source", nargs="?", type=Path, default=SOURCE)
    given = options.parse_args()
    base = loading.resolve_base(Model(base=demo_model.NAME))
    tokenizer = loading.load_tokenizer(base)
    taught, unseen = interactions(tokenizer, given.source) if given.source.is_file() else ([], [])
    figures: dict[str, dict[str, list[float]]] = {}
    for seed in range(given.seeds):
        asked = list(islice(file_names(given.names, 1000 + seed), given.names))
        names = [parsed(tokenizer, name) for name in file_names(given.steps * BATCH, seed)]
        lessons = {"exact": names, "nats": random.Random(seed).sample(taught, min(len(taught), given.steps * BATCH))}
        for trained in FORMATS:
            for measure, data in lessons.items():
                tensors = train(base, trained, data, given.steps, seed) if data else None
                for served in FORMATS if tensors else ():
                    model, adapters = load(base, served, seed)
                    adapters.layout.set(PackedBatch.of([PackedItem(data[0], 0)], "cpu"), dropout=False)
                    for name, parameter in adapters.parameters(0).items():
                        parameter.data.copy_(tensors[name])
                    found = exact(model, tokenizer, asked) if measure == "exact" else nats(model, unseen)
                    figures.setdefault(f"{trained} on {served}", {}).setdefault(measure, []).append(found)
                    print(f"seed {seed}: {trained} on {served}: {measure} {found:.4f}", file=sys.stderr, flush=True)
    shown = table("trained on", *(f"served on {one}" for one in FORMATS))
    for trained in FORMATS:
        shown.add_row(trained, *(cell(figures[f"{trained} on {served}"]) for served in FORMATS))
    out.print(shown)
    full = statistics.mean(figures["fp32 on fp32"]["exact"])
    ratios = {
        f"exact answers, {one} trained and served vs fp32": statistics.mean(figures[f"{one} on {one}"]["exact"]) / full
        for one in FORMATS
        if full
    }
    settings = {"names": given.names, "seeds": given.seeds, "steps": given.steps, "batch": BATCH}
    out.print(f"{record.write('precision', __doc__.splitlines()[0], ratios, {**figures, **settings})}: {ratios}")


def rounded(weight: torch.Tensor, kind: str) -> torch.Tensor:
    """Return what a weight becomes in a format."""
    if kind == "nf4":
        from bitsandbytes.functional import dequantize_4bit, quantize_4bit

        return dequantize_4bit(*quantize_4bit(weight, quant_type="nf4", compress_statistics=True)).to(weight.dtype)
    if kind == "nvfp4":
        parts = quantised_weights.quantise(weight, quantised_weights.global_scale(weight.abs().max()))
        return quantised_weights.dequantise(parts, weight.dtype)
    if kind == "fp8":
        scale = weight.abs().amax(1, keepdim=True) / torch.finfo(torch.float8_e4m3fn).max
        return (weight / scale).to(torch.float8_e4m3fn).float() * scale
    return weight


def load(base, kind: str, seed: int):
    """Load the base, its decoder's linear layers rounded, with one adapter that changes nothing yet."""
    model = loading.load_model(base, torch.float32)
    for module in loading.decoder(model).modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.data = rounded(module.weight.data, kind)
    adapters = lora_layers.attach(model, TARGETS)
    adapters.add(0, Lora(rank=16, alpha=16), seed)
    return model, adapters


def train(base, kind: str, data: list[Tokens], steps: int, seed: int) -> dict[str, torch.Tensor]:
    """Train an adapter on a base in a format; return its tensors."""
    model, adapters = load(base, kind, seed)
    settings = Train(
        max_steps=steps, batch_size=BATCH, gradient_accumulation=1, learning_rate=1e-3, save_steps=100_000, seed=seed
    )
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(kind, data, [], settings, Lora(rank=16, alpha=16), Path(folder) / "checkpoint", "")
        loop.train(model, adapters, [run], budget=BUDGET)
    return {name: parameter.detach().clone() for name, parameter in adapters.parameters(0).items()}


def parsed(tokenizer, name: str) -> Tokens:
    """One lesson: a file name, and the convention's own answer."""
    turns = [("user", question(name)), ("assistant", "?"), ("user", "consult"), ("assistant", expert(name))]
    messages = [Message(role=role, content=text) for role, text in turns]
    known = Metadata(domain="names", interaction_id=name, source="cli", timestamp="2026-01-01T00:00:00.000Z")
    made = Interaction(messages=messages, metadata=known)
    return tokenization.tokenize_example(tokenizer, made, LONGEST)


def exact(model, tokenizer, names: list[str]) -> float:
    """The share of names that are parsed exactly."""
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": question(name)}], tokenize=False, add_generation_prompt=True
        )
        for name in names
    ]
    answers = generation.generate_answers(model.eval(), tokenizer, prompts, ANSWER_TOKENS, 32)
    return statistics.mean(answer.strip() == expert(name) for answer, name in zip(answers, names, strict=True))


def nats(model, unseen: list[Tokens]) -> float:
    """The loss of the experts' answers, in nats a token."""
    model.eval()
    total = 0.0
    with torch.inference_mode():
        for one in unseen:
            total += float(logprobs.negative_log_likelihoods(model, [one])[0])
    return total / sum(one.supervised for one in unseen)


def interactions(tokenizer, source: Path) -> tuple[list[Tokens], list[Tokens]]:
    """Real interactions to learn from, and others to be asked."""
    with tempfile.TemporaryDirectory() as folder:
        workspace, config = Workspace(Path(folder)), Config()
        collect.import_file(workspace, config, source)
        process.process(workspace, config)
        return fitting(tokenizer, load_split(workspace, "train")), fitting(tokenizer, load_split(workspace, "test"))


def fitting(tokenizer, examples: list[Interaction]) -> list[Tokens]:
    """The examples of which nothing is cut."""
    found = []
    for example in examples:
        try:
            one = tokenization.tokenize_example(tokenizer, example, 4096)
        except UntrainableExampleError:
            continue
        if len(one.ids) <= LONGEST:
            found.append(one)
    return found


def cell(found: dict[str, list[float]]) -> str:
    """The means of a cell, with the range over the seeds."""
    return ", ".join(
        f"{name} {statistics.mean(one):.3f} ({min(one):.3f}-{max(one):.3f})" for name, one in found.items()
    )


if __name__ == "__main__":
    main()
