"""Claim: past expert answers in front of a question help with no training; an adapter has to be better than that.

Two tasks, SmolLM2-135M, four arms on the same unseen questions: base and adapter, each without and with what
retrieval finds among the very examples that the adapter was trained on. The demo's file names have answers that can
be checked. The real interactions have not: there the loss on the expert's answer counts, and retrieval is measured
once more on all of the train split, since more examples cost it nothing.

usage: python bench/bench_retrieval.py [INTERACTIONS.jsonl]
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

import record
import torch
from trained import trained

from weakspot.config import Config
from weakspot.dataset.reading import load_split
from weakspot.evaluation import gate
from weakspot.evaluation.scoring import is_exact_match, parse_json, render_prompt
from weakspot.models import demo_model, generation, loading, tokenization
from weakspot.models.rendering import UntrainableExampleError
from weakspot.pipeline import collect, process
from weakspot.records import Interaction
from weakspot.records.parsing import parse_interaction_object
from weakspot.retrieval import Examples, with_examples
from weakspot.settings import Model, Retrieval, Train
from weakspot.training import logprobs
from weakspot.workspace import Workspace
from zddc.console import out, table

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT.parent / "shared" / "data" / "real-interactions.jsonl"
sys.path.insert(0, str(ROOT / "examples" / "first-adapter"))
TAUGHT, UNSEEN = 150, 30
BATCH, LONGEST, ANSWER_TOKENS = 4, 2048, 96
# Whole real examples of at most so many tokens, so that all arms see all of each and the run ends in minutes.
LONGEST_REAL = 384
SEARCHED, QUESTIONS = 10_000, 200


def main() -> None:
    """Measure and print a table of each task."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE
    base = loading.resolve_base(Model(base=demo_model.NAME))
    tokenizer = loading.load_tokenizer(base)
    names = demo_examples()
    demo = Train(max_steps=24, learning_rate=1e-3, batch_size=BATCH, gradient_accumulation=1)
    figures = {"demo": four_arms(base, tokenizer, names[:TAUGHT], names[TAUGHT:], demo, [])}
    if source.is_file():
        train, test = real_examples(tokenizer, source)
        modest = Train(max_steps=30, batch_size=BATCH, gradient_accumulation=1)
        taught = random.Random(0).sample(train, min(len(train), modest.max_steps * BATCH))
        figures["real"] = four_arms(base, tokenizer, taught, random.Random(0).sample(test, UNSEEN), modest, train)
        figures["search"] = searched(source)
    else:
        out.print(f"real interactions left out: {source}: no such file", markup=False)
    ratios = {}
    for task in ("demo", "real"):
        if task in figures:
            show(task, figures[task])
            losses = {arm: found["loss"] for arm, found in figures[task]["arms"].items()}
            gained = losses["base"] - losses["base + retrieval"]
            ratios[f"{task}: gain in loss, retrieval vs training"] = gained / (losses["base"] - losses["adapter"])
    out.print(f"{record.write('retrieval', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


def demo_examples() -> list[Interaction]:
    """Questions about file names with the convention's own answers, as the demo asks them."""
    from documents import file_names
    from run import expert, question

    return [captured(question(name), expert(name), n) for n, name in enumerate(file_names(TAUGHT + UNSEEN, seed=7))]


def captured(query: str, expert: str, number: int) -> Interaction:
    """A consultation with an id of its own."""
    turns = [("user", query), ("assistant", "I do not know."), ("user", "consult Sonnet"), ("assistant", expert)]
    messages = [{"role": role, "content": text} for role, text in turns]
    metadata = {"timestamp": "2025-10-31T14:30:00.000Z", "interaction_id": f"int_{number}"}
    return parse_interaction_object({"messages": messages, "metadata": metadata})


def real_examples(tokenizer, source: Path) -> tuple[list[Interaction], list[Interaction]]:
    """The train and the test split of real interactions that are short enough."""
    with tempfile.TemporaryDirectory() as folder:
        workspace, config = Workspace(Path(folder)), Config()
        collect.import_file(workspace, config, source)
        process.process(workspace, config)
        splits = [load_split(workspace, "train"), load_split(workspace, "test")]
    train, test = ([one for one in split if fits(tokenizer, one)] for split in splits)
    return train, test


def fits(tokenizer, example: Interaction) -> bool:
    """Whether query and expert answer have at most ``LONGEST_REAL`` tokens."""
    try:
        return len(tokenization.tokenize_example(tokenizer, example, LONGEST).ids) <= LONGEST_REAL
    except UntrainableExampleError:
        return False


def four_arms(
    base,
    tokenizer,
    taught: Sequence[Interaction],
    test: Sequence[Interaction],
    settings: Train,
    more: list[Interaction],
) -> dict:
    """Train an adapter on ``taught`` and measure it on ``test`` beside retrieval; ``more`` is for retrieval alone."""
    asked = {"": list(test), " + retrieval": shown(taught, test)}
    arms, losses = {}, {}

    def measure(model, name: str, examples: Sequence[Interaction]) -> None:
        started = time.monotonic()
        losses[name], arms[name] = measured(model, tokenizer, examples)
        arms[name]["seconds"] = round(time.monotonic() - started, 1)
        out.print(f"{name}: {arms[name]}", markup=False)

    plain = loading.load_model(base, torch.float32)
    for kind, examples in asked.items():
        measure(plain, f"base{kind}", examples)
    if more:
        measure(plain, "base + retrieval of all", shown(more, test))
    adapted, seconds = trained(
        base, [tokenization.tokenize_example(tokenizer, one, LONGEST) for one in taught], settings
    )
    for kind, examples in asked.items():
        measure(adapted, f"adapter{kind}", examples)
    against = gate.compare_losses(gate.LOSS, losses["base + retrieval"], losses["adapter"], 0.05)
    return {
        "arms": arms,
        "adapter against base + retrieval": {"p": round(against.p, 6), "outcome": against.outcome},
        "examples": {
            "taught": len(taught),
            "searched in all": len(more),
            "test": len(test),
            "with examples": sum(len(one.messages) > 4 for one in asked[" + retrieval"]),
            "steps": settings.max_steps,
        },
        "training seconds": round(seconds, 1),
    }


def shown(taught: Sequence[Interaction], test: Sequence[Interaction]) -> list[Interaction]:
    """The test examples with what is found for them in front."""
    index = Examples(Retrieval())
    for one in taught:
        index.add(one)
    return [with_examples(one, index.search(one.query.text)) for one in test]


def measured(model, tokenizer, examples: Sequence[Interaction]) -> tuple[list[float], dict]:
    """The mean loss of a token of each expert answer; and their mean, prompt sizes, exact answers where it is JSON."""
    model.eval()
    data = [tokenization.tokenize_example(tokenizer, one, LONGEST) for one in examples]
    with torch.inference_mode():
        sums = logprobs.negative_log_likelihoods(model, data).tolist()
    losses = [total / one.supervised for total, one in zip(sums, data, strict=True)]
    found = {"loss": round(fmean(losses), 4), "prompt tokens": round(fmean(one.start for one in data))}
    checkable = [one for one in examples if parse_json(one.expert.text) is not None]
    if len(checkable) == len(examples):
        prompts = [render_prompt(tokenizer, one) for one in examples]
        answers = generation.generate_answers(model, tokenizer, prompts, ANSWER_TOKENS, 32)
        found["exact"] = sum(is_exact_match(one.expert.text, a) for one, a in zip(examples, answers, strict=True))
    return losses, found


def searched(source: Path) -> dict[str, float]:
    """Milliseconds of a search among 10,000 questions, made of real ones with words exchanged."""
    queries = [json.loads(line)["messages"][0]["content"] for line in source.read_text().splitlines()]
    chance, words = random.Random(1), [word for query in queries for word in query.split()]

    def varied() -> str:
        kept = chance.choice(queries).split()
        return " ".join(word if chance.random() > 0.3 else chance.choice(words) for word in kept) or "?"

    index, made = Examples(Retrieval()), [captured(varied(), "An answer.", n) for n in range(SEARCHED)]
    started = time.perf_counter()
    for one in made:
        index.add(one)
    built = time.perf_counter() - started
    times = []
    for _ in range(QUESTIONS):
        question = varied()
        started = time.perf_counter()
        index.search(question)
        times.append(1000 * (time.perf_counter() - started))
    found = {"questions": SEARCHED, "built in seconds": round(built, 2)}
    found |= {"median ms": round(median(times), 2), "p99 ms": round(sorted(times)[int(0.99 * len(times))], 2)}
    out.print(f"search: {found}", markup=False)
    return found


def show(task: str, figures: dict) -> None:
    """Print a table of the arms."""
    rows = table(task, "test loss, nats a token", "exact", "prompt tokens", "seconds")
    for arm, found in figures["arms"].items():
        exact = f"{found['exact']} of {figures['examples']['test']}" if "exact" in found else ""
        rows.add_row(arm, f"{found['loss']:.4f}", exact, str(found["prompt tokens"]), str(found["seconds"]))
    out.print(rows)


if __name__ == "__main__":
    main()
