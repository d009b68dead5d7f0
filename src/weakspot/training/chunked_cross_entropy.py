"""Cross entropy in chunks of rows, so that the logits of all rows never exist at the same time."""

from typing import Any

import torch
from torch.nn import functional

_CHUNK_BYTES = 1 << 28
"""Bytes of fp32 logits in a chunk: 1,365 rows of a vocabulary of 49,152."""


def token_losses(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the negative log-likelihood of each target in nats: ``[rows]``.

    ``hidden`` is ``[rows, width]``, ``weight`` is the frozen output matrix ``[vocabulary, width]``. The gradient of a
    row's loss with respect to ``hidden`` is ``(softmax - one hot) weight``. It is computed in the forward pass, while
    the logits of the chunk exist, and the backward pass only scales it.
    """
    losses: torch.Tensor = _ChunkedLoss.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return losses


def chunk_rows(vocabulary: int) -> int:
    """Return how many rows have their logits at the same time."""
    return max(1, _CHUNK_BYTES // (4 * vocabulary))


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        wanted = ctx.needs_input_grad[0]
        slope = torch.empty_like(hidden) if wanted else None
        losses = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        size = chunk_rows(weight.shape[0])
        for start in range(0, len(hidden), size):
            part = slice(start, start + size)
            logits = functional.linear(hidden[part], weight).float()
            right = targets[part, None]
            highest = logits.amax(-1, keepdim=True)
            wanted_logit = logits.gather(1, right)
            odds = logits.sub_(highest).exp_()
            total = odds.sum(-1, keepdim=True)
            losses[part] = (total.log() + highest - wanted_logit)[:, 0]
            if slope is not None:
                odds.div_(total).scatter_add_(1, right, torch.full_like(total, -1.0))
                slope[part] = odds.to(hidden.dtype) @ weight
        if slope is not None:
            ctx.save_for_backward(slope)
        return losses

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[Any, ...]:
        (slope,) = ctx.saved_tensors
        return slope * g[:, None].to(slope.dtype), None, None
