"""The layout of LoRA adapters in a forward pass: which rows are whose, their noise, and how their matrices begin."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weakspot.training.packing import PackedBatch

if TYPE_CHECKING:
    import torch
    from torch import nn

Span = tuple[int, int, int]
"""Slot of an adapter, its first row, and the row after its last."""

_ALL = 1 << 60


@dataclass
class Layout:
    """The adapter of each row of the current forward pass, and the dropout seed of each sequence.

    All adapted layers of a model share one layout. ``grouped`` forces or forbids grouped matrix products; with None,
    each call uses them if they are faster than a loop.
    """

    spans: list[Span] = field(default_factory=list)
    noise: list[Span] = field(default_factory=list)
    dropout: bool = False
    grouped: bool | None = None
    _drawn: "tuple[int, dict[Any, torch.Tensor]]" = (-1, {})

    def set(self, row: PackedBatch | None, *, dropout: bool) -> None:
        """Use the layout of ``row`` from now on; None stands for the base without adapters."""
        self.spans = row.spans if row else []
        self.noise, self.dropout, self._drawn = [], dropout, (-1, {})
        place = 0
        for piece in row.pieces if row else ():
            self.noise.append((place, place + piece.length, piece.seed))
            place += piece.length
        if row and len(row.pieces) == 1 and self.spans:
            # The only item owns all rows, even if its two answers are computed one after the other.
            self.spans, self.noise = [(self.spans[0][0], 0, _ALL)], [(0, _ALL, row.pieces[0].seed)]

    def within(self, count: int) -> list[Span]:
        """Return the spans, cut to ``count`` tokens."""
        return [(slot, start, min(stop, count)) for slot, start, stop in self.spans]

    def dropout_mask(self, number: int, rows: "torch.Tensor", start: int, probability: float) -> "torch.Tensor | None":
        """Return the dropout mask, ones and zeros of the shape of ``rows``; None without dropout.

        ``rows`` begin at row ``start`` of the batch. Each sequence draws its mask from its seed and the layer's
        ``number``, so the mask does not depend on the rest of the batch. Layers with the same number share a mask.
        """
        if not self.dropout or probability == 0:
            return None
        import torch

        if self._drawn[0] != number:
            self._drawn = (number, {})
        key = (start, rows.shape, probability)
        if key in self._drawn[1]:
            return self._drawn[1][key]
        # A GPU multiplies by a byte as fast as by a float; a CPU does not.
        mask = torch.empty_like(rows, dtype=torch.bool if rows.is_cuda else None)
        if not mask.is_meta:
            generator = torch.Generator(rows.device)
            for first, stop, seed in self.noise:
                if start <= first < start + len(rows):
                    generator.manual_seed((seed * 1_000_003 + number) % 2**63)
                    mask[first - start : stop - start].bernoulli_(1 - probability, generator=generator)
        self._drawn[1][key] = mask
        return mask


def init_lora_a(shape: tuple[int, ...], like: "torch.Tensor", generator: "torch.Generator") -> "nn.Parameter":
    """Return A in fp32, initialised as in PEFT, uniform by its input width, with the same numbers on every device."""
    import torch
    from torch import nn

    where = like.device if like.is_meta else torch.device("cpu")
    bound = 1 / math.sqrt(shape[-1])
    a = torch.empty(shape, dtype=torch.float32, device=where).uniform_(-bound, bound, generator=generator)
    return nn.Parameter(a.to(like.device))


def init_lora_b(shape: tuple[int, ...], like: "torch.Tensor") -> "nn.Parameter":
    """Return B in fp32, initialised with zeros, so that a new adapter changes nothing."""
    import torch
    from torch import nn

    return nn.Parameter(torch.zeros(shape, dtype=torch.float32, device=like.device))
