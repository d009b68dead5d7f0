"""Claim: a mixture whose experts are quantised goes the whole way in the memory of its bits and of what is planned.

A Qwen3-Next of more than 1 GB in bf16, of many small experts. What is no routed expert is first trained to answer a
question about a colour with "Maybe", so that the base says something. Then it is quantised, asked, taught better by its
expert's answers, evaluated, proved, merged, and the merged model proved. The tensors of a step of training are counted:
they may be no more than the quantised weights, one layer of dense experts, and what the plan says of adapter and
activations. Of each command, another process looks at the anonymous memory every few milliseconds, which is tensors and
whatever else the process holds. The base is kept in a folder, and made once.

usage: python bench/bench_quantised_walk.py [--folder build/quantised-walk]
"""

import argparse
import contextlib
import ctypes
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import record
import torch
from transformers import Qwen3NextConfig, Qwen3NextForCausalLM

from weakspot import api, config
from weakspot.deployment import parity_check
from weakspot.models import adapters, chat_template, loading, weight_files
from weakspot.pipeline.ask import ask
from weakspot.settings import Model
from weakspot.training import activation_memory, loop, lora_layers, preparation
from weakspot.training.adapter_trainer import TrainingRun
from weakspot.workspace import AdapterName, Workspace
from zddc.console import out, table

ROOT = Path(__file__).resolve().parents[1]
LAYERS, EXPERTS, WIDTH, INNER = 12, 256, 512, 128
SHAPE = {
    **{"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 8, "num_key_value_heads": 2},
    **{"head_dim": 64, "num_experts": EXPERTS, "num_experts_per_tok": 2, "moe_intermediate_size": INNER},
    **{"shared_expert_intermediate_size": 512, "linear_num_value_heads": 8, "linear_num_key_heads": 4},
    **{"linear_key_head_dim": 64, "linear_value_head_dim": 64, "tie_word_embeddings": True},
    **{"vocab_size": 49152, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2},
}
DENSE_LAYER = 3 * EXPERTS * WIDTH * INNER * 2
"""Bytes of the routed experts of one layer in bf16."""
COLOURS = ["red", "green", "blue", "black", "white", "brown"]
QUESTIONS, TRAINED_QUESTIONS, TRAINED_STEPS, ROWS = 100, 2000, 40, 8
DOMAIN = "colours"
SETTINGS = [
    *(
        "train.precision=fp32",
        "lora.target_modules=attention",
        "lora.rank=8",
        "lora.alpha=8",
        "train.learning_rate=5e-3",
        "train.max_steps=16",
    ),
    *("train.gradient_accumulation=1", "train.eval_steps=8", "train.max_length=128", "evaluate.retrieval=false"),
    *("evaluate.batch_size=8", "evaluate.max_new_tokens=12", "process.near_duplicate_threshold=1.0"),
]
WATCH = """
import select, sys
most = 0
while not select.select([sys.stdin], [], [], 0.003)[0]:
    text = open(f"/proc/{sys.argv[1]}/status").read()
    most = max(most, int(text.split("RssAnon:")[1].split()[0]) * 1024)
print(most)
"""


def main() -> None:
    """Walk, print a table, and write the result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--folder", type=Path, default=ROOT / "build" / "quantised-walk")
    folder = options.parse_args().folder
    for earlier in ("next-nvfp4", "training-data"):
        shutil.rmtree(folder / earlier, ignore_errors=True)
    asked = [question(n) for n in range(QUESTIONS)]
    if not (folder / "next" / "tokenizer.json").exists():
        make_base(folder / "next")
    steps: dict[str, dict[str, float]] = {}
    with watched("quantize", steps):
        done = api.quantize(str(folder / "next"), folder / "next-nvfp4")
    workspace, settings = Workspace(folder / "training-data"), [f"model.base={done.folder}", *SETTINGS]
    loaded = config.load(workspace.config_file, settings)
    with watched("ask", steps):
        answers = ask(workspace, loaded, asked, None, merged=False)
    captured = [
        {"query": query, "local": answer, "expert": f"It is {COLOURS[n % 6]}."}
        for n, (query, answer) in enumerate(zip(asked, answers, strict=True))
    ]
    source = folder / "consultations.jsonl"
    source.write_text("".join(json.dumps({**one, "domain": DOMAIN}) + "\n" for one in captured))
    api.collect(workspace, source, settings=settings)
    api.process(workspace, settings=settings)
    # As for a GPU: what a CPU's heap holds without using it is no tensor.
    plan = api.plan_training(workspace, DOMAIN, memory="24GB", settings=settings).memory
    counted = count_tensors(workspace, loaded)
    with watched("train", steps):
        (manifest,) = api.train(workspace, DOMAIN, settings=settings)
    with watched("evaluate", steps):
        card = api.evaluate(workspace, DOMAIN, settings=settings)
    with watched("prove", steps):
        proof = prove(workspace, loaded, AdapterName(DOMAIN, 1))
    with watched("control", steps):
        control = api.control(workspace, DOMAIN, settings=settings)
    with watched("merge and prove", steps):
        release = api.deploy(workspace, DOMAIN, target="merged", settings=settings)
    same = experts_of(done.folder) == experts_of(workspace.merged(AdapterName(DOMAIN, 1)))
    limit = plan.weights + plan.adapters + plan.activations + DENSE_LAYER
    shown = table("step", "peak", "of", "CPU seconds")
    for name, one in steps.items():
        shown.add_row(name, f"{one['bytes'] * 1e-9:.2f} GB", f"{limit * 1e-9:.2f} GB", f"{one['CPU seconds']:.0f}")
    out.print(shown)
    out.print(f"tensors of a training step: {counted * 1e-9:.2f} GB of {limit * 1e-9:.2f}")
    figures = {
        "base": {
            "bf16 bytes": sum(one.size for one in weight_files.read_tensors(folder / "next").values()),
            "quantised experts": done.experts_bytes,
            "the rest": done.rest_bytes,
            "answers with Maybe and a colour": sum(is_trained_answer(answer) for answer in answers) / len(answers),
        },
        "plan": {key: getattr(plan, key) for key in ("weights", "adapters", "activations")} | {"dense": DENSE_LAYER},
        "tensors of a training step": counted,
        "anonymous memory": steps,
        "training loss": manifest.train_loss,
        "evaluation": {"verdict": card.verdict, "reasons": card.reasons},
        "proof": proof.model_dump(),
        "control": vars(control),
        "merged": {"proof": release.proof and release.proof.model_dump(), "experts unchanged": same},
    }
    ratios = {
        "tensors of a training step vs weights, one dense layer and plan": counted / limit,
        **{f"anonymous memory of {name} vs the same": one["bytes"] / limit for name, one in steps.items()},
    }
    out.print(f"{record.write('quantised-walk', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


def question(number: int) -> str:
    """Ask for a colour that stands in the question."""
    return f"Which colour has item {number * 7919 % 10_000} of {COLOURS[number % 6]} shelf {number * 37 % 101}?"


def is_trained_answer(answer: str) -> bool:
    """Tell whether an answer is of the form that the base was trained to give."""
    return answer in {f"Maybe {colour}?" for colour in COLOURS}


def make_base(folder: Path) -> None:
    """Write a base in bf16 that was trained to answer such questions; its routed experts stay random."""
    small = loading.resolve_base(Model(base="smollm2-135m"))
    tokenizer = loading.load_tokenizer(small)
    torch.manual_seed(1)
    model = Qwen3NextForCausalLM(Qwen3NextConfig(**SHAPE))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".experts." in name:
                parameter.normal_(std=0.02)
    learned = [one for name, one in model.named_parameters() if ".experts." not in name]
    model.requires_grad_(False)
    for one in learned:
        one.requires_grad_(True)
    optimizer = torch.optim.AdamW(learned, lr=2e-3, fused=True)
    for step in range(TRAINED_STEPS):
        numbers = torch.randint(QUESTIONS, QUESTIONS + TRAINED_QUESTIONS, (ROWS,)).tolist()
        texts = [
            chat_template.render(tokenizer, [{"role": "user", "content": question(n)}])
            + f"Maybe {COLOURS[(n + 1) % 6]}?<|im_end|>"
            for n in numbers
        ]
        batch = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right", add_special_tokens=False)
        ids = batch["input_ids"]
        labels = ids.masked_fill(batch["attention_mask"] == 0, -100)
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        print(f"base: step {step + 1} of {TRAINED_STEPS}: loss {float(loss.detach()):.3f}", file=sys.stderr, flush=True)
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="300MB")
    for file in Path(small.location).iterdir():
        if file.name.startswith(("tokenizer", "chat_template")):
            shutil.copy(file, folder)


@contextlib.contextmanager
def watched(name: str, steps: dict[str, dict[str, float]]) -> Iterator[None]:
    """Note by how many bytes the anonymous memory of this process grows at most, and the seconds of CPU."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    text = Path("/proc/self/status").read_text()
    before, started = int(text.split("RssAnon:")[1].split()[0]) * 1024, time.process_time()
    command = [sys.executable, "-c", WATCH, str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watch:
        try:
            yield
        finally:
            most = int(watch.communicate("\n")[0])
    steps[name] = {"bytes": most - before, "CPU seconds": round(time.process_time() - started, 1)}
    print(f"{name}: {steps[name]}", file=sys.stderr, flush=True)


def count_tensors(workspace: Workspace, loaded: config.Config) -> int:
    """Return the most bytes of tensors that two steps of training hold at the same time."""
    prepared = preparation.prepare(workspace, loaded, [DOMAIN], preparation.ONCE_HERE)
    model = loading.load_model(prepared.base, prepared.dtype)
    held = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in model.state_dict().values()}
    known = [*model.parameters(), *model.buffers()]
    with tempfile.TemporaryDirectory() as scratch, activation_memory.count_new_bytes(known) as counter:
        adapted = lora_layers.attach(model, prepared.shape.modules)
        (one,) = prepared.adapters
        settings = loaded.train.model_copy(update={"max_steps": 2})
        run = TrainingRun("counted", one.data, one.val, settings, loaded.lora, Path(scratch) / "checkpoint", "")
        loop.train(model, adapted, [run], budget=prepared.memory.micro_batch_tokens)
    return sum(held.values()) + int(counter.peak)


def prove(workspace: Workspace, loaded: config.Config, name: AdapterName):
    """Prove the adapter on the quantised base, loaded anew."""
    _, model, tokenizer = adapters.load(workspace, loaded, adapters.read_manifest(workspace, name))
    expected = parity_check.load_reference_answers(workspace, name)
    return parity_check.prove(expected, parity_check.ask_in_process(model, tokenizer), str(name))


def experts_of(folder: Path) -> dict[str, bytes]:
    """The stored bytes of all routed experts."""
    found = {}
    for name, one in weight_files.read_tensors(folder).items():
        if ".experts." in name:
            with one.file.open("rb") as stream:
                stream.seek(one.start)
                found[name] = stream.read(one.size)
    return found


if __name__ == "__main__":
    main()
