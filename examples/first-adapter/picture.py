"""Draw the demo's result: how the loss fell, and how many unseen names each model read exactly."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def draw(metrics: Path, scores: dict[str, int], questions: int, target: Path) -> None:
    """Write a PNG from an adapter's ``metrics.jsonl`` and the exact answers of each model."""
    steps = [json.loads(line) for line in metrics.read_text().splitlines()]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    curve, bars = figure.subplots(1, 2, width_ratios=(3, 2))
    curve.plot([step["step"] for step in steps], [step["loss"] for step in steps], label="train")
    val = [step for step in steps if "val_loss" in step]
    curve.plot([step["step"] for step in val], [step["val_loss"] for step in val], "o", label="val")
    curve.set(title="loss on the expert's answers", xlabel="step", ylabel="nats a token", ylim=(0, None))
    curve.legend()
    drawn = bars.bar(list(scores), list(scores.values()), color=["#b42318", "#1a7f37", "#175cd3"])
    bars.bar_label(drawn)
    bars.set(title=f"exact answers to {questions} unseen file names", ylim=(0, questions * 1.1))
    figure.savefig(target, dpi=110)


def draw_month(weeks: Sequence[Mapping[str, Any]], target: Path) -> None:
    """Write a PNG of the share of questions that needed the expert: of the base first, then of each release."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    names = ["the base", *(f"release {number}" for number in range(1, len(weeks)))]
    drawn = axes.bar(names, [100 * week["escalation_rate"] for week in weeks], color=["#b42318", *["#1a7f37"] * 9])
    axes.bar_label(drawn, [f"{week['escalation_rate']:.0%} of {week['questions']}" for week in weeks])
    axes.set(title="questions that needed the expert", ylabel="%", ylim=(0, 112))
    figure.savefig(target, dpi=110)
