"""Escalation rate before a release, under it, and in parallel with it (canary)."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from weakspot.analytics.usage import EventSource, Figures, Interval, Tally, TallyEvent, difference
from weakspot.records import MULTI_DOMAIN, Release, Target

EffectOutcome = Literal["fewer", "more", "undecided"]


@dataclass(frozen=True)
class Effect:
    """A release and the figures around it.

    ``before`` covers the time since the previous release of the same domain and target, ``after`` the time until the
    next one. At the target gateway ``after`` counts only what this release answered, and ``beside`` what others
    answered in the same time (canary). At other targets this cannot be told apart: everything counts as ``after``.

    ``change`` is the rate of ``after`` minus that of ``beside`` for a canary, else minus that of ``before``; with its
    95 % interval, and None if a rate is unknown. ``outcome`` is undecided if this interval contains zero.
    """

    release: Release
    before: Figures
    after: Figures
    beside: Figures
    change: Interval | None
    outcome: EffectOutcome


@dataclass
class _Window:
    release: Release
    before: Tally = field(default_factory=Tally)
    after: Tally = field(default_factory=Tally)
    beside: Tally = field(default_factory=Tally)

    def is_by_release(self, event: TallyEvent) -> bool:
        release = self.release
        return release.target != "gateway" or event.release == (release.number if release.adapter else None)

    def effect(self, source: EventSource) -> Effect:
        before, after, beside = (tally.figures(source) for tally in (self.before, self.after, self.beside))
        other = beside if self.release.share < 1 else before
        change = difference(other.rate, after.rate) if other.rate and after.rate else None
        outcome: EffectOutcome = "undecided"
        if change is not None and not change.low <= 0 <= change.high:
            outcome = "fewer" if change.rate < 0 else "more"
        return Effect(self.release, before, after, beside, change, outcome)


class Effects:
    """The tallies of every release; events may be added in any order."""

    def __init__(self, releases: Sequence[Release]) -> None:
        self._lines: dict[tuple[str, Target], list[_Window]] = {}
        for one in releases:
            self._lines.setdefault((one.domain, one.target), []).append(_Window(one))
        self._times = {
            key: [datetime.fromisoformat(window.release.created) for window in line]
            for key, line in self._lines.items()
        }

    def add(self, event: TallyEvent) -> None:
        """Add an event to the releases it belongs to; a multi-domain release answers in every domain."""
        for key, line in self._lines.items():
            if key[0] in (event.domain, MULTI_DOMAIN):
                place = bisect_right(self._times[key], event.moment)
                if place < len(line):
                    line[place].before.add(event)
                if place:
                    window = line[place - 1]
                    (window.after if window.is_by_release(event) else window.beside).add(event)

    def found(self, source: EventSource) -> Iterator[Effect]:
        """Yield the effect of each release, in the order of their numbers."""
        windows = [window for line in self._lines.values() for window in line]
        for window in sorted(windows, key=lambda window: window.release.number):
            yield window.effect(source)
