"""What is minimised: the loss of the expert's answer, and where it is asked for, how far it is before the local one.

Sources: DPO, arXiv 2305.18290; ORPO, arXiv 2403.07691; the length guard after LD-DPO, arXiv 2409.06411.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakspot.settings import Train
from weakspot.training.packing import Piece

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Scored:
    """A piece with the negative log-likelihoods of its tokens, and for DPO with those that the base gave them.

    ``references`` are sums in nats: of the expert's answer, and of the local one, both under the length guard.
    """

    piece: Piece
    chosen: "torch.Tensor"
    rejected: "torch.Tensor | None" = None
    references: tuple[float, float] | None = None


@dataclass(frozen=True)
class Shares:
    """What a sum over a step is divided by: its supervised tokens, and its pairs."""

    tokens: int
    pairs: int

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> "Shares":
        """Return the shares of a step of these ``pieces``."""
        return cls(sum(one.tokens.supervised for one in pieces), sum(one.paired for one in pieces))


def loss(scored: Scored, settings: Train, shares: Shares) -> "torch.Tensor":
    """Return what one piece adds to the loss of its step.

    sft: the mean over the step's supervised tokens of their negative log-likelihood.
    dpo: the mean over its pairs of ``-log sigmoid(beta * margin)``, the margin being how much further the expert's
    answer is before the local one than in the base; and ``sft_weight`` times the loss of sft.
    orpo: the loss of sft, and ``beta`` times the mean over the pairs of ``-log sigmoid`` of the log odds ratio of the
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


def margin(scored: Scored, settings: Train) -> "torch.Tensor":
    """Return how much further than in the base the expert's answer is before the local one, in nats."""
    if scored.rejected is None or scored.references is None:
        raise ValueError("a margin is of a pair and of what the base makes of it")
    chosen, rejected = guarded(scored.chosen, scored.rejected, settings.length_guard)
    return (rejected - scored.references[1]) - (chosen - scored.references[0])


def guarded(
    chosen: "torch.Tensor", rejected: "torch.Tensor", length_guard: float
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the two answers' sums, where tokens past the end of the shorter count ``1 - length_guard`` times.

    Without it the longer answer's log-ratio weighs more for its length alone, and the model learns to write on.
    """
    common = min(len(chosen), len(rejected))
    first, second = (side[:common].sum() + (1 - length_guard) * side[common:].sum() for side in (chosen, rejected))
    return first, second


def _log_odds(log_probability: "torch.Tensor") -> "torch.Tensor":
    """Return ``log(p / (1 - p))`` of a mean log-probability, which is below zero."""
    import torch

    return log_probability - torch.log1p(-torch.exp(log_probability.clamp(max=-1e-6)))
