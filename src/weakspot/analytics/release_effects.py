"""What a release changed: how often the expert was needed before it, by what it answered, and beside it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from weakspot.analytics.usage import Event, Figures, Interval, Source, Tally, difference
from weakspot.records import MULTI_DOMAIN, Release, Target

Outcome = Literal["fewer", "more", "undecided"]


@dataclass(frozen=True)
class Effect:
    """A release, and the figures around it.

    ``before`` and ``after`` reach to the releases next to it, of the same domain at the same target. Behind the
    gateway ``after`` is what the release itself answered, and ``beside`` what something else answered meanwhile, as
    with a canary; elsewhere nobody can tell, and all is ``after``. ``change`` is the rate of ``after`` less that of
    ``beside`` where the release got a share only, else of ``before``; with its 95 % interval, None where a rate is
    unknown. ``outcome`` is undecided where that interval holds zero.
    """

    release: Release
    before: Figures
    after: Figures
    beside: Figures
    change: Interval | None
    outcome: Outcome


@dataclass
class _Window:
    release: Release
    before: Tally = field(default_factory=Tally)
    after: Tally = field(default_factory=Tally)
    beside: Tally = field(default_factory=Tally)

    def answered(self, event: Event) -> bool:
        release = self.release
        return release.target != "gateway" or event.release == (release.number if release.adapter else None)

    def effect(self, source: Source) -> Effect:
        before, after, beside = (tally.figures(source) for tally in (self.before, self.after, self.beside))
        other = beside if self.release.share < 1 else before
        change = difference(other.rate, after.rate) if other.rate and after.rate else None
        outcome: Outcome = "undecided"
        if change is not None and not change.low <= 0 <= change.high:
            outcome = "fewer" if change.rate < 0 else "more"
        return Effect(self.release, before, after, beside, change, outcome)


class Effects:
    """Every release with its tallies, which events are added to in any order."""

    def __init__(self, releases: Sequence[Release]) -> None:
        self._lines: dict[tuple[str, Target], list[_Window]] = {}
        for one in releases:
            self._lines.setdefault((one.domain, one.target), []).append(_Window(one))
        self._times = {
            key: [datetime.fromisoformat(window.release.created) for window in line]
            for key, line in self._lines.items()
        }

    def add(self, event: Event) -> None:
        """Count an event where it belongs; a release for all domains answers in each of them."""
        for key, line in self._lines.items():
            if key[0] in (event.domain, MULTI_DOMAIN):
                place = bisect_right(self._times[key], event.moment)
                if place < len(line):
                    line[place].before.add(event)
                if place:
                    window = line[place - 1]
                    (window.after if window.answered(event) else window.beside).add(event)

    def found(self, source: Source) -> Iterator[Effect]:
        """Yield what came of each release, in the order of their numbers."""
        windows = [window for line in self._lines.values() for window in line]
        for window in sorted(windows, key=lambda window: window.release.number):
            yield window.effect(source)
