"""The layout of LoRA adapters in a forward pass: which rows are whose, their noise, and how their matrices begin."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weakspot.training.packing import Row

if TYPE_CHECKING:
    import torch
    from torch import nn

Span = tuple[int, int, int]
"""An adapter, and the first row and the end of those that are its."""

_ALL = 1 << 60


@dataclass
class Layout:
    """Which rows of the forward pass at work belong to which adapter, and the noise of each sequence.

    Every adapted layer of a model looks at the same one. ``grouped`` is None where each call decides for itself
    whether one grouped product is faster than a loop.
    """

    spans: list[Span] = field(default_factory=list)
    noise: list[Span] = field(default_factory=list)
    dropout: bool = False
    grouped: bool | None = None
    _drawn: "tuple[int, dict[Any, torch.Tensor]]" = (-1, {})

    def set(self, row: Row | None, *, dropout: bool) -> None:
        """Take over the layout of ``row``; None is the base alone."""
        self.spans = row.spans if row else []
        self.noise, self.dropout, self._drawn = [], dropout, (-1, {})
        place = 0
        for piece in row.pieces if row else ():
            self.noise.append((place, place + piece.length, piece.seed))
            place += piece.length
        if row and len(row.pieces) == 1 and self.spans:
            # Alone in a row: all rows are its own, also where its two answers are asked one after the other.
            self.spans, self.noise = [(self.spans[0][0], 0, _ALL)], [(0, _ALL, row.pieces[0].seed)]

    def within(self, count: int) -> list[Span]:
        """Return the spans of a row of ``count`` tokens."""
        return [(slot, start, min(stop, count)) for slot, start, stop in self.spans]

    def kept(self, number: int, rows: "torch.Tensor", start: int, probability: float) -> "torch.Tensor | None":
        """Return which inputs dropout keeps, as ones and zeros of the shape of ``rows``; None where all.

        ``rows`` are those from ``start`` on. Each sequence draws its own from its seed and the layer's ``number``, so
        its noise does not depend on what else is in the row. Layers of one number share it.
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


def drawn(shape: tuple[int, ...], like: "torch.Tensor", generator: "torch.Generator") -> "nn.Parameter":
    """Return A as PEFT draws it, uniform by the width of its input, in fp32: the same numbers on every device."""
    import torch
    from torch import nn

    where = like.device if like.is_meta else torch.device("cpu")
    bound = 1 / math.sqrt(shape[-1])
    a = torch.empty(shape, dtype=torch.float32, device=where).uniform_(-bound, bound, generator=generator)
    return nn.Parameter(a.to(like.device))


def zeros(shape: tuple[int, ...], like: "torch.Tensor") -> "nn.Parameter":
    """Return B as it begins, in fp32: an adapter changes nothing yet."""
    import torch
    from torch import nn

    return nn.Parameter(torch.zeros(shape, dtype=torch.float32, device=like.device))
