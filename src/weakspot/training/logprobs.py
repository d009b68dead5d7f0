"""Per-token log-likelihoods of answers under a model, computed in packed batches."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from weakspot.models import packed_attention
from weakspot.models.loading import decoder, without_adapters
from weakspot.models.tokenization import Tokens
from weakspot.training import packing
from weakspot.training.packing import PackedBatch, PackedItem

if TYPE_CHECKING:
    import torch
    from transformers import Cache

    from weakspot.models.packed_attention import LanguageModel

_LOGIT_SETTINGS = (
    *("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap"),
    *("logits_scaling", "logit_scale", "lm_head_multiplier"),
)
"""Settings of models that compute their logits by more than one matrix product."""


def answer_losses(model: "LanguageModel", row: PackedBatch, cache: "Cache | None" = None) -> "list[torch.Tensor]":
    """Return the negative log-likelihoods, in nats, of the tokens of each answer of ``row``: ``[supervised]`` each.

    Logits are computed only where a supervised token is predicted. If the model cannot pack sequences, the two
    answers of a pair are computed one after the other. If ``cache`` is given, it receives the keys and values of the
    whole batch.
    """
    if not packed_attention.is_installed(model) and any(piece.paired for piece in row.pieces):
        (piece,) = row.pieces
        return [loss for side in piece.sides() for loss in answer_losses(model, PackedBatch.of([side], row.ids.device))]
    from weakspot.training.chunked_cross_entropy import token_losses

    options = _forward_arguments(model, row)
    if cache is not None:
        options |= {"past_key_values": cache, "use_cache": True}
    inner = without_adapters(model)
    head = inner.get_output_embeddings()
    settings = inner.config.get_text_config()
    if head is None or head.bias is not None or any(getattr(settings, name, None) for name in _LOGIT_SETTINGS):
        import torch

        logits = model(**options, logits_to_keep=row.kept).logits[0]
        losses = torch.nn.functional.cross_entropy(logits.float(), row.targets, reduction="none")
    else:
        hidden = decoder(model)(**options).last_hidden_state[0]
        losses = token_losses(hidden[row.kept], head.weight, row.targets)
    return list(losses.split(row.counts))


def pack_batches(model: "LanguageModel", pieces: Sequence[PackedItem], budget: int) -> Iterator[PackedBatch]:
    """Pack ``pieces`` into as few batches of ``budget`` tokens as best fit finds, and yield them.

    If the model cannot pack sequences, each is a batch of its own.
    """
    limit = budget if packed_attention.is_installed(model) else 0
    for part in packing.pack_into_bins([piece.length for piece in pieces], limit):
        yield PackedBatch.of([pieces[n] for n in part], model.device)


def negative_log_likelihoods(model: "LanguageModel", batch: Sequence[Tokens], budget: int = 4096) -> "torch.Tensor":
    """Return the summed negative log-likelihood of each sequence's supervised tokens, in nats: ``[len(batch)]``."""
    return _loss_sums(model, [PackedItem(one, seed=n) for n, one in enumerate(batch)], budget)[:, 0]


def pair_negative_log_likelihoods(
    model: "LanguageModel", batch: Sequence[Tokens], budget: int = 4096
) -> "torch.Tensor":
    """Return the same for the answer and the rejected answer of each sequence, NaN if it has none: ``[len(batch), 2]``.

    The shared prompt of both is computed once.
    """
    return _loss_sums(
        model, [PackedItem(one, seed=n, paired=bool(one.rejected)) for n, one in enumerate(batch)], budget
    )


def _loss_sums(model: "LanguageModel", pieces: Sequence[PackedItem], budget: int) -> "torch.Tensor":
    import torch

    sums: dict[int, list[torch.Tensor]] = {}
    for row in pack_batches(model, pieces, budget):
        losses = iter(answer_losses(model, row))
        for piece in row.pieces:
            first = next(losses).sum()
            sums[piece.seed] = [first, next(losses).sum() if piece.paired else first.new_tensor(torch.nan)]
    return torch.stack([torch.stack(sums[n]) for n in range(len(pieces))]) if pieces else torch.zeros(0, 2)


def answer_logits(
    model: "LanguageModel", sequences: Sequence[Tokens], budget: int = 4096
) -> "Iterator[tuple[int, torch.Tensor]]":
    """Yield each sequence's number and the logits that predict its answer: fp32 ``[answer, vocabulary]``."""
    for row in pack_batches(model, [PackedItem(one, seed=n) for n, one in enumerate(sequences)], budget):
        logits = model(**_forward_arguments(model, row), logits_to_keep=row.kept).logits[0].float()
        yield from zip((piece.seed for piece in row.pieces), logits.split(row.counts), strict=True)


def _forward_arguments(model: "LanguageModel", row: PackedBatch) -> dict[str, Any]:
    """Return the arguments of a forward pass over a packed batch."""
    options: dict[str, Any] = {"input_ids": row.ids[None], "use_cache": False}
    if packed_attention.is_installed(model):
        options |= {
            "position_ids": row.positions[None],
            **packed_attention.forward_arguments(row.segments, row.ids.device),
        }
    elif row.ids.is_meta:  # a mask cannot be read on meta, and one sequence needs none
        options["attention_mask"] = dict.fromkeys(getattr(model.config.get_text_config(), "layer_types", None) or ())
    return options
