"""Sequences into forward passes: best fit, the longest first."""

from bisect import bisect_left, insort
from collections.abc import Sequence


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
