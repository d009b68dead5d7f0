"""Training losses: SFT on the expert's answer, plus DPO or ORPO against the local answer.

Sources: DPO, arXiv 2305.18290; ORPO, arXiv 2403.07691; the length guard after LD-DPO, arXiv 2409.06411.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakspot.settings import Train
from weakspot.training.packing import PackedItem

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ItemLosses:
    """An item with the negative log-likelihoods of its answers' tokens, and for DPO with the base's scores.

    ``references`` are the base's sums in nats for the expert's and the local answer, both under the length guard.
    """

    piece: PackedItem
    chosen: "torch.Tensor"
    rejected: "torch.Tensor | None" = None
    references: tuple[float, float] | None = None


@dataclass(frozen=True)
class StepCounts:
    """The denominators of a step's loss: its supervised tokens, and its pairs."""

    tokens: int
    pairs: int

    @classmethod
    def of(cls, pieces: Sequence[PackedItem]) -> "StepCounts":
        """Count the supervised tokens and the pairs of ``pieces``."""
        return cls(sum(one.tokens.supervised for one in pieces), sum(one.paired for one in pieces))


def loss(scored: ItemLosses, settings: Train, shares: StepCounts) -> "torch.Tensor":
    """Return what one item adds to the loss of its step.

    sft: the mean negative log-likelihood of the step's supervised tokens.
    dpo: the mean over its pairs of ``-log sigmoid(beta * margin)``, plus ``sft_weight`` times the loss of sft.
    orpo: the loss of sft, plus ``beta`` times the mean over the pairs of ``-log sigmoid`` of the log odds ratio of the
    two answers, by the mean log-probability of a token.
    """
    from torch.nn.functional import logsigmoid

    plain = scored.chosen.sum() / shares.tokens
    if settings.objective == "sft" or scored.rejected is None:
        return plain if settings.objective != "dpo" else settings.sft_weight * plain
    if settings.objective == "dpo":
        return settings.sft_weight * plain - logsigmoid(settings.beta * margin(scored, settings)) / shares.pairs
    odds = _log_odds(-scored.chosen.mean()) - _log_odds(-scored.rejected.mean())
    return plain - settings.beta * logsigmoid(odds) / shares.pairs


def margin(scored: ItemLosses, settings: Train) -> "torch.Tensor":
    """Return the DPO margin in nats: how much more the model prefers the expert's answer than the base does."""
    if scored.rejected is None or scored.references is None:
        raise ValueError("a margin needs a pair and the base's scores of it")
    chosen, rejected = length_guard_sums(scored.chosen, scored.rejected, settings.length_guard)
    return (rejected - scored.references[1]) - (chosen - scored.references[0])


def length_guard_sums(
    chosen: "torch.Tensor", rejected: "torch.Tensor", length_guard: float
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the two answers' sums; tokens past the length of the shorter answer count ``1 - length_guard`` times.

    Without the guard, the longer answer's log-ratio weighs more just because it is longer, and the model learns to
    write ever longer answers.
    """
    common = min(len(chosen), len(rejected))
    first, second = (side[:common].sum() + (1 - length_guard) * side[common:].sum() for side in (chosen, rejected))
    return first, second


def _log_odds(log_probability: "torch.Tensor") -> "torch.Tensor":
    """Return ``log(p / (1 - p))`` of a mean log-probability, which is below zero."""
    import torch

    return log_probability - torch.log1p(-torch.exp(log_probability.clamp(max=-1e-6)))
