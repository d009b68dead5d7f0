"""Claim: training on query → expert answer teaches more in the same steps than training on the whole record.

Both sides are trained by the same loop with the same settings on the same real records; they differ in what
is under loss only. The peer's side is what a chat trainer does with the stored four messages by default:
every token of the transcript. Both are then asked what counts in use: the expert's answer to the query alone.

usage: python bench/bench_training_view.py [INTERACTIONS.jsonl]
"""

import random
import sys
import tempfile
from pathlib import Path

import record
import torch
from trained import trained

from weakspot.config import Config
from weakspot.dataset.reading import load_split
from weakspot.models import demo_model, loading, tokenization
from weakspot.models.rendering import UntrainableExampleError
from weakspot.models.tokenization import Tokens
from weakspot.pipeline import collect, process
from weakspot.records import Interaction
from weakspot.settings import Model, Train
from weakspot.training import logprobs
from weakspot.workspace import Workspace
from zddc.console import out, table

SOURCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "real-interactions.jsonl"
STEPS, BATCH, LONGEST = 30, 4, 512


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
        train = [e for e in load_split(workspace, "train") if fits(tokenizer, e)]
        test = [e for e in load_split(workspace, "test") if fits(tokenizer, e)]
    train = random.Random(0).sample(train, min(len(train), STEPS * BATCH))
    experts = [tokenization.tokenize_example(tokenizer, e, LONGEST) for e in test]
    locals_ = [tokenization.tokenize_example(tokenizer, e, LONGEST, answer=e.local) for e in test]
    arms = {
        "whole record": [transcript(tokenizer, e) for e in train],
        "query → expert": [tokenization.tokenize_example(tokenizer, e, LONGEST) for e in train],
    }
    figures = {"base": measured(loading.load_model(base, torch.float32), experts, locals_)}
    for name, data in arms.items():
        model, seconds = trained(base, data, Train(max_steps=STEPS, batch_size=BATCH, gradient_accumulation=1))
        figures[name] = {
            **measured(model, experts, locals_),
            "seconds": round(seconds, 1),
            "tokens": sum(len(o.ids) for o in data),
        }
    shown = table("trained on", "test loss, nats a token", "preference accuracy", "training seconds", "tokens")
    for name, row in figures.items():
        shown.add_row(
            name,
            f"{row['test_loss']:.4f}",
            f"{row['preference_accuracy']:.3f}",
            str(row.get("seconds", "")),
            str(row.get("tokens", "")),
        )
    out.print(shown)
    start, whole, ours = (figures[name]["test_loss"] for name in ("base", "whole record", "query → expert"))
    ratios = {
        "gain in test loss, ours vs whole record": (start - ours) / (start - whole),
        "training seconds, ours vs whole record": figures["query → expert"]["seconds"]
        / figures["whole record"]["seconds"],
    }
    figures["examples"] = {"train": len(train), "test": len(test), "steps": STEPS, "batch": BATCH}
    out.print(f"{record.write('training-view', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


def fits(tokenizer, example: Interaction) -> bool:
    """Whether the whole record has at most ``LONGEST`` tokens, so that neither side is cut."""
    try:
        return len(transcript(tokenizer, example).ids) <= LONGEST
    except UntrainableExampleError:
        return False


def transcript(tokenizer, example: Interaction) -> Tokens:
    """The stored record as it is, every token under loss."""
    turns = [{"role": message.role, "content": message.text} for message in example.messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    return Tokens(example.id, tuple(tokenizer(text, add_special_tokens=False)["input_ids"]), 1)


def measured(model, experts: list[Tokens], locals_: list[Tokens]) -> dict[str, float]:
    """Test loss over all supervised tokens, and how often the expert's answer is the likelier per token."""
    model.eval()
    with torch.inference_mode():
        sums = [logprobs.negative_log_likelihoods(model, side).tolist() for side in (experts, locals_)]
    preferred = sum(
        expert / one.supervised < local / other.supervised
        for expert, local, one, other in zip(*sums, experts, locals_, strict=True)
    )
    return {
        "test_loss": sum(sums[0]) / sum(one.supervised for one in experts),
        "preference_accuracy": preferred / len(experts),
    }


if __name__ == "__main__":
    main()
