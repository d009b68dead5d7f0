"""Attention within the segments of a packed batch; all other layers of the model process the whole batch at once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

    LanguageModel = PreTrainedModel | PeftModel

_NAME = "weakspot_segments"


@dataclass(frozen=True)
class Segment:
    """Tokens ``start`` to ``stop`` of a batch, which attend causally to each other.

    They also attend to all of the ``prefix`` tokens from ``origin`` on, elsewhere in the batch: a second answer
    attends to its prompt in this way.
    """

    start: int
    stop: int
    origin: int = 0
    prefix: int = 0


def can_pack(model: "PreTrainedModel") -> bool:
    """True if sequences in one packed batch can be kept apart, which holds for models with attention only.

    Layers that carry a state along the sequence (Gated DeltaNet, Mamba) would leak it into the next sequence. Kinds
    of attention without a torch kernel (the sinks of gpt-oss, the soft cap of Gemma 2) would be computed wrongly.
    """
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or ["full_attention"]
    plain = all(kind in ("full_attention", "sliding_attention") for kind in kinds)
    known = (getattr(model, name, False) for name in ("_supports_attention_backend", "_supports_sdpa"))
    return plain and all(known)


def install(model: "PreTrainedModel") -> None:
    """Make ``model`` attend within segments in calls that pass :func:`forward_arguments`, as usual in all others."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if can_pack(model):
        AttentionInterface.register(_NAME, _attend)
        AttentionMaskInterface.register(_NAME, sdpa_mask)
        model.config.get_text_config()._attn_implementation = _NAME


def is_installed(model: "LanguageModel") -> bool:
    """True if :func:`install` accepted the model."""
    return bool(model.config.get_text_config()._attn_implementation == _NAME)


def forward_arguments(segments: list[Segment], device: "torch.device") -> dict[str, Any]:
    """Return the extra arguments of a forward call that keep ``segments`` apart.

    transformers passes on a four-dimensional mask unchanged. The empty mask here only stops it from building the mask
    of the whole batch, which would not be used.
    """
    import torch

    return {"segments": segments, "attention_mask": torch.zeros(1, 1, 1, 1, device=device)}


def _attend(
    module: "torch.nn.Module",
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    *,
    segments: list[Segment] | None = None,
    sliding_window: int | None = None,
    **options: Any,
) -> "tuple[torch.Tensor, None]":
    """Compute causal attention within each segment; tensors are ``[1, heads, tokens, width]``, as in transformers."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if segments is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    if query.is_meta:
        return _attend_on_meta_device(query, key, value), None
    simple = all(segment.prefix == 0 for segment in segments)
    half = query.dtype in (torch.bfloat16, torch.float16)
    if simple and half and query.is_cuda and query.shape[-1] == value.shape[-1] <= 256:  # the limits of flash attention
        return _attend_varlen(query, key, value, segments, sliding_window, options.get("scaling")), None
    parts = []
    for segment in segments:
        own = slice(segment.start, segment.stop)
        shared = slice(segment.origin, segment.origin + segment.prefix)
        q, k, v = query[:, :, own], key[:, :, own], value[:, :, own]
        mask = None
        if segment.prefix:
            k, v = (torch.cat((whole[:, :, shared], part), 2) for whole, part in ((key, k), (value, v)))
        if segment.prefix or (sliding_window and segment.stop - segment.start > sliding_window):
            mask = _segment_mask(segment, sliding_window, query.device)
        parts.append(sdpa_attention_forward(module, q, k, v, attention_mask=mask, is_causal=mask is None, **options)[0])
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0], None


def _attend_on_meta_device(query: "torch.Tensor", key: "torch.Tensor", value: "torch.Tensor") -> "torch.Tensor":
    """Return a meta tensor, and save for backward what a fused kernel saves, so that memory can be planned."""
    import torch

    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    out: torch.Tensor = kernel(query, key, value, 0.0, True)[0]
    return out.transpose(1, 2)


def _segment_mask(segment: Segment, sliding_window: int | None, device: "torch.device") -> "torch.Tensor":
    """Return which tokens each token of a segment attends to: ``[1, 1, tokens, prefix + tokens]``."""
    import torch

    length = segment.stop - segment.start
    behind = torch.arange(length, device=device)[:, None] + segment.prefix
    behind = behind - torch.arange(segment.prefix + length, device=device)[None, :]
    seen = behind >= 0 if not sliding_window else (behind >= 0) & (behind < sliding_window)
    return seen[None, None]


def _attend_varlen(
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    segments: list[Segment],
    sliding_window: int | None,
    scaling: float | None,
) -> "torch.Tensor":
    """Attend within all segments in one call of flash attention; return ``[1, tokens, heads, width]``."""
    import torch
    from torch.nn.attention.varlen import varlen_attn

    lengths = [segment.stop - segment.start for segment in segments]
    ends = torch.tensor([0, *lengths], dtype=torch.int32, device=query.device).cumsum(0, dtype=torch.int32)
    q, k, v = (part[0].transpose(0, 1).contiguous() for part in (query, key, value))
    window = (sliding_window - 1, 0) if sliding_window else (-1, 0)
    grouped = q.shape[1] != k.shape[1]
    longest = max(lengths)
    out: Any = varlen_attn(q, k, v, ends, ends, longest, longest, scale=scaling, window_size=window, enable_gqa=grouped)
    return out[None]  # type: ignore[no-any-return]
