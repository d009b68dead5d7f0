"""Claim: on an H100 the engine trains a 7B faster than TRL, at its defaults and at its best, and six adapters at once.

Qwen2.5-7B's shape with random weights, bf16, rank 64 on q/k/v/o, sequences of 2,048 tokens, half of them under loss;
every run is a process of its own. Each must have a gradient, and the sides the same loss. Needs a GPU of 80 GB, 40 GB
of disk, and `make build/trl/ready` on that machine; nothing is downloaded.

usage: python bench/bench_engine_gpu.py     (or: make bench-gpu)
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import record
import torch

from weakspot.models import demo_model, loading
from weakspot.settings import Model
from zddc.console import out, table

HERE = Path(__file__).resolve().parent
TRL = HERE.parent / "build" / "trl" / "bin" / "python"
LENGTH, STEPS, ROUNDS = 2048, 6, 2
DOMAINS, EXAMPLES, SHORT = 6, 200, 300
# LoRA of rank 64 on q/k/v/o of Qwen2.5-7B at 2,048 tokens, nothing recomputed: forward, and back to the inputs.
FLOP_PER_TOKEN = 29.96e9
# Dense bf16 of an H100 SXM.
PEAK_FLOPS = 989e12


def main() -> None:
    """Measure and print a table."""
    if not torch.cuda.is_available():
        sys.exit("no GPU: this benchmark needs one of 80 GB, and claims nothing without it")
    if not TRL.exists():
        sys.exit("build/trl: not there; run 'make build/trl/ready'")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = random_base(folder / "base")
        long = [written(folder, "long", LENGTH, 8 * STEPS, 0)]
        sides = {"ours": [], "ours, NF4": [], "TRL best": [], "TRL default": []}
        for _ in range(ROUNDS):
            for side, runs in sides.items():
                runs.append(trained(side, base, folder, long))
        short = [written(folder, f"domain-{n}", SHORT, EXAMPLES, n) for n in range(DOMAINS)]
        together = trained("ours", base, folder, short, epochs=True)
        one_by_one = [trained("ours", base, folder, [file], epochs=True) for file in short]
        peers = [trained("TRL default", base, folder, [file], epochs=True) for file in short]
    speed = {
        side: sum(r["tokens"] for r in runs) / sum(r["train_seconds"] for r in runs) for side, runs in sides.items()
    }
    shown = table("", "tokens/s", "MFU", "peak memory", "loss", "gradient norm")
    for side, runs in sides.items():
        first = runs[0]
        shown.add_row(
            side, f"{speed[side]:,.0f}", f"{speed[side] * FLOP_PER_TOKEN / PEAK_FLOPS:.0%}",
            f"{max(r['peak_bytes'] for r in runs) * 1e-9:.1f} GB", f"{first['mean_loss']:.4f}",
            f"{first['gradient_norm']:.3g}",
        )  # fmt: skip
        if not first["gradient_norm"] > 0:
            sys.exit(f"{side}: no gradient reached the adapter")
        if abs(first["mean_loss"] / sides["TRL best"][0]["mean_loss"] - 1) > (0.02 if "NF4" not in side else 0.2):
            sys.exit(f"{side}: does not train the same: loss {first['mean_loss']}")
    out.print(shown)
    wall = {
        "together": together["process_seconds"],
        "one after another": sum(r["process_seconds"] for r in one_by_one),
        "TRL, one after another": sum(r["process_seconds"] for r in peers),
    }
    ratios = {
        "tokens/s vs TRL default": speed["ours"] / speed["TRL default"],
        "tokens/s vs TRL best": speed["ours"] / speed["TRL best"],
        "MFU": speed["ours"] * FLOP_PER_TOKEN / PEAK_FLOPS,
        "NF4 vs bf16, tokens/s": speed["ours, NF4"] / speed["ours"],
        "six adapters at once vs one after another": wall["one after another"] / wall["together"],
        "six adapters vs six TRL runs": wall["TRL, one after another"] / wall["together"],
    }
    figures = {"card": torch.cuda.get_device_name(), "one adapter": sides, "six adapters, seconds from cold": wall}
    out.print(f"{record.write('engine-gpu', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


def random_base(folder: Path) -> str:
    """Save a model of Qwen2.5-7B's shape with random weights, and some tokenizer, which nothing is tokenized with."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    settings = Qwen2Config(
        vocab_size=152_064, hidden_size=3584, intermediate_size=18_944, num_hidden_layers=28, num_attention_heads=28,
        num_key_value_heads=4, tie_word_embeddings=False, dtype="bfloat16",
    )  # fmt: skip
    with torch.device("cuda"):
        torch.set_default_dtype(torch.bfloat16)
        Qwen2ForCausalLM(settings).save_pretrained(folder)
        torch.set_default_dtype(torch.float32)
    torch.cuda.empty_cache()
    loading.load_tokenizer(loading.resolve_base(Model(base=demo_model.NAME))).save_pretrained(folder)
    return str(folder)


def written(folder: Path, name: str, length: int, count: int, seed: int) -> Path:
    """Write so many random sequences, the second half of each under loss."""
    choose = random.Random(seed)
    mask = [0] * (length // 2) + [1] * (length - length // 2)
    lines = [
        json.dumps({"input_ids": [choose.randrange(20, 40_000) for _ in range(length)], "completion_mask": mask})
        for _ in range(count)
    ]
    file = folder / f"{name}.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


def trained(side: str, base: str, folder: Path, files: list[Path], *, epochs: bool = False) -> dict:
    """Train in a process of its own and return what it printed."""
    output = tempfile.mkdtemp(dir=folder)
    length = ["--epochs", "1"] if epochs else ["--steps", str(STEPS)]
    if side.startswith("ours"):
        command = [sys.executable, str(HERE / "engine_training.py"), base, output, *map(str, files), *length]
        command += ["--four-bit"] if "NF4" in side else []
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
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{side}: {found['tokens'] / found['train_seconds']:,.0f} tokens/s", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
