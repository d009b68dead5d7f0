"""The product of an adapted layer: one by the frozen weight for all rows, and a low-rank one for each adapter's rows.

The low-rank products of several adapters are one grouped product where that is fast, and a loop over slices elsewhere.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from weakspot.settings import Lora
from weakspot.training.lora_layout import Span

if TYPE_CHECKING:
    from weakspot.training.lora_layout import Layout


class Frozen(Protocol):
    """What a product needs of a layer: its weight ``[out, in]`` and bias, and how its adapters are to be counted."""

    @property
    def layout(self) -> "Layout": ...  # noqa: D102
    @property
    def settings(self) -> dict[int, Lora]: ...  # noqa: D102
    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def bias(self) -> torch.Tensor | None: ...  # noqa: D102
    def dense(self, like: torch.Tensor) -> torch.Tensor: ...  # noqa: D102


def product_of(x: torch.Tensor, layer: Frozen, spans: list[Span], pairs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return what a layer with the pairs A, B of each span makes of ``x``, ``[rows, in]``: ``[rows, out]``."""
    y: torch.Tensor = _Product.apply(x, layer, spans, *pairs)  # type: ignore[no-untyped-call]
    return y


class _Product(torch.autograd.Function):
    """The product of an adapted layer; only its input, the narrow products and the noise are kept for the way back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: Frozen, spans: list[Span], *pairs: torch.Tensor) -> torch.Tensor:
        y = functional.linear(x, layer.dense(x), layer.bias)
        ctx.layer, ctx.spans = layer, spans
        masks = [
            layer.layout.kept(layer.number, x[start:stop], start, layer.settings[slot].dropout)
            for slot, start, stop in spans
        ]
        ctx.scales = [
            _scale(layer.settings[slot], dropout=mask is not None)
            for (slot, _, _), mask in zip(spans, masks, strict=True)
        ]
        ctx.grouped = grouped_pays(layer.layout.grouped, x, pairs)
        narrow: list[torch.Tensor]
        if ctx.grouped:
            narrow = [_grouped_forward(x, y, spans, masks, ctx.scales, pairs)]
        else:
            narrow = []
            for (_, start, stop), mask, scale, a, b in zip(
                spans, masks, ctx.scales, pairs[::2], pairs[1::2], strict=True
            ):
                h = functional.linear(_masked(x[start:stop], mask), a.to(x.dtype))
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
            grads = _grouped_backward(x, g, gx, ctx.spans, masks, ctx.scales, pairs, narrow[0])
        else:
            grads = []
            for (_, start, stop), mask, scale, a, b, h in zip(
                ctx.spans, masks, ctx.scales, pairs[::2], pairs[1::2], narrow, strict=True
            ):
                gy = g[start:stop]
                gh = (gy @ b.to(g.dtype)).mul_(scale)
                grads += [gh.T @ _masked(x[start:stop], mask), (gy.T @ h).mul_(scale)]
                if gx is not None:
                    if mask is None:
                        gx[start:stop].addmm_(gh, a.to(g.dtype))
                    else:
                        gx[start:stop].addcmul_(gh @ a.to(g.dtype), mask.to(g.dtype))
        return gx, None, None, *(grad.to(pair.dtype) for grad, pair in zip(grads, pairs, strict=True))


def _scale(settings: Lora, *, dropout: bool) -> float:
    """Return what an adapter's product counts; what dropout keeps makes up for what it leaves out."""
    return settings.alpha / settings.rank / (1 - settings.dropout if dropout else 1)


def _masked(rows: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return rows if mask is None else rows * mask


def grouped_pays(forced: bool | None, x: torch.Tensor, pairs: Sequence[torch.Tensor]) -> bool:
    """Whether one grouped product serves the adapters of a call: all of one rank, in bf16 on Hopper or newer.

    ``forced`` decides where it is not None. On a CPU, and on other GPUs, ``grouped_mm`` is a loop, and copies.
    """
    alike = len({pair.shape for pair in pairs[::2]}) == 1 and len(pairs) > 2
    if forced is not None:
        return forced and alike
    fits = alike and all(size * x.element_size() % 16 == 0 for pair in pairs[:2] for size in pair.shape)
    return fits and x.is_cuda and x.dtype == torch.bfloat16 and torch.cuda.get_device_capability(x.device) >= (9, 0)


def _grouped_forward(
    x: torch.Tensor,
    y: torch.Tensor,
    spans: Sequence[Span],
    masks: Sequence[torch.Tensor | None],
    scales: Sequence[float],
    pairs: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Add every adapter's product to ``y``; return the narrow products ``[rows, rank]``, already scaled."""
    begin, ends, rows = _owned(spans, x)
    a, b = _stacked(pairs, x.dtype)
    h = functional.grouped_mm(_all_masked(rows, masks), a.transpose(1, 2), offs=ends)
    h = h * _each(scales, spans, h)
    y[begin : begin + len(rows)] += functional.grouped_mm(h, b.transpose(1, 2), offs=ends)
    return h


def _grouped_backward(
    x: torch.Tensor,
    g: torch.Tensor,
    gx: torch.Tensor | None,
    spans: Sequence[Span],
    masks: Sequence[torch.Tensor | None],
    scales: Sequence[float],
    pairs: Sequence[torch.Tensor],
    h: torch.Tensor,
) -> list[torch.Tensor]:
    """Return the gradients of A and B of each adapter in turn, and add the adapters' share to ``gx``."""
    begin, ends, rows = _owned(spans, x)
    a, b = _stacked(pairs, g.dtype)
    gy = g[begin : begin + len(rows)].contiguous()
    gh = functional.grouped_mm(gy, b, offs=ends)
    gh = gh * _each(scales, spans, gh)
    ga = functional.grouped_mm(gh.T, _all_masked(rows, masks), offs=ends)
    gb = functional.grouped_mm(gy.T, h, offs=ends)
    if gx is not None:
        gx[begin : begin + len(rows)] += _all_masked(functional.grouped_mm(gh, a, offs=ends), masks)
    return [part for both in zip(ga.unbind(), gb.unbind(), strict=True) for part in both]


def _owned(spans: Sequence[Span], x: torch.Tensor) -> tuple[int, torch.Tensor, torch.Tensor]:
    """Return where the first adapter's rows begin, the ends of each adapter's counted from there, and the rows."""
    begin = spans[0][1]
    ends = torch.tensor([stop - begin for _, _, stop in spans], dtype=torch.int32, device=x.device)
    return begin, ends, x[begin : spans[-1][2]]


def _stacked(pairs: Sequence[torch.Tensor], dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.stack([a.to(dtype) for a in pairs[::2]]), torch.stack([b.to(dtype) for b in pairs[1::2]])


def _all_masked(rows: torch.Tensor, masks: Sequence[torch.Tensor | None]) -> torch.Tensor:
    if all(mask is None for mask in masks):
        return rows
    parts, place = [], 0
    given = [mask for mask in masks if mask is not None]
    for mask in given:
        parts.append(rows[place : place + len(mask)] * mask)
        place += len(mask)
    return torch.cat(parts)


def _each(scales: Sequence[float], spans: Sequence[Span], like: torch.Tensor) -> torch.Tensor:
    """Return the scale of each row: ``[rows, 1]``."""
    counts = torch.tensor([stop - start for _, start, stop in spans], device=like.device)
    return torch.tensor(list(scales), dtype=like.dtype, device=like.device).repeat_interleave(counts)[:, None]
