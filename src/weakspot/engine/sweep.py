"""A sweep: the same adapter with several settings, side by side in one pass; the losers leave early."""

from collections.abc import Sequence
from itertools import product

from weakspot.engine.learner import Learner
from weakspot.tables import Lora, Sweep, Train

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

    All of a group have the same data and schedule, so they reach it together. Worse is the higher of the best val losses.
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


def winner(learners_best: dict[int, float | None]) -> int:
    """Return the slot of the lowest val loss."""
    return min(
        learners_best, key=lambda slot: (value if (value := learners_best[slot]) is not None else float("inf"), slot)
    )


def _best(learner: Learner) -> float:
    return learner.state.best_loss if learner.state.best_loss is not None else float("inf")
