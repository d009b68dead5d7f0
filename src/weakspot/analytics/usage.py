"""Usage counts: reads the gateway's log (or the captured interactions) once and adds up questions and consultations."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import ValidationError

from weakspot.config import Config
from weakspot.dataset.domains import detect_domain
from weakspot.records import UsageEvent
from weakspot.records.parsing import RecordError, parse_interaction_object, parse_json_object
from weakspot.storage import append_log
from weakspot.workspace import Workspace

Period = Literal["day", "week", "month"]
EventSource = Literal["usage", "raw"]

_Z = 1.959964  # the normal quantile of a two-sided 95 %


class TallyEvent(NamedTuple):
    """A question that was answered or, if ``consulted``, a consultation about one; None is unknown."""

    moment: datetime
    domain: str
    consulted: bool
    release: int | None = None
    seconds: float | None = None
    cost_usd: float | None = None


@dataclass(frozen=True)
class Interval:
    """A rate with its 95 % interval; all three are 0 to 1."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """Totals and means of a tally; None is unknown, never zero.

    ``rate`` is consultations divided by questions, capped at 1 (a question may be put to two teachers). ``cost_usd``
    is the sum of the known costs; ``unpriced`` counts the consultations whose cost is unknown. ``local_seconds`` and
    ``expert_seconds`` are the mean times of the local and of the expert's answers.
    """

    questions: int | None
    consultations: int
    rate: Interval | None
    cost_usd: float | None
    unpriced: int
    local_seconds: float | None
    expert_seconds: float | None


@dataclass
class Tally:
    """Running sums over events; its size does not grow with their number."""

    questions: int = 0
    consultations: int = 0
    priced: int = 0
    timed: int = 0
    cost_usd: float = 0.0
    local_seconds: float = 0.0
    expert_seconds: float = 0.0

    def add(self, event: TallyEvent) -> None:
        """Count one event."""
        if not event.consulted:
            self.questions += 1
            self.local_seconds += event.seconds or 0.0
            return
        self.consultations += 1
        if event.cost_usd is not None:
            self.priced += 1
            self.cost_usd += event.cost_usd
        if event.seconds is not None:
            self.timed += 1
            self.expert_seconds += event.seconds

    def take_in(self, other: "Tally") -> None:
        """Add the sums of another tally to this one."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def figures(self, source: EventSource = "usage") -> Figures:
        """Return totals and means; with the source "raw" the number of questions is unknown."""
        known = source == "usage"
        return Figures(
            questions=self.questions if known else None,
            consultations=self.consultations,
            rate=wilson_interval(min(self.consultations, self.questions), self.questions) if self.questions else None,
            cost_usd=self.cost_usd if self.priced or not self.consultations else None,
            unpriced=self.consultations - self.priced,
            local_seconds=self.local_seconds / self.questions if self.questions else None,
            expert_seconds=self.expert_seconds / self.timed if self.timed else None,
        )


def wilson_interval(count: int, of: int) -> Interval:
    """Return the rate ``count / of`` with Wilson's score interval (Wilson 1927); ``of`` is at least 1."""
    rate, z2 = count / of, _Z * _Z
    middle = (rate + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * math.sqrt(rate * (1 - rate) / of + z2 / (4 * of * of))
    # At both ends the formula gives 0 and 1 only up to rounding.
    low, high = (0.0 if count == 0 else middle - half), (1.0 if count == of else middle + half)
    return Interval(rate, low, high)


def difference(before: Interval, after: Interval) -> Interval:
    """Return ``after`` minus ``before`` (-1 to 1) with Newcombe's interval (1998, method 10, from Wilson's)."""
    change = after.rate - before.rate
    down = math.hypot(after.rate - after.low, before.high - before.rate)
    up = math.hypot(after.high - after.rate, before.rate - before.low)
    return Interval(change, change - down, change + up)


def period_start(moment: datetime, period: Period) -> date:
    """Return the first day (UTC) of the day, week or month that contains a moment; weeks begin on Mondays."""
    day = moment.astimezone(UTC).date()
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


class EventLog:
    """The events of a workspace, to be iterated once; ``unreadable`` counts the lines that could not be parsed.

    They come from the gateway's log. If there is no log, every captured interaction is one consultation; how many
    questions were asked in total is then unknown.
    """

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self._workspace, self._config = workspace, config
        self.source: EventSource = "usage" if workspace.usage.exists() else "raw"
        self.unreadable = 0

    def __iter__(self) -> Iterator[TallyEvent]:
        file, read = (
            (self._workspace.usage, self._parse_usage)
            if self.source == "usage"
            else (self._workspace.raw, self._parse_interaction)
        )
        for line in append_log.read_lines(file):
            try:
                event = read(line.data)
            except (ValidationError, RecordError, ValueError):  # usually what a killed writer left
                self.unreadable += 1
            else:
                yield event

    @staticmethod
    def _parse_usage(data: bytes) -> TallyEvent:
        use = UsageEvent.from_json(data)
        moment = datetime.fromisoformat(use.timestamp)
        if moment.tzinfo is None:
            raise ValueError(use.timestamp)
        return TallyEvent(moment, use.domain, use.consulted, use.release, use.seconds, use.cost_usd)

    def _parse_interaction(self, data: bytes) -> TallyEvent:
        found = parse_interaction_object(parse_json_object(data), whole=False)
        metadata, paid = found.metadata, found.metadata.consultation
        return TallyEvent(
            moment=datetime.fromisoformat(metadata.timestamp),
            domain=metadata.domain or detect_domain(found, self._config).domain,
            consulted=True,
            seconds=paid.seconds if paid else None,
            cost_usd=paid.cost_usd if paid else None,
        )
