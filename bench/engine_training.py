"""Our side of the training benchmark: one process, an adapter for each file of examples, in one pass.

The examples and what is printed are as in ``trl_training.py``: each line is ``{"input_ids": [...], "completion_mask":
[...]}``, and the last line printed is one JSON object.

usage: python bench/engine_training.py BASE OUTPUT EXAMPLES... [--steps 20 | --epochs 1] [--four-bit]
"""

import argparse
import json
import os
import re
import time
from pathlib import Path

import torch

from weakspot.models import loading
from weakspot.models.loading import Base
from weakspot.models.tokenization import Tokens
from weakspot.pipeline.train import versions
from weakspot.settings import Lora, Train
from weakspot.training import activation_memory, adapter_export, loop, lora_layers, memory_plan
from weakspot.training.adapter_trainer import TrainingRun

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj"]


def main() -> None:
    """Plan, train, save the adapters, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", help="folder of the base model")
    parser.add_argument("output", type=Path, help="folder for the adapters")
    parser.add_argument("examples", type=Path, nargs="+", help="JSONL of token ids and masks, a file an adapter")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=0, help="optimiser steps of 8 examples, whatever --epochs says")
    parser.add_argument("--rate", type=float, default=1e-4, help="peak learning rate")
    parser.add_argument("--four-bit", action="store_true", help="QLoRA: the base in NF4")
    given = parser.parse_args()
    settings = Train(
        max_steps=given.steps, epochs=given.epochs, learning_rate=given.rate, batch_size=8, gradient_accumulation=1,
        save_steps=10_000,
    )  # fmt: skip
    base = Base(given.base, given.base, None)
    data = [[tokens_of(json.loads(line)) for line in file.open()] for file in given.examples]
    dtype = loading.choose_dtype("auto")
    lengths = sorted((len(one.ids) for each in data for one in each), reverse=True)
    supervised = sum(one.supervised for each in data for one in each) / sum(lengths)
    work = activation_memory.Workload(
        TARGETS, [Lora()] * len(data), sum(lengths[: 8 * len(data)]), lengths[0], supervised, given.four_bit
    )
    plan = memory_plan.plan_memory(loading.build_meta_model(base), dtype, work, memory_plan.Machine.this())
    model = loading.load_model(base, dtype, four_bit=given.four_bit)
    adapters = lora_layers.attach(model, TARGETS)
    activation_memory.checkpoint_layers(model, plan.checkpointed_layers)
    seen = []
    runs = [
        TrainingRun(file.stem, each, [], settings, Lora(), given.output / f"{file.stem}-state", "", seen.append)
        for file, each in zip(given.examples, data, strict=True)
    ]
    started, cpu_started = time.monotonic(), time.process_time()
    loop.train(model, adapters, runs, budget=plan.micro_batch_tokens)
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
    for slot, run in enumerate(runs):
        adapter_export.save(adapters, slot, given.output / run.name, given.base)
    result = {
        "tokens": sum(one.tokens for one in seen),
        "steps": max(one.step for one in seen),
        "train_seconds": seconds,
        "train_cpu_seconds": cpu_seconds,
        "process_seconds": process_seconds(),
        "mean_loss": sum(one.loss for one in seen) / len(seen),
        "final_loss": seen[-1].loss,
        "gradient_norm": seen[-1].gradient_norm,
        "peak_bytes": peak_bytes(),
        "planned_bytes": plan.peak,
        "pass_tokens": plan.micro_batch_tokens,
        "recomputed_layers": plan.checkpointed_layers,
        "versions": versions(),
    }
    print(json.dumps(result), flush=True)


def tokens_of(example: dict[str, list[int]]) -> Tokens:
    """An example as ours; the mask is zeros, then ones."""
    return Tokens("", tuple(example["input_ids"]), example["completion_mask"].index(1))


def peak_bytes() -> int:
    """The most memory that this process held: of the GPU where there is one, else resident."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_reserved()
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024


def process_seconds() -> float:
    """Seconds since this process began, its imports included."""
    began = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


if __name__ == "__main__":
    main()
