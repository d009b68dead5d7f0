"""Several sequences end to end in one row: nothing is padded, and what belongs to whom is written down."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from weakspot.models.packed_attention import Segment
from weakspot.models.tokenization import Tokens

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Piece:
    """A sequence, or an expert's and a local answer to one prompt, for one adapter.

    ``slot`` is the adapter, None where the base alone is asked; ``seed`` is of its noise. Only the first answer is
    looked at where the other is not ``paired``.
    """

    tokens: Tokens
    slot: int | None = None
    seed: int = 0
    paired: bool = False

    @property
    def length(self) -> int:
        """The tokens that it takes in a row; a prompt of two answers counts once."""
        return len(self.tokens.ids) + (len(self.tokens.rejected) if self.paired else 0)

    def sides(self) -> "tuple[Piece, Piece]":
        """Return the two answers of a pair, each behind the prompt."""
        own, tokens = replace(self, paired=False), self.tokens
        other = replace(tokens, ids=(*tokens.ids[: tokens.start], *tokens.rejected), rejected=())
        return own, replace(own, tokens=other)


@dataclass(frozen=True)
class Row:
    """Pieces laid end to end: ids and positions ``[tokens]``, and the rows that predict supervised tokens.

    ``kept`` are the rows whose next token is under loss, ``targets`` these tokens, and ``counts`` how many belong to
    each answer: one entry for a piece, two for a paired one.
    """

    pieces: list[Piece]
    ids: "torch.Tensor"
    positions: "torch.Tensor"
    kept: "torch.Tensor"
    targets: "torch.Tensor"
    segments: list[Segment] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, pieces: Sequence[Piece], device: "torch.device | str") -> "Row":
        """Lay ``pieces`` end to end, those of one adapter next to each other."""
        import torch

        ordered = sorted(pieces, key=lambda piece: -1 if piece.slot is None else piece.slot)
        ids: list[int] = []
        positions: list[int] = []
        kept: list[int] = []
        targets: list[int] = []
        segments, counts = [], []
        for piece in ordered:
            tokens, begin = piece.tokens, len(ids)
            ids += tokens.ids
            positions += range(len(tokens.ids))
            kept += range(begin + tokens.start - 1, len(ids) - 1)
            targets += tokens.ids[tokens.start :]
            segments.append(Segment(begin, len(ids)))
            counts.append(tokens.supervised)
            if piece.paired:
                second = len(ids)
                ids += tokens.rejected
                positions += range(tokens.start, tokens.start + len(tokens.rejected))
                kept += [begin + tokens.start - 1, *range(second, len(ids) - 1)]
                targets += tokens.rejected
                segments.append(Segment(second, len(ids), begin, tokens.start))
                counts.append(len(tokens.rejected))

        def tensor(values: list[int]) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.long, device=device)

        return cls(ordered, tensor(ids), tensor(positions), tensor(kept), tensor(targets), segments, counts)

    @property
    def spans(self) -> list[tuple[int, int, int]]:
        """Adapter, first token and end of each run of tokens that an adapter owns."""
        found: list[tuple[int, int, int]] = []
        place = 0
        for piece in self.pieces:
            if piece.slot is not None:
                if found and found[-1][0] == piece.slot:
                    found[-1] = (piece.slot, found[-1][1], place + piece.length)
                else:
                    found.append((piece.slot, place, place + piece.length))
            place += piece.length
        return found


def packed(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return the indices of ``lengths`` in bins whose sums are at most ``budget``; what is longer is alone.

    Best-fit decreasing: each goes into the fullest bin that has room for it. It needs at most 11/9 of the fewest bins
    possible, and one (Johnson, 1973). The same lengths give the same bins.
    """
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for index in sorted(range(len(lengths)), key=lambda n: (-lengths[n], n)):
        length = lengths[index]
        place = bisect_left(room, (length, -1))
        if place == len(room):
            bins.append([index])
            insort(room, (budget - length, len(bins) - 1))
        else:
            left, number = room.pop(place)
            bins[number].append(index)
            insort(room, (left - length, number))
    return bins
