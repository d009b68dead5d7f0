"""What was asked of whom: uses read once, from the gateway's log or from what was captured, and tallied."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import ValidationError

from weakspot.config import Config
from weakspot.dataset.domains import detected
from weakspot.records import Use
from weakspot.records.parsing import RecordError, interaction, parse_json_object
from weakspot.storage import append_log
from weakspot.workspace import Workspace

Period = Literal["day", "week", "month"]
Source = Literal["usage", "raw"]

_Z = 1.959964  # the normal quantile of a two-sided 95 %


class Event(NamedTuple):
    """A question that was answered, or, where ``consulted``, a consultation about one; None is unknown."""

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
    """What a tally says; None is unknown, never zero.

    ``rate`` is consultations by questions, at most 1: a question about which two teachers were asked counts twice.
    ``cost_usd`` is what is known of the cost, ``unpriced`` counts the consultations of which it is not. The seconds
    are means, of the local model's answers and of the expert's.
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
    """Sums over events, of the same size however many they are."""

    questions: int = 0
    consultations: int = 0
    priced: int = 0
    timed: int = 0
    cost_usd: float = 0.0
    local_seconds: float = 0.0
    expert_seconds: float = 0.0

    def add(self, event: Event) -> None:
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
        """Count everything that another tally counted."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def figures(self, source: Source = "usage") -> Figures:
        """Return what the sums say; what was captured alone does not say how much was asked."""
        known = source == "usage"
        return Figures(
            questions=self.questions if known else None,
            consultations=self.consultations,
            rate=wilson(min(self.consultations, self.questions), self.questions) if self.questions else None,
            cost_usd=self.cost_usd if self.priced or not self.consultations else None,
            unpriced=self.consultations - self.priced,
            local_seconds=self.local_seconds / self.questions if self.questions else None,
            expert_seconds=self.expert_seconds / self.timed if self.timed else None,
        )


def wilson(count: int, of: int) -> Interval:
    """Return the rate ``count / of`` with Wilson's score interval (Wilson 1927); ``of`` is at least 1."""
    rate, z2 = count / of, _Z * _Z
    middle = (rate + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * math.sqrt(rate * (1 - rate) / of + z2 / (4 * of * of))
    # At the ends the formula gives 0 and 1 but for the last digit.
    low, high = (0.0 if count == 0 else middle - half), (1.0 if count == of else middle + half)
    return Interval(rate, low, high)


def difference(before: Interval, after: Interval) -> Interval:
    """Return how much a rate changed, -1 to 1, with Newcombe's interval (1998, method 10: of two Wilson intervals)."""
    change = after.rate - before.rate
    down = math.hypot(after.rate - after.low, before.high - before.rate)
    up = math.hypot(after.high - after.rate, before.rate - before.low)
    return Interval(change, change - down, change + up)


def beginning(moment: datetime, period: Period) -> date:
    """Return the first day, in UTC, of the day, the week or the month that a moment is in; weeks begin on Mondays."""
    day = moment.astimezone(UTC).date()
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


class Log:
    """The events of a workspace, to be read once; ``unreadable`` counts the lines that are none.

    They come from the gateway's log. Where there is none they are the captured interactions, each of them a
    consultation: what was asked besides is unknown then.
    """

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self._workspace, self._config = workspace, config
        self.source: Source = "usage" if workspace.usage.exists() else "raw"
        self.unreadable = 0

    def __iter__(self) -> Iterator[Event]:
        file, read = (
            (self._workspace.usage, self._used) if self.source == "usage" else (self._workspace.raw, self._captured)
        )
        for line in append_log.read_lines(file):
            try:
                event = read(line.data)
            except (ValidationError, RecordError, ValueError):  # what a killed writer left, as a rule
                self.unreadable += 1
            else:
                yield event

    @staticmethod
    def _used(data: bytes) -> Event:
        use = Use.from_json(data)
        moment = datetime.fromisoformat(use.timestamp)
        if moment.tzinfo is None:
            raise ValueError(use.timestamp)
        return Event(moment, use.domain, use.consulted, use.release, use.seconds, use.cost_usd)

    def _captured(self, data: bytes) -> Event:
        found = interaction(parse_json_object(data), whole=False)
        metadata, paid = found.metadata, found.metadata.consultation
        return Event(
            moment=datetime.fromisoformat(metadata.timestamp),
            domain=metadata.domain or detected(found, self._config).domain,
            consulted=True,
            seconds=paid.seconds if paid else None,
            cost_usd=paid.cost_usd if paid else None,
        )
