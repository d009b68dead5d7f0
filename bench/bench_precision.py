"""Claim: an adapter loses least where it is served on the bits that it was trained on.

SmolLM2-135M in fp32, NF4, NVFP4 and FP8: its decoder's linear layers are rounded to each format and computed in fp32,
as the frozen layers compute them. One adapter is trained on each, and each is asked on all four: the share of generated
file names that it parses exactly, token by token, and the loss of the experts' answers in real interactions, by a
second adapter. A real llama.cpp, which has the base in f32 and in q8_0, is asked for the first of the names, too.

Adapters and cells are kept in a folder as they are done, and the result is written after each seed: a run that was cut
short goes on by the same command. ``--first`` goes on with further seeds, into a result of their own. ``--check`` has
some names written by greedy decoding, too, to compare.

usage: python bench/bench_precision.py [--names 500] [--seeds 3] [--steps 20] [--check 30] [--served 100]
           [--first 0] [--folder build/precision] [INTERACTIONS.jsonl]
"""

import argparse
import copy
import importlib.util
import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice, product
from pathlib import Path
from statistics import fmean

import llama_serving
import record
import torch
from safetensors.torch import load, save
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from weakspot.config import Config
from weakspot.dataset.reading import load_split
from weakspot.deployment.gguf import writer
from weakspot.evaluation import gate
from weakspot.models import chat_template, demo_model, generation, loading, quantised_weights, tokenization
from weakspot.models.rendering import UntrainableExampleError
from weakspot.models.tokenization import Tokens
from weakspot.pipeline import collect, process
from weakspot.records import Interaction, Message, Metadata
from weakspot.settings import Lora, Model, Train
from weakspot.storage import atomic
from weakspot.training import adapter_export, logprobs, loop, lora_layers
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
SERVED_BY_LLAMA = ("f32", "q8_0")
BATCH, LONGEST, BUDGET, ANSWER_TOKENS = 4, 288, 1024, 96
ROWS, COLUMNS = 64, 24
"""Names and tokens of a forward pass: a name that is wrong already is in no further one."""
SHAPE = Lora(rank=16, alpha=16)


def main() -> None:
    """Measure what is not measured yet, and print a table after each seed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--names", type=int, default=500)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--check", type=int, default=0)
    options.add_argument("--served", type=int, default=100)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--folder", type=Path, default=ROOT / "build" / "precision")
    options.add_argument("source", nargs="?", type=Path, default=SOURCE)
    given = options.parse_args()
    if importlib.util.find_spec("bitsandbytes") is None:
        sys.exit("bitsandbytes: not installed; run: pip install 'zddc[qlora]'")
    settings = {"names": given.names, "steps": given.steps, "batch": BATCH, "interactions": given.source.name}
    if kept(given.folder / "settings.json", lambda: settings) != settings:
        sys.exit(f"{given.folder}: was begun with other settings; give another --folder")
    base = loading.resolve_base(Model(base=demo_model.NAME))
    tokenizer = loading.load_tokenizer(base)
    taught, unseen = interactions(tokenizer, given.source) if given.source.is_file() else ([], [])
    rounded = {kind: load_rounded(base, kind) for kind in FORMATS}
    seeds = []
    for seed in range(given.first, given.first + given.seeds):
        names = list(islice(file_names(given.names, 1000 + seed), given.names))
        asked = {"exact": [parsed(tokenizer, name) for name in names], "nats": unseen}
        lessons = {
            "exact": [parsed(tokenizer, name) for name in file_names(given.steps * BATCH, seed)],
            "nats": random.Random(seed).sample(taught, min(len(taught), given.steps * BATCH)),
        }
        found = {}
        for trained, measure in product(FORMATS, (one for one in asked if lessons[one] and asked[one])):
            tensors = adapter(given.folder, rounded[trained], trained, measure, lessons[measure], given.steps, seed)
            for served in FORMATS:
                model = put(rounded[served], tensors, lessons[measure][0])
                file = given.folder / f"{seed} {measure} {trained} on {served}.json"
                ask = exact if measure == "exact" else nats
                found[measure, trained, served] = kept(file, lambda: ask(model, asked[measure]))  # noqa: B023
                print(f"{time.process_time():.0f} s: {file.stem}", file=sys.stderr, flush=True)
                if measure == "exact" and trained == served and seed == given.first and given.check:
                    require_same_as_written(
                        model, tokenizer, asked[measure][: given.check], found["exact", trained, served]
                    )
            for kind in SERVED_BY_LLAMA if measure == "exact" else ():
                file = given.folder / f"{seed} exact {trained} on llama.cpp {kind}.json"
                some = asked[measure][: given.served]
                found[measure, trained, f"llama.cpp {kind}"] = kept(
                    file,
                    lambda: by_llama(base, rounded["fp32"], tensors, kind, given.folder, some),  # noqa: B023
                )
                print(f"{time.process_time():.0f} s: {file.stem}", file=sys.stderr, flush=True)
        seeds.append(found)
        report(
            seeds,
            asked["nats"],
            {
                **settings,
                "first seed": given.first,
                "seeds": len(seeds),
                "also written by greedy decoding": given.check,
                "names that llama.cpp was asked for": given.served,
            },
        )


def kept(file: Path, measure):
    """Return what a file of the folder holds; measured and written if it is not there."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_atomically(file, json.dumps(measure()).encode())
    return json.loads(file.read_bytes())


def report(seeds: list[dict[tuple[str, str, str], list[float]]], unseen: list[Tokens], settings: dict) -> None:
    """Print and write the means of all cells, and each format against fp32, name by name."""
    count = sum(one.supervised for one in unseen)
    figures: dict[str, dict] = {}
    for measure, trained, served in seeds[0]:
        values = [found[measure, trained, served] for found in seeds]
        means = [fmean(one) if measure == "exact" else sum(one) / count for one in values]
        figures.setdefault(f"{trained} on {served}", {})[measure] = means
    columns = [*FORMATS, *(f"llama.cpp {kind}" for kind in SERVED_BY_LLAMA)]
    shown = table("trained on", *(f"served on {one}" for one in columns))
    for trained in FORMATS:
        shown.add_row(trained, *(cell(figures[f"{trained} on {served}"]) for served in columns))
    out.print(shown)
    same = [
        ours == theirs
        for trained, found in product(FORMATS, seeds)
        for ours, theirs in zip(found["exact", trained, "fp32"], found["exact", trained, "llama.cpp f32"], strict=False)
    ]
    figures["names of which our forward pass in fp32 and llama.cpp in f32 tell the same"] = {
        "of": len(same),
        "same": sum(same),
    }
    ratios = {}
    for one in FORMATS[1:]:
        sides = ([value for found in seeds for value in found["exact", kind, kind]] for kind in ("fp32", one))
        compared = gate.compare_outcomes("exact", *sides, 0.05)
        ratios[f"exact answers, {one} trained and served vs fp32"] = compared.adapter / (compared.base or math.nan)
        figures[f"{one} on {one}"]["exact, difference from fp32"] = {
            key: getattr(compared, key) for key in ("difference", "low", "high", "p", "n")
        }
    name = f"precision-{settings['first seed']}" if settings["first seed"] else "precision"
    out.print(f"{record.write(name, __doc__.splitlines()[0], ratios, {**figures, **settings})}: {ratios}")


def rounded_weight(weight: torch.Tensor, kind: str) -> torch.Tensor:
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


def load_rounded(base, kind: str):
    """Load the base, its decoder's linear layers rounded, with room for adapters."""
    model = loading.load_model(base, torch.float32)
    for module in loading.decoder(model).modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.data = rounded_weight(module.weight.data, kind)
    return model, lora_layers.attach(model, TARGETS)


def adapter(folder: Path, on, kind: str, measure: str, data: list[Tokens], steps: int, seed: int) -> dict:
    """Return the tensors of an adapter that was trained on a base in a format, or train it."""
    file = folder / f"{seed} {measure} {kind}.safetensors"
    if not file.exists():
        model, adapters = on
        settings = Train(
            max_steps=steps, batch_size=BATCH, gradient_accumulation=1, learning_rate=1e-3, save_steps=100_000,
            seed=seed,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as scratch:
            run = TrainingRun(kind, data, [], settings, SHAPE, Path(scratch) / "checkpoint", "")
            loop.train(model, adapters, [run], budget=BUDGET)
        atomic.write_atomically(file, save({name: one.data for name, one in adapters.parameters(0).items()}))
        print(f"{time.process_time():.0f} s: trained {file.stem}", file=sys.stderr, flush=True)
    return load(file.read_bytes())


def put(on, tensors: dict[str, torch.Tensor], item: Tokens):
    """Give a base these tensors for its adapter, for all rows of a pass."""
    model, adapters = on
    adapters.add(0, SHAPE, 0)
    for name, parameter in adapters.parameters(0).items():
        parameter.data.copy_(tensors[name])
    adapters.layout.set(PackedBatch.of([PackedItem(item, 0)], "cpu"), dropout=False)
    return model.eval()


def parsed(tokenizer, name: str) -> Tokens:
    """One lesson: a file name, and the convention's own answer."""
    turns = [("user", question(name)), ("assistant", "?"), ("user", "consult"), ("assistant", expert(name))]
    messages = [Message(role=role, content=text) for role, text in turns]
    known = Metadata(domain="names", interaction_id=name, source="cli", timestamp="2026-01-01T00:00:00.000Z")
    made = Interaction(messages=messages, metadata=known)
    return tokenization.tokenize_example(tokenizer, made, LONGEST)


def exact(model, lessons: Sequence[Tokens]) -> list[int]:
    """Tell of each answer whether greedy decoding would write it, by forward passes over the answers themselves.

    It would, if and only if each token, the end of the turn too, is the likeliest one behind those before it. What all
    prompts begin with is computed once.
    """
    prompts = [one.ids[: one.start - 1] for one in lessons]
    begin = chat_template.common_prefix_length(min(prompts), max(prompts))
    decoder, head = loading.decoder(model), model.get_output_embeddings()
    order, right = sorted(range(len(lessons)), key=lambda n: len(lessons[n].ids)), set[int]()
    with torch.inference_mode():
        shared = DynamicCache()
        decoder(input_ids=torch.tensor([lessons[0].ids[:begin]]), past_key_values=shared, use_cache=True)
        for start in range(0, len(order), ROWS):
            numbers = torch.tensor(order[start : start + ROWS])
            own = [lessons[n] for n in numbers]
            ids = pad_sequence([torch.tensor(one.ids[begin:-1]) for one in own], batch_first=True)
            unasked = [one.start - begin - 1 for one in own]
            pairs = zip(own, unasked, strict=True)
            wanted = [torch.tensor([*[-1] * count, *one.ids[one.start :]]) for one, count in pairs]
            targets = pad_sequence(wanted, batch_first=True, padding_value=-1)
            cache = copy.deepcopy(shared)
            cache.batch_repeat_interleave(len(own))
            while ids.shape[1]:
                hidden = decoder(input_ids=ids[:, :COLUMNS], past_key_values=cache, use_cache=True).last_hidden_state
                there = targets[:, :COLUMNS] >= 0
                wrong = torch.zeros_like(there)
                wrong[there] = head(hidden[there]).argmax(-1) != targets[:, :COLUMNS][there]
                left = (~wrong.any(1)).nonzero()[:, 0]
                numbers, ids, targets = numbers[left], ids[left, COLUMNS:], targets[left, COLUMNS:]
                cache.batch_select_indices(left)
                if not len(left):
                    break
            right.update(numbers.tolist())
    return [int(n in right) for n in range(len(lessons))]


def require_same_as_written(model, tokenizer, lessons: Sequence[Tokens], found: Sequence[float]) -> None:
    """End the run if greedy decoding writes an exact answer where :func:`exact` found none, or the other way round."""
    prompts = [one.ids[: one.start] for one in lessons]
    written = generation.generate_token_ids(model, tokenizer, prompts, ANSWER_TOKENS, 32)
    right = [tuple(ids) == one.ids[one.start :] for ids, one in zip(written, lessons, strict=True)]
    if other := [one.id for one, own, is_right in zip(lessons, found, right, strict=False) if own != is_right]:
        sys.exit(f"{other}: greedy decoding and the forward pass differ")
    print(f"{sum(right)} of {len(lessons)} written exactly, the same ones as found", file=sys.stderr, flush=True)


def by_llama(base, on, tensors: dict, kind: str, folder: Path, lessons: Sequence[Tokens]) -> list[int]:
    """Tell what :func:`exact` does, of llama.cpp with these tensors for its adapter."""
    put(on, tensors, lessons[0])
    with tempfile.TemporaryDirectory() as scratch:
        saved, file = Path(scratch) / "adapter", Path(scratch) / "adapter.gguf"
        adapter_export.save(on[1], 0, saved, base.name)
        writer.write_adapter(saved, loading.fetch_folder(base), file)
        return llama_serving.exact(llama_serving.base_file(base, kind, folder), file, lessons)


def nats(model, unseen: list[Tokens]) -> list[float]:
    """The loss of each expert's answer, in nats."""
    with torch.inference_mode():
        return logprobs.negative_log_likelihoods(model, unseen, BUDGET).tolist()


def interactions(tokenizer, source: Path) -> tuple[list[Tokens], list[Tokens]]:
    """Real interactions to learn from, and others to be asked."""
    with tempfile.TemporaryDirectory() as folder:
        workspace, config = Workspace(Path(folder)), Config()
        collect.import_file(workspace, config, source)
        process.process(workspace, config)
        unseen = [*load_split(workspace, "val"), *load_split(workspace, "test")]
        return fitting(tokenizer, load_split(workspace, "train")), fitting(tokenizer, unseen)


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
    return ", ".join(f"{name} {fmean(one):.3f} ({min(one):.3f}-{max(one):.3f})" for name, one in found.items())


if __name__ == "__main__":
    main()
