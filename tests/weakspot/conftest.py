"""A workspace with a dataset and a base that trains in a second."""

import json

import pytest

from weakspot import config as configuration
from weakspot.adapters import read_scorecard
from weakspot.data import store
from weakspot.stages.evaluate import evaluate
from weakspot.stages.process import process
from weakspot.stages.train import train
from weakspot.workspace import AdapterName, Workspace

COLOURS = ["red", "green", "blue", "black", "white", "brown"]


@pytest.fixture
def taught(workspace, tiny_base, interaction, capture):
    """A processed workspace of sixty checkable questions and twenty others, and its settings."""
    questions = [
        interaction(
            f"Which colour has item {n} of {COLOURS[n % 6]} shelf {n * 37 % 101}?",
            json.dumps({"colour": COLOURS[n % 6]}),
            local=f"Maybe {COLOURS[(n + 1) % 6]}?",
            domain="colours",
        )
        for n in range(60)
    ]
    others = [
        interaction(
            f"Tell me about number {n * 7919}.",
            f"It is {n * 7919} and its digits sum to {sum(map(int, str(n * 7919)))}.",
            domain="numbers",
        )
        for n in range(20)
    ]
    capture(workspace, [*questions, *others])
    config = configuration.load(
        workspace.config_file,
        [
            f"model.base={tiny_base}",
            "lora.rank=4",
            "train.learning_rate=1e-2",
            "train.max_steps=12",
            "train.max_length=128",
            "evaluate.max_new_tokens=8",
            "status.retrain_streak=50",
        ],
    )
    process(workspace, config)
    return workspace, config


@pytest.fixture
def accepted(taught):
    """A workspace whose first adapter for colours is trained and accepted, and its settings."""
    workspace, config = taught
    train(workspace, config, "colours")
    evaluate(workspace, config, "colours")
    judged(workspace, AdapterName("colours", 1), "accept")
    return workspace, config


@pytest.fixture
def judge():
    """Write another verdict over an adapter's own."""
    return judged


def judged(workspace: Workspace, name: AdapterName, verdict: str) -> None:
    card = read_scorecard(workspace, name).model_copy(update={"verdict": verdict, "reasons": ["because"]})
    store.write_atomically(workspace.evaluation(name), card.model_dump_json().encode())
