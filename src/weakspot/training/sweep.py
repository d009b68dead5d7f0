"""A sweep: trains the same adapter with several settings in one pass, and stops the worse ones early."""

import json
from collections.abc import Mapping, Sequence
from itertools import product

from weakspot.settings import Lora, Sweep, Train
from weakspot.training.adapter_trainer import AdapterTrainer, TrainingRun, TrainingState

_RUNGS = (0.2, 0.4)
"""Shares of the steps after which only the better half continues."""


def variants(train: Train, lora: Lora, sweep: Sweep) -> list[tuple[Train, Lora]]:
    """Return the settings to try: each learning rate with each rank, the configured ones included.

    An adapter with another rank keeps the ratio of alpha to rank, so that its product has the same scale.
    """
    rates = sorted({train.learning_rate, *sweep.learning_rates})
    ranks = sorted({lora.rank, *sweep.ranks})
    return [
        (
            train.model_copy(update={"learning_rate": rate}),
            lora.model_copy(update={"rank": rank, "alpha": max(1, round(lora.alpha * rank / lora.rank))}),
        )
        for rate, rank in product(rates, ranks)
    ]


def halve(learners: Sequence[AdapterTrainer], groups: Sequence[Sequence[int]]) -> None:
    """Stop the worse half of each group of slots that has just passed a rung (successive halving, arXiv 1502.07943).

    All of a group have the same data and schedule, so they reach a rung together. Worse means a higher best
    validation loss.
    """
    for group in groups:
        members = [one for one in learners if one.slot in group and not one.done]
        if len(members) < 2 or not members[0].is_validation_due():
            continue
        plan, step = members[0].plan, members[0].state.step
        if any(step - plan.eval_every < share * plan.steps <= step for share in _RUNGS):
            members.sort(key=_best_loss)
            for loser in members[(len(members) + 1) // 2 :]:
                loser.state.stopped = True


def winner(best: Mapping[int, float | None]) -> int:
    """Return the slot with the lowest validation loss; the first of equals, or if none was measured."""
    return min(best, key=lambda slot: (_or_infinite(best[slot]), slot))


def report(tried: Mapping[int, tuple[TrainingRun, TrainingState]], chosen: int) -> bytes:
    """Return the result of each variant as a JSON document."""
    rows = [
        {
            "learning_rate": run.settings.learning_rate,
            "rank": run.lora.rank,
            "alpha": run.lora.alpha,
            "steps": state.step,
            "best_step": state.best_step,
            "val_loss": state.best_loss,
            "chosen": slot == chosen,
        }
        for slot, (run, state) in tried.items()
    ]
    return (json.dumps(rows, indent=2) + "\n").encode()


def _best_loss(learner: AdapterTrainer) -> float:
    return _or_infinite(learner.state.best_loss)


def _or_infinite(loss: float | None) -> float:
    return float("inf") if loss is None else loss
