"""Several sequences in one row: attention runs sequence by sequence, everything else on the whole row."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

    LanguageModel = PreTrainedModel | PeftModel

_NAME = "weakspot_packed"


def packable(model: "PreTrainedModel") -> bool:
    """Whether sequences in one row can be kept apart: true of models with attention alone.

    Layers that carry a state along the row (Gated DeltaNet, Mamba) would leak it into the next sequence.
    """
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or ["full_attention"]
    plain = all(kind in ("full_attention", "sliding_attention") for kind in kinds)
    return plain and bool(getattr(model, "_supports_attention_backend", False))


def install(model: "PreTrainedModel") -> None:
    """Let ``model`` attend within the segments of a call that has :func:`arguments`, and as ever otherwise."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if packable(model):
        AttentionInterface.register(_NAME, _attend)
        AttentionMaskInterface.register(_NAME, sdpa_mask)
        model.config.get_text_config()._attn_implementation = _NAME


def installed(model: "LanguageModel") -> bool:
    """Whether :func:`install` found the model fit."""
    return bool(model.config.get_text_config()._attn_implementation == _NAME)


def arguments(lengths: list[int], device: "torch.device") -> dict[str, Any]:
    """Return what a forward call is given beside the ids so that sequences of these lengths stay apart.

    A mask of four dimensions is taken by transformers as it is: the empty one here stops it from building
    the mask of the whole row, which nothing would look at.
    """
    import torch

    return {"segments": lengths, "attention_mask": torch.zeros(1, 1, 1, 1, device=device)}


def _attend(
    module: "torch.nn.Module",
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    *,
    segments: list[int] | None = None,
    sliding_window: int | None = None,
    **options: Any,
) -> "tuple[torch.Tensor, None]":
    """Causal attention within each segment; tensors are ``[1, heads, tokens, width]``, as transformers has them."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if segments is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    parts = []
    for one in zip(query.split(segments, 2), key.split(segments, 2), value.split(segments, 2), strict=True):
        mask = None
        if sliding_window and one[0].shape[2] > sliding_window:
            places = torch.arange(one[0].shape[2], device=query.device)
            behind = places[:, None] - places[None, :]
            mask = ((behind >= 0) & (behind < sliding_window))[None, None]
        parts.append(sdpa_attention_forward(module, *one, attention_mask=mask, is_causal=mask is None, **options)[0])
    return torch.cat(parts, dim=1), None
