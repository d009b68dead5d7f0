"""The peer of the training benchmark: TRL's SFTTrainer on a CPU, in an environment and a process of its own.

Each line of EXAMPLES is ``{"input_ids": [...], "completion_mask": [...]}`` with 1 under loss. Nothing is tokenized
or cut here, so that both sides see exactly the same tokens. The last line printed is one JSON object.

usage: build/trl/bin/python bench/trl_training.py BASE EXAMPLES OUTPUT [--settings best] [--epochs 1 | --steps 20]
"""

import argparse
import json
import os
import time
from importlib.metadata import version
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")

import torch
from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

# What both have in common. TRL's own bf16 is twenty times slower on a CPU without instructions for it.
COMMON = {
    "use_cpu": not torch.cuda.is_available(),
    "bf16": torch.cuda.is_available(),
    "max_length": None,
    "completion_only_loss": True,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.1,
    "weight_decay": 0.01,
    "logging_steps": 1,
    "disable_tqdm": True,
}
# Either way a step has 8 examples. TRL's defaults pad them to the longest of the eight and recompute activations.
# On a CPU and examples of some 400 tokens, one by one is as fast as anything and takes the least memory: nothing is
# padded, and attention needs no mask. Pairs of like length tie with it; longer rows without padding are kept apart by
# a mask that costs more than it saves. Of 40 tokens each, eight at once would be a quarter faster.
# On a GPU, where all sequences of the benchmark are of one length: as many at once as fit without recomputing.
ON_GPU = torch.cuda.is_available()
AT_ONCE = 4 if ON_GPU else 1
SETTINGS = {
    "default": {},
    "best": {
        "per_device_train_batch_size": AT_ONCE,
        "gradient_accumulation_steps": 8 // AT_ONCE,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        **({"model_init_kwargs": {"dtype": "bfloat16"}} if ON_GPU else {}),
    },
}


def main() -> None:
    """Train, save the adapter, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", help="folder of the base model")
    parser.add_argument("examples", type=Path, help="JSONL of token ids and masks")
    parser.add_argument("output", help="folder for the adapter")
    parser.add_argument("--settings", choices=SETTINGS, default="best")
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--steps", type=int, default=-1, help="optimiser steps of 8 examples, whatever --epochs says")
    parser.add_argument("--rate", type=float, default=1e-4, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=42)
    given = parser.parse_args()
    trainer = SFTTrainer(
        given.base,
        SFTConfig(
            given.output,
            num_train_epochs=given.epochs,
            max_steps=given.steps,
            learning_rate=given.rate,
            seed=given.seed,
            **COMMON,
            **SETTINGS[given.settings],
        ),
        train_dataset=Dataset.from_list([json.loads(line) for line in given.examples.open()]),
        peft_config=LoraConfig(
            r=64,
            lora_alpha=64,
            lora_dropout=0.05,
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
            task_type="CAUSAL_LM",
        ),
    )
    started, cpu_started = time.monotonic(), time.process_time()
    trainer.train()
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
    trainer.save_model()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    losses = [entry["loss"] for entry in logged]
    result = {
        "settings": given.settings,
        "tokens": int(logged[-1]["num_tokens"]),
        "steps": trainer.state.global_step,
        "train_seconds": seconds,
        "train_cpu_seconds": cpu_seconds,
        "process_seconds": process_seconds(),
        "mean_loss": sum(losses) / len(losses),
        "final_loss": losses[-1],
        "gradient_norm": float(logged[-1]["grad_norm"]),
        "peak_bytes": peak_bytes(),
        "versions": {name: version(name) for name in ("trl", "transformers", "peft", "torch")},
    }
    print(json.dumps(result), flush=True)


def process_seconds() -> float:
    """Seconds since this process was started, imports included."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def peak_bytes() -> int:
    """The most memory that this process held: of the GPU where there is one, else resident."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_reserved()
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(status.split()[0]) * 1024


if __name__ == "__main__":
    main()
