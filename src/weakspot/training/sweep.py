"""A sweep: the same adapter with several settings, side by side in one pass; the losers leave early."""

import json
from collections.abc import Mapping, Sequence
from itertools import product

from weakspot.settings import Lora, Sweep, Train
from weakspot.training.adapter_trainer import Learner, Run, State

_RUNGS = (0.2, 0.4)
"""Shares of the steps after which only the better half goes on."""


def variants(train: Train, lora: Lora, sweep: Sweep) -> list[tuple[Train, Lora]]:
    """Return the settings to try: each learning rate with each rank, those asked for in the first place among them.

    An adapter of another rank keeps the ratio of alpha to rank, so that its product counts the same.
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


def halve(learners: Sequence[Learner], groups: Sequence[Sequence[int]]) -> None:
    """Stop the worse half of each group of slots that has just passed a rung (successive halving, arXiv 1502.07943).

    All of a group have the same data and schedule, so they reach it together. Worse is the higher best val loss.
    """
    for group in groups:
        members = [one for one in learners if one.slot in group and not one.done]
        if len(members) < 2 or not members[0].measures():
            continue
        plan, step = members[0].plan, members[0].state.step
        if any(step - plan.eval_every < share * plan.steps <= step for share in _RUNGS):
            members.sort(key=_best)
            for loser in members[(len(members) + 1) // 2 :]:
                loser.state.stopped = True


def winner(best: Mapping[int, float | None]) -> int:
    """Return the slot of the lowest val loss; of equals, and where none was measured, the first."""
    return min(best, key=lambda slot: (_or_infinite(best[slot]), slot))


def report(tried: Mapping[int, tuple[Run, State]], chosen: int) -> bytes:
    """Return what came of each variant as a JSON document."""
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


def _best(learner: Learner) -> float:
    return _or_infinite(learner.state.best_loss)


def _or_infinite(loss: float | None) -> float:
    return float("inf") if loss is None else loss
