"""Several sequences in one row: attention runs sequence by sequence, everything else on the whole row."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_NAME = "weakspot_packed"


def packable(model: "PreTrainedModel") -> bool:
    """Whether sequences in one row can be kept apart: true of models with attention alone.

    Layers that carry a state along the row (Gated DeltaNet, Mamba) would leak it into the next sequence.
    """
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or ["full_attention"]
    own = model.get_base_model() if hasattr(model, "get_base_model") else model
    return all(kind in ("full_attention", "sliding_attention") for kind in kinds) and bool(
        getattr(own, "_supports_attention_backend", False)
    )


@contextmanager
def packed(model: "PreTrainedModel") -> Iterator[None]:
    """For the block, let ``model`` attend within the ``segments`` (lengths) that a call passes."""
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, _attend)
    settings = model.config.get_text_config()
    before = settings._attn_implementation
    # transformers makes no mask for an implementation that it knows no mask for: none is ever built.
    settings._attn_implementation = _NAME
    try:
        yield
    finally:
        settings._attn_implementation = before


def _attend(
    module: "torch.nn.Module",
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    *,
    segments: list[int],
    sliding_window: int | None = None,
    **options: Any,
) -> "tuple[torch.Tensor, None]":
    """Causal attention within each segment; tensors are ``[1, heads, tokens, width]``, as transformers has them."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    parts = []
    for one in zip(query.split(segments, 2), key.split(segments, 2), value.split(segments, 2), strict=True):
        mask = None
        if sliding_window and one[0].shape[2] > sliding_window:
            places = torch.arange(one[0].shape[2], device=query.device)
            behind = places[:, None] - places[None, :]
            mask = ((behind >= 0) & (behind < sliding_window))[None, None]
        parts.append(sdpa_attention_forward(module, *one, attention_mask=mask, is_causal=mask is None, **options)[0])
    return torch.cat(parts, dim=1), None
