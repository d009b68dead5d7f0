"""Sequence packing: lays sequences end to end in one batch without padding, and records where each of them is."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from weakspot.models.packed_attention import Segment
from weakspot.models.tokenization import Tokens

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PackedItem:
    """One sequence for one adapter, or a pair: the expert's and a local answer to the same prompt.

    ``slot`` is the adapter, None for the base alone; ``seed`` is the seed of its dropout. Unless ``paired`` is true,
    the rejected answer is ignored.
    """

    tokens: Tokens
    slot: int | None = None
    seed: int = 0
    paired: bool = False

    @property
    def length(self) -> int:
        """Its number of tokens in a batch; the shared prompt of a pair counts once."""
        return len(self.tokens.ids) + (len(self.tokens.rejected) if self.paired else 0)

    def sides(self) -> "tuple[PackedItem, PackedItem]":
        """Split a pair into two items, each with the prompt and one of the answers."""
        own, tokens = replace(self, paired=False), self.tokens
        other = replace(tokens, ids=(*tokens.ids[: tokens.start], *tokens.rejected), rejected=())
        return own, replace(own, tokens=other)


@dataclass(frozen=True)
class PackedBatch:
    """Items laid end to end: ids and positions ``[tokens]``, and the supervised tokens.

    ``kept`` are the indices whose next token is under loss, ``targets`` these tokens, and ``counts`` their number for
    each answer: one entry for an item, two for a pair.
    """

    pieces: list[PackedItem]
    ids: "torch.Tensor"
    positions: "torch.Tensor"
    kept: "torch.Tensor"
    targets: "torch.Tensor"
    segments: list[Segment] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, pieces: Sequence[PackedItem], device: "torch.device | str") -> "PackedBatch":
        """Lay ``pieces`` end to end; items of one adapter are adjacent."""
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
        """Slot, first token and end of each run of tokens of one adapter."""
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


def pack_into_bins(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return the indices of ``lengths`` in bins with sums of at most ``budget``; a longer sequence is alone in a bin.

    Best-fit decreasing: each length, the longest first, goes into the fullest bin that has room for it. It needs at
    most 11/9 of the fewest possible bins, plus one (Johnson, 1973). The same lengths give the same bins.
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
