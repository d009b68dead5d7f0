"""The adapters on a base: every adapted layer multiplies all rows by its weight once, and each adapter's by its own pair.

The low-rank products of several adapters are one grouped product where that is fast, and a loop over slices elsewhere.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from weakspot.engine.rows import Row
from weakspot.tables import Lora

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PREFIX = "base_model.model."
_ALL = 1 << 60


@dataclass
class Layout:
    """Which rows of the forward pass at work belong to which adapter, and the noise of each sequence.

    Every adapted layer of a model looks at the same one. ``grouped`` is None where each call decides for itself
    whether one grouped product is faster than a loop.
    """

    spans: list[tuple[int, int, int]] = field(default_factory=list)
    noise: list[tuple[int, int, int]] = field(default_factory=list)
    dropout: bool = False
    grouped: bool | None = None
    _last: tuple[Any, torch.Tensor] | None = None

    def set(self, row: Row | None, *, dropout: bool) -> None:
        """Take over the layout of ``row``; None is the base alone."""
        self.spans = row.spans if row else []
        self.noise, self.dropout, self._last = [], dropout, None
        place = 0
        for piece in row.pieces if row else ():
            self.noise.append((place, place + piece.length, piece.seed))
            place += piece.length
        if row and len(row.pieces) == 1 and self.spans:
            # Alone in a row: all rows are its own, also where its two answers are asked one after the other.
            self.spans, self.noise = [(self.spans[0][0], 0, _ALL)], [(0, _ALL, row.pieces[0].seed)]

    def kept(self, number: int, rows: torch.Tensor, start: int, probability: float) -> torch.Tensor | None:
        """Return which inputs dropout keeps, as ones and zeros of the shape of ``rows``; None where all.

        ``rows`` are those from ``start`` on. Each sequence draws its own from its seed and the layer's ``number``, so
        its noise does not depend on what else is in the row. Layers of one number share it.
        """
        if not self.dropout or probability == 0:
            return None
        key = (number, start, rows.shape, probability)
        if self._last and self._last[0] == key:
            return self._last[1]
        # A GPU multiplies by a byte as fast as by a float; a CPU does not.
        mask = torch.empty_like(rows, dtype=torch.bool if rows.is_cuda else None)
        if not mask.is_meta:
            generator = torch.Generator(rows.device)
            for first, stop, seed in self.noise:
                if start <= first < start + len(rows):
                    generator.manual_seed((seed * 1_000_003 + number) % 2**63)
                    mask[first - start : stop - start].bernoulli_(1 - probability, generator=generator)
        self._last = (key, mask)
        return mask


class Adapted(nn.Module):
    """A frozen linear layer, and beside it a low-rank pair for each adapter: ``y = W x + s B A dropout(x)``."""

    def __init__(self, linear: nn.Linear, layout: Layout, number: int) -> None:
        super().__init__()
        self.linear, self.layout, self.number = linear, layout, number
        self.lora_A, self.lora_B = nn.ParameterDict(), nn.ParameterDict()
        self.settings: dict[int, Lora] = {}

    def add(self, slot: int, settings: Lora, generator: torch.Generator) -> None:
        """Give the adapter ``slot`` its pair: A as PEFT draws it, B of zeros, both in fp32."""
        device = self.linear.weight.device
        where = device if device.type == "meta" else torch.device("cpu")  # the same numbers on every device
        a = torch.empty(settings.rank, self.linear.in_features, dtype=torch.float32, device=where)
        a.uniform_(-1 / math.sqrt(a.shape[1]), 1 / math.sqrt(a.shape[1]), generator=generator)
        self.lora_A[str(slot)] = nn.Parameter(a.to(device))
        self.lora_B[str(slot)] = nn.Parameter(
            torch.zeros(self.linear.out_features, settings.rank, dtype=torch.float32, device=device)
        )
        self.settings[slot] = settings

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        spans = [(slot, start, min(stop, len(flat))) for slot, start, stop in self.layout.spans]
        if not spans:
            return self.linear(x)  # type: ignore[no-any-return]
        pairs = [part for slot, _, _ in spans for part in (self.lora_A[str(slot)], self.lora_B[str(slot)])]
        y: torch.Tensor = _Product.apply(flat, self, spans, *pairs)
        return y.view(*x.shape[:-1], y.shape[-1])

    def dense(self, like: torch.Tensor) -> torch.Tensor:
        """Return the frozen weight ``[out, in]`` in the type of ``like``; one in NF4 is unpacked each time."""
        weight = self.linear.weight
        if (state := getattr(weight, "quant_state", None)) is not None:
            from bitsandbytes.functional import dequantize_4bit

            weight = dequantize_4bit(weight.data, state)
        return weight if weight.dtype == like.dtype else weight.to(like.dtype)


class _Product(torch.autograd.Function):
    """The product of an adapted layer; only its input, the narrow products and the noise are kept for the way back."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: torch.Tensor, layer: Adapted, spans: list[tuple[int, int, int]], *pairs: torch.Tensor
    ) -> torch.Tensor:
        y = functional.linear(x, layer.dense(x), layer.linear.bias)
        ctx.layer, ctx.spans = layer, spans
        masks = [
            layer.layout.kept(layer.number, x[start:stop], start, layer.settings[slot].dropout)
            for slot, start, stop in spans
        ]
        ctx.scales = [
            layer.settings[slot].alpha
            / layer.settings[slot].rank
            / (1 - layer.settings[slot].dropout * (mask is not None))
            for (slot, _, _), mask in zip(spans, masks, strict=True)
        ]
        ctx.grouped = grouped_pays(layer.layout, x, pairs)
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
    def backward(ctx: Any, g: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
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


def _masked(rows: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return rows if mask is None else rows * mask


def grouped_pays(layout: Layout, x: torch.Tensor, pairs: Sequence[torch.Tensor]) -> bool:
    """Whether one grouped product serves the adapters of a call: all of one rank, in bf16 on Hopper or newer.

    On a CPU, and on other GPUs, ``grouped_mm`` is itself a loop, and one that copies.
    """
    alike = len({pair.shape for pair in pairs[::2]}) == 1 and len(pairs) > 2
    if layout.grouped is not None:
        return layout.grouped and alike
    fits = alike and all(size * x.element_size() % 16 == 0 for pair in pairs[:2] for size in pair.shape)
    return fits and x.is_cuda and x.dtype == torch.bfloat16 and torch.cuda.get_device_capability(x.device) >= (9, 0)


def _grouped_forward(
    x: torch.Tensor,
    y: torch.Tensor,
    spans: Sequence[tuple[int, int, int]],
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
    spans: Sequence[tuple[int, int, int]],
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


def _owned(spans: Sequence[tuple[int, int, int]], x: torch.Tensor) -> tuple[int, torch.Tensor, torch.Tensor]:
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


def _each(scales: Sequence[float], spans: Sequence[tuple[int, int, int]], like: torch.Tensor) -> torch.Tensor:
    """Return the scale of each row: ``[rows, 1]``."""
    counts = torch.tensor([stop - start for _, start, stop in spans], device=like.device)
    return torch.tensor(list(scales), dtype=like.dtype, device=like.device).repeat_interleave(counts)[:, None]


@dataclass
class Adapters:
    """The adapted layers of a model, by the name of the layer in it; ``layout`` is theirs together."""

    layers: dict[str, Adapted]
    layout: Layout

    def add(self, slot: int, settings: Lora, seed: int) -> None:
        """Make the adapter ``slot``; the same seed gives the same weights, whatever else is made."""
        generator = torch.Generator().manual_seed(seed)
        for layer in self.layers.values():
            layer.add(slot, settings, generator)

    def parameters(self, slot: int) -> dict[str, nn.Parameter]:
        """Return the trained matrices of an adapter by the names that PEFT gives them."""
        return {
            f"{PREFIX}{name}.{side}.weight": getattr(layer, side)[str(slot)]
            for name, layer in self.layers.items()
            for side in ("lora_A", "lora_B")
        }

    def slots(self) -> Iterator[int]:
        """Yield the adapters that there are."""
        yield from next(iter(self.layers.values())).settings


def attach(model: "PreTrainedModel", targets: Sequence[str]) -> Adapters:
    """Adapt the linear layers that ``targets`` names, in full or by the last part, and freeze all else.

    No adapter is made yet. Layers of one parent that share their input (q, k and v) share the noise of dropout, too.
    """
    model.requires_grad_(False)
    adapters = Adapters({}, Layout())
    wanted, numbers = set(targets), dict[str, int]()
    for name, linear in list(model.named_modules()):
        parent, _, last = name.rpartition(".")
        if not isinstance(linear, nn.Linear) or not {name, last} & wanted:
            continue
        shared = f"{parent}:{linear.in_features}" if last in _SHARE_INPUT else name
        layer = Adapted(linear, adapters.layout, numbers.setdefault(shared, len(numbers)))
        setattr(model.get_submodule(parent), last, layer)
        adapters.layers[name] = layer
    return adapters


_SHARE_INPUT = frozenset(
    {"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "in_proj_qkvz", "in_proj_ba", "in_proj_qkv", "in_proj_z"}
)
