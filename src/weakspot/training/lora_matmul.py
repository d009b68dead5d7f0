"""Autograd function of a LoRA layer: one product with the frozen weight, and low-rank products for each adapter's rows.

The low-rank products of several adapters are one grouped matrix product where the GPU is fast at it, otherwise a loop
over slices.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from weakspot.settings import Lora
from weakspot.training.lora_layout import Span

if TYPE_CHECKING:
    from weakspot.training.lora_layout import Layout


class FrozenLayer(Protocol):
    """The attributes of a layer that the product needs: weight ``[out, in]``, bias, layout and LoRA settings."""

    @property
    def layout(self) -> "Layout": ...  # noqa: D102
    @property
    def settings(self) -> dict[int, Lora]: ...  # noqa: D102
    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def bias(self) -> torch.Tensor | None: ...  # noqa: D102
    def dense(self, like: torch.Tensor) -> torch.Tensor: ...  # noqa: D102


def lora_linear(x: torch.Tensor, layer: FrozenLayer, spans: list[Span], pairs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a layer's output ``[rows, out]`` for ``x``, ``[rows, in]``, with the pairs A, B of each span."""
    y: torch.Tensor = _LoraMatmul.apply(x, layer, spans, *pairs)  # type: ignore[no-untyped-call]
    return y


class _LoraMatmul(torch.autograd.Function):
    """The product of a LoRA layer; saves only its input, the narrow products and the dropout masks for backward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: FrozenLayer, spans: list[Span], *pairs: torch.Tensor) -> torch.Tensor:
        y = functional.linear(x, layer.dense(x), layer.bias)
        ctx.layer, ctx.spans = layer, spans
        masks = [
            layer.layout.dropout_mask(layer.number, x[start:stop], start, layer.settings[slot].dropout)
            for slot, start, stop in spans
        ]
        ctx.scales = [
            _scale(layer.settings[slot], dropout=mask is not None)
            for (slot, _, _), mask in zip(spans, masks, strict=True)
        ]
        ctx.grouped = should_group(layer.layout.grouped, x, pairs)
        narrow: list[torch.Tensor]
        if ctx.grouped:
            narrow = [_group_forward(x, y, spans, masks, ctx.scales, pairs)]
        else:
            narrow = []
            for (_, start, stop), mask, scale, a, b in zip(
                spans, masks, ctx.scales, pairs[::2], pairs[1::2], strict=True
            ):
                h = functional.linear(_apply_mask(x[start:stop], mask), a.to(x.dtype))
                y[start:stop].addmm_(h, b.to(x.dtype).T, alpha=scale)
                narrow.append(h)
        ctx.masked = [mask is not None for mask in masks]
        ctx.save_for_backward(x, *pairs, *narrow, *(mask for mask in masks if mask is not None))
        return y

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[Any, ...]:
        count = len(ctx.spans)
        x, *rest = ctx.saved_tensors
        pairs, rest = rest[: 2 * count], rest[2 * count :]
        narrow = rest[: 1 if ctx.grouped else count]
        drawn = iter(rest[len(narrow) :])
        masks = [next(drawn) if masked else None for masked in ctx.masked]
        gx = g @ ctx.layer.dense(g) if ctx.needs_input_grad[0] else None
        if ctx.grouped:
            grads = _group_backward(x, g, gx, ctx.spans, masks, ctx.scales, pairs, narrow[0])
        else:
            grads = []
            for (_, start, stop), mask, scale, a, b, h in zip(
                ctx.spans, masks, ctx.scales, pairs[::2], pairs[1::2], narrow, strict=True
            ):
                gy = g[start:stop]
                gh = (gy @ b.to(g.dtype)).mul_(scale)
                grads += [gh.T @ _apply_mask(x[start:stop], mask), (gy.T @ h).mul_(scale)]
                if gx is not None:
                    if mask is None:
                        gx[start:stop].addmm_(gh, a.to(g.dtype))
                    else:
                        gx[start:stop].addcmul_(gh @ a.to(g.dtype), mask.to(g.dtype))
        return gx, None, None, *(grad.to(pair.dtype) for grad, pair in zip(grads, pairs, strict=True))


def _scale(settings: Lora, *, dropout: bool) -> float:
    """Return the factor of an adapter's product: alpha / rank, divided by the share that dropout keeps."""
    return settings.alpha / settings.rank / (1 - settings.dropout if dropout else 1)


def _apply_mask(rows: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return rows if mask is None else rows * mask


def should_group(forced: bool | None, x: torch.Tensor, pairs: Sequence[torch.Tensor]) -> bool:
    """True if one grouped product should serve all adapters of a call: same rank, bf16, Hopper or newer.

    ``forced`` decides unless it is None. On a CPU and on other GPUs, ``grouped_mm`` is a loop that also copies.
    """
    alike = len({pair.shape for pair in pairs[::2]}) == 1 and len(pairs) > 2
    if forced is not None:
        return forced and alike
    fits = alike and all(size * x.element_size() % 16 == 0 for pair in pairs[:2] for size in pair.shape)
    return fits and x.is_cuda and x.dtype == torch.bfloat16 and torch.cuda.get_device_capability(x.device) >= (9, 0)


def _group_forward(
    x: torch.Tensor,
    y: torch.Tensor,
    spans: Sequence[Span],
    masks: Sequence[torch.Tensor | None],
    scales: Sequence[float],
    pairs: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Add the product of every adapter to ``y``; return the scaled narrow products ``[rows, rank]``."""
    begin, ends, rows = _span_rows(spans, x)
    a, b = _stack_pairs(pairs, x.dtype)
    h = functional.grouped_mm(_apply_masks(rows, masks), a.transpose(1, 2), offs=ends)
    h = h * _row_scales(scales, spans, h)
    y[begin : begin + len(rows)] += functional.grouped_mm(h, b.transpose(1, 2), offs=ends)
    return h


def _group_backward(
    x: torch.Tensor,
    g: torch.Tensor,
    gx: torch.Tensor | None,
    spans: Sequence[Span],
    masks: Sequence[torch.Tensor | None],
    scales: Sequence[float],
    pairs: Sequence[torch.Tensor],
    h: torch.Tensor,
) -> list[torch.Tensor]:
    """Return the gradients of A and B of each adapter in turn; add the adapters' part to ``gx``."""
    begin, ends, rows = _span_rows(spans, x)
    a, b = _stack_pairs(pairs, g.dtype)
    gy = g[begin : begin + len(rows)].contiguous()
    gh = functional.grouped_mm(gy, b, offs=ends)
    gh = gh * _row_scales(scales, spans, gh)
    ga = functional.grouped_mm(gh.T, _apply_masks(rows, masks), offs=ends)
    gb = functional.grouped_mm(gy.T, h, offs=ends)
    if gx is not None:
        gx[begin : begin + len(rows)] += _apply_masks(functional.grouped_mm(gh, a, offs=ends), masks)
    return [part for both in zip(ga.unbind(), gb.unbind(), strict=True) for part in both]


def _span_rows(spans: Sequence[Span], x: torch.Tensor) -> tuple[int, torch.Tensor, torch.Tensor]:
    """Return the first adapted row, the end of each span counted from there, and the adapted rows."""
    begin = spans[0][1]
    ends = torch.tensor([stop - begin for _, _, stop in spans], dtype=torch.int32, device=x.device)
    return begin, ends, x[begin : spans[-1][2]]


def _stack_pairs(pairs: Sequence[torch.Tensor], dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.stack([a.to(dtype) for a in pairs[::2]]), torch.stack([b.to(dtype) for b in pairs[1::2]])


def _apply_masks(rows: torch.Tensor, masks: Sequence[torch.Tensor | None]) -> torch.Tensor:
    if all(mask is None for mask in masks):
        return rows
    parts, place = [], 0
    given = [mask for mask in masks if mask is not None]
    for mask in given:
        parts.append(rows[place : place + len(mask)] * mask)
        place += len(mask)
    return torch.cat(parts)


def _row_scales(scales: Sequence[float], spans: Sequence[Span], like: torch.Tensor) -> torch.Tensor:
    """Return the scale of each row: ``[rows, 1]``."""
    counts = torch.tensor([stop - start for _, start, stop in spans], device=like.device)
    return torch.tensor(list(scales), dtype=like.dtype, device=like.device).repeat_interleave(counts)[:, None]
