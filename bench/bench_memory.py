"""Claim: the plan tells the peak memory of a training within a tenth, before any weights are loaded.

Each shape is planned, and then trained for two steps in a process of its own, whose peak resident memory the kernel
tells. On a machine with a GPU it is the GPU's memory. The hardware table is planned for cards that are not here.

usage: python bench/bench_memory.py
"""

import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import record
import torch

from weakspot.models import demo_model, loading
from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora, Model, Train
from weakspot.training import activation_memory, loop, lora_layers, memory_plan
from weakspot.training.adapter_trainer import TrainingRun
from zddc.console import out, table

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
ALL_LINEAR = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]
# Tokens in a pass, recompute, adapters, rank, all linear layers.
SHAPES = [
    (256, False, 1, 64, False),
    (512, False, 1, 64, False),
    (1024, False, 1, 64, False),
    (2048, False, 1, 64, False),
    (512, True, 1, 64, False),
    (1024, True, 1, 64, False),
    (2048, True, 1, 64, False),
    (1024, False, 4, 64, False),
    (2048, True, 4, 64, False),
    (1024, False, 1, 16, True),
    (1024, True, 1, 64, True),
    (2048, False, 2, 8, True),
    # What a CPU's heap wastes was fitted to those above; to these it was not.
    (384, False, 1, 64, False),
    (1536, True, 3, 32, False),
    (1536, False, 1, 32, True),
    (3072, True, 2, 64, True),
]
# Hidden, intermediate, layers, heads, key-value heads of Qwen2.5; what the hardware table says of it.
HARDWARE = {
    "7B LoRA bf16 on 24 GB": ((3584, 18944, 28, 28, 4), False, "24GB"),
    "7B QLoRA on 16 GB": ((3584, 18944, 28, 28, 4), True, "16GB"),
    "14B LoRA bf16 on 48 GB": ((5120, 13824, 48, 40, 8), False, "48GB"),
}
SUPERVISED = 0.5


def main() -> None:
    """Measure and print the tables."""
    figures, shown = {}, table("tokens", "recompute", "adapters", "rank", "layers", "planned", "measured", "ratio")
    for shape in SHAPES:
        command = [sys.executable, __file__, json.dumps(shape)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        tokens, recompute, adapters, rank, linear = shape
        name = f"{tokens} tokens, {'full' if recompute else 'no'} recompute, {adapters} x rank {rank}"
        figures[f"{name}, {'all linear' if linear else 'attention'}"] = found
        shown.add_row(
            *(str(value) for value in (tokens, recompute, adapters, rank, "all linear" if linear else "attention")),
            *(f"{found[key] * 1e-9:.2f} GB" for key in ("planned", "measured")),
            f"{found['planned'] / found['measured']:.3f}",
        )
    out.print(shown)
    cards, listed = {}, table("", "passes of", "recomputed", "planned", "fits")
    for name, (shape, four_bit, card) in HARDWARE.items():
        plan = planned_card(shape, four_bit, card)
        cards[name] = {
            "tokens": plan.micro_batch_tokens, "recomputed layers": plan.checkpointed_layers, "layers": plan.layers,
            "peak": plan.peak, "capacity": plan.capacity, "fits": plan.fits,
        }  # fmt: skip
        share = f"{plan.checkpointed_layers} of {plan.layers}"
        listed.add_row(name, f"{plan.micro_batch_tokens}", share, f"{plan.peak / 2**30:.1f} GiB", str(plan.fits))
    out.print(listed)
    errors = [abs(one["planned"] / one["measured"] - 1) for one in figures.values()]
    ratios = {
        "largest error of the plan": max(errors),
        "mean error of the plan": sum(errors) / len(errors),
    }
    figures["hardware table"] = cards
    out.print(f"{record.write('memory', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


def planned_card(shape: tuple[int, ...], four_bit: bool, card: str) -> memory_plan.MemoryPlan:
    """Plan rank 64 on q/k/v/o for sequences of up to 2,048 tokens, eight of them in a step."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    hidden, intermediate, depth, heads, kv_heads = shape
    with torch.device("meta"):
        model = Qwen2ForCausalLM(
            Qwen2Config(
                hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=depth, vocab_size=152_064,
                num_attention_heads=heads, num_key_value_heads=kv_heads, tie_word_embeddings=False,
            )
        )  # fmt: skip
    work = activation_memory.Workload(
        ATTENTION, [Lora()], tokens=16_384, longest=2048, supervised=SUPERVISED, four_bit=four_bit
    )
    return memory_plan.plan_memory(model, torch.bfloat16, work, memory_plan.Machine.parse_gpu(card))


def measure(tokens: int, recompute: bool, adapters: int, rank: int, linear: bool) -> None:
    """Plan a shape, train two steps of it, and print both peaks."""
    base = loading.resolve_base(Model(base=demo_model.NAME))
    targets = ALL_LINEAR if linear else ATTENTION
    lora, length = Lora(rank=rank, alpha=rank), min(tokens, 512)
    work = activation_memory.Workload(targets, [lora] * adapters, tokens, length, SUPERVISED)
    dtype = loading.choose_dtype("auto")
    warmed_up(dtype)
    plan = memory_plan.plan_memory(
        loading.build_meta_model(base), dtype, work, memory_plan.Machine.this(), tokens=tokens, recompute=recompute
    )
    model = loading.load_model(base, dtype)
    attached = lora_layers.attach(model, targets)
    activation_memory.checkpoint_layers(model, plan.checkpointed_layers)
    choose = random.Random(0)
    count = max(1, tokens // length // adapters)
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            TrainingRun(
                str(n),
                [
                    Tokens(str(m), tuple(choose.randrange(20, 40_000) for _ in range(length)), length // 2)
                    for m in range(count)
                ],
                [],
                Train(max_steps=2, batch_size=count, gradient_accumulation=1, save_steps=1000),
                lora,
                Path(folder) / str(n),
                "",
            )
            for n in range(adapters)
        ]
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")
        loop.train(model, attached, runs, budget=tokens)
    print(json.dumps({"planned": plan.peak, "measured": peak_bytes()}))


def warmed_up(dtype: torch.dtype) -> None:
    """Let the libraries take what they take once, so that the plan counts it as the process' own."""
    one = torch.randn(64, 64, dtype=dtype, device="cuda" if torch.cuda.is_available() else "cpu")
    (one @ one).sum()


def peak_bytes() -> int:
    """The peak of this process: of the GPU, what CUDA itself takes included, or resident."""
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        outside = total - free - torch.cuda.memory_reserved()
        return torch.cuda.max_memory_reserved() + outside
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


if __name__ == "__main__":
    measure(*json.loads(sys.argv[1])) if len(sys.argv) > 1 else main()
