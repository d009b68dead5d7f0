"""What a model makes of answers: the loss of each of their tokens, laid out in rows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from weakspot.models import packed_attention
from weakspot.models.loading import decoder, without_adapters
from weakspot.models.tokenization import Tokens
from weakspot.training import packing
from weakspot.training.packing import Piece, Row

if TYPE_CHECKING:
    import torch
    from transformers import Cache

    from weakspot.models.packed_attention import LanguageModel

_OWN_LOGITS = (
    *("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap"),
    *("logits_scaling", "logit_scale", "lm_head_multiplier"),
)
"""Settings of models that do more to their logits than one product."""


def answer_losses(model: "LanguageModel", row: Row, cache: "Cache | None" = None) -> "list[torch.Tensor]":
    """Return the negative log-likelihoods, in nats, of the tokens of each answer of ``row``: ``[supervised]`` each.

    Logits are computed on the rows that predict a supervised token, and nowhere else. A model that cannot keep
    sequences in a row apart is asked for the two answers of a pair one after the other. The keys and values of the
    whole row are left in ``cache``, where one is given.
    """
    if not packed_attention.installed(model) and any(piece.paired for piece in row.pieces):
        (piece,) = row.pieces
        return [loss for side in piece.sides() for loss in answer_losses(model, Row.of([side], row.ids.device))]
    from weakspot.training.chunked_cross_entropy import token_losses

    options = _arguments(model, row)
    if cache is not None:
        options |= {"past_key_values": cache, "use_cache": True}
    inner = without_adapters(model)
    head = inner.get_output_embeddings()
    settings = inner.config.get_text_config()
    if head is None or head.bias is not None or any(getattr(settings, name, None) for name in _OWN_LOGITS):
        import torch

        logits = model(**options, logits_to_keep=row.kept).logits[0]
        losses = torch.nn.functional.cross_entropy(logits.float(), row.targets, reduction="none")
    else:
        hidden = decoder(model)(**options).last_hidden_state[0]
        losses = token_losses(hidden[row.kept], head.weight, row.targets)
    return list(losses.split(row.counts))


def rows_of(model: "LanguageModel", pieces: Sequence[Piece], budget: int) -> Iterator[Row]:
    """Yield ``pieces`` in as few rows of ``budget`` tokens as best fit finds.

    A model that cannot keep sequences in a row apart gets them one by one.
    """
    limit = budget if packed_attention.installed(model) else 0
    for part in packing.packed([piece.length for piece in pieces], limit):
        yield Row.of([pieces[n] for n in part], model.device)


def negative_log_likelihoods(model: "LanguageModel", batch: Sequence[Tokens], budget: int = 4096) -> "torch.Tensor":
    """Return the summed negative log-likelihood of each sequence's supervised tokens, in nats: ``[len(batch)]``."""
    return _sums(model, [Piece(one, seed=n) for n, one in enumerate(batch)], budget)[:, 0]


def pair_negative_log_likelihoods(
    model: "LanguageModel", batch: Sequence[Tokens], budget: int = 4096
) -> "torch.Tensor":
    """Return the same of each sequence's answer and of its rejected one, NaN where it has none: ``[len(batch), 2]``.

    The prompt of both is read once.
    """
    return _sums(model, [Piece(one, seed=n, paired=bool(one.rejected)) for n, one in enumerate(batch)], budget)


def _sums(model: "LanguageModel", pieces: Sequence[Piece], budget: int) -> "torch.Tensor":
    import torch

    sums: dict[int, list[torch.Tensor]] = {}
    for row in rows_of(model, pieces, budget):
        losses = iter(answer_losses(model, row))
        for piece in row.pieces:
            first = next(losses).sum()
            sums[piece.seed] = [first, next(losses).sum() if piece.paired else first.new_tensor(torch.nan)]
    return torch.stack([torch.stack(sums[n]) for n in range(len(pieces))]) if pieces else torch.zeros(0, 2)


def answer_logits(
    model: "LanguageModel", sequences: Sequence[Tokens], budget: int = 4096
) -> "Iterator[tuple[int, torch.Tensor]]":
    """Yield each sequence's number and the logits that its answer's tokens come from: fp32 ``[answer, vocabulary]``."""
    for row in rows_of(model, [Piece(one, seed=n) for n, one in enumerate(sequences)], budget):
        logits = model(**_arguments(model, row), logits_to_keep=row.kept).logits[0].float()
        yield from zip((piece.seed for piece in row.pieces), logits.split(row.counts), strict=True)


def _arguments(model: "LanguageModel", row: Row) -> dict[str, Any]:
    """Return what a forward pass over a row is given."""
    options: dict[str, Any] = {"input_ids": row.ids[None], "use_cache": False}
    if packed_attention.installed(model):
        options |= {"position_ids": row.positions[None], **packed_attention.arguments(row.segments, row.ids.device)}
    elif row.ids.is_meta:  # a mask cannot be looked at there, and one sequence needs none
        options["attention_mask"] = dict.fromkeys(getattr(model.config.get_text_config(), "layer_types", None) or ())
    return options
