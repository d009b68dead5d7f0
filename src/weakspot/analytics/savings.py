"""Savings by the adapters: how often the expert was needed, the cost, and the effect of each release."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from weakspot.analytics.release_effects import Effect, Effects
from weakspot.analytics.usage import EventLog, EventSource, Figures, Period, Tally, period_start
from weakspot.config import Config
from weakspot.deployment import releases
from weakspot.evaluation import gate
from weakspot.models import adapters
from weakspot.records import Release, ScoredExample
from weakspot.workspace import AdapterName, Workspace


@dataclass(frozen=True)
class Wins:
    """Adapter against base on the test examples, by the metric that decided the verdict.

    Of ``rows`` examples ``won`` and ``lost`` were better or worse with the adapter; the rest are ties (with exact
    match: both right, or both wrong).
    """

    adapter: str
    metric: str
    rows: int
    won: int
    lost: int


@dataclass(frozen=True)
class DomainEconomics:
    """One domain: its total, its figures by the first day of each period, and the test results of its live adapter.

    A period in which nothing was asked is left out.
    """

    domain: str
    total: Figures
    over_time: dict[str, Figures]
    wins: Wins | None


@dataclass(frozen=True)
class Economics:
    """Questions, consultations and cost of a workspace.

    If ``source`` is "raw", only captured interactions were available and the rate is unknown. ``wins`` has the test
    results of each release's adapter, by the release's number. ``unreadable`` lines were skipped.
    """

    source: EventSource
    period: Period
    since: str | None
    total: Figures
    over_time: dict[str, Figures]
    domains: list[DomainEconomics]
    releases: list[Effect]
    wins: dict[int, Wins]
    unreadable: int


def economics(
    workspace: Workspace,
    config: Config,
    *,
    since: date | None = None,
    period: Period = "week",
    scorecards: bool = True,
) -> Economics:
    """Return questions and cost since a day in UTC, by domain and period, and the effect of each release.

    The log is read once, line by line; memory grows with the number of domains and periods only. With ``scorecards``
    the test results of each adapter are read too, which hashes its weights; the summary in one line does not need them.
    """
    known, log = releases.read_releases(workspace), EventLog(workspace, config)
    effects = Effects(known)
    tallies: defaultdict[str, defaultdict[date, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for event in log:
        if since is None or period_start(event.moment, "day") >= since:
            tallies[event.domain][period_start(event.moment, period)].add(event)
            effects.add(event)
    everything: defaultdict[date, Tally] = defaultdict(Tally)
    for over_time in tallies.values():
        for start, tally in over_time.items():
            everything[start].take_in(tally)
    shown = [
        one
        for one in effects.found(log.source)
        if since is None or datetime.fromisoformat(one.release.created).date() >= since
    ]
    # If two targets have different adapters live, the later release counts.
    latest = sorted(releases.live(known).values(), key=lambda one: one.number)
    wins = _wins_by_release(workspace, [*latest, *(one.release for one in shown)]) if scorecards else {}
    live = {one.domain: wins[one.number] for one in latest if one.number in wins}
    return Economics(
        source=log.source,
        period=period,
        since=since.isoformat() if since else None,
        total=_total(everything, log.source),
        over_time=_over_time(everything, log.source),
        domains=[
            DomainEconomics(
                domain,
                _total(tallies[domain], log.source),
                _over_time(tallies[domain], log.source),
                live.get(domain),
            )
            for domain in config.ordered({*tallies, *live})
        ],
        releases=shown,
        wins={one.release.number: wins[one.release.number] for one in shown if one.release.number in wins},
        unreadable=log.unreadable,
    )


def _total(tallies: Mapping[date, Tally], source: EventSource) -> Figures:
    whole = Tally()
    for tally in tallies.values():
        whole.take_in(tally)
    return whole.figures(source)


def _over_time(tallies: Mapping[date, Tally], source: EventSource) -> dict[str, Figures]:
    return {start.isoformat(): tallies[start].figures(source) for start in sorted(tallies)}


def _wins_by_release(workspace: Workspace, known: Sequence[Release]) -> dict[int, Wins]:
    """Return each release's test results by its number, without those whose adapter has no scorecard."""
    found = {adapter: _count_wins(workspace, adapter) for adapter in {one.adapter for one in known if one.adapter}}
    return {one.number: wins for one in known if one.adapter and (wins := found[one.adapter])}


def _count_wins(workspace: Workspace, adapter: str) -> Wins | None:
    card = adapters.read_scorecard(workspace, AdapterName.parse(adapter))
    if card is None:
        return None
    others = {comparison.metric for comparison in card.harm}
    metric = card.comparisons[0].metric
    signs = [sign for row in card.rows if row.domain not in others for sign in _sign(row, metric)]
    return Wins(card.adapter, metric, len(signs), signs.count(1), signs.count(-1))


def _sign(row: ScoredExample, metric: str) -> list[int]:
    """Return [1] if the adapter beats the base, [-1] if it loses, [0] for a tie; [] if exact match does not apply."""
    if metric != gate.EXACT:
        return [(row.adapter_loss < row.base_loss) - (row.adapter_loss > row.base_loss)]
    return [] if row.base_exact is None else [int(bool(row.adapter_exact)) - int(row.base_exact)]


def format_summary(found: Economics) -> str:
    """Return a summary in one line: how often the expert was needed, the cost, and the effect of the latest release."""
    total = found.total
    if not total.consultations and not total.questions:
        return "nothing was asked yet"
    needed = f"{total.consultations} consultation{'' if total.consultations == 1 else 's'}"
    if total.questions and total.consultations > total.questions:
        needed += f" for {total.questions} question{'' if total.questions == 1 else 's'}"
    elif total.rate is not None:
        rate = total.rate
        needed = (
            f"{total.consultations} of {total.questions} questions needed the expert "
            f"({rate.rate:.0%}, 95 % interval {rate.low:.0%} to {rate.high:.0%})"
        )
    cost = "" if total.cost_usd is None else f", {total.cost_usd:.2f} USD"
    unpriced = f", {total.unpriced} without a price" if total.unpriced else ""
    last = next((one for one in reversed(found.releases) if one.change is not None), None)
    return needed + cost + unpriced + (f"; {format_change(last)}" if last else "")


def format_change(effect: Effect) -> str:
    """Return the effect of a release as a phrase, marked as possible chance if the figures do not decide it."""
    release, other = effect.release, effect.beside if effect.release.share < 1 else effect.before
    if effect.after.rate is None or other.rate is None:
        return f"release {release.number} ({release.domain}): too few questions to tell"
    chance = ", which may be chance" if effect.outcome == "undecided" else ""
    return f"release {release.number} ({release.domain}): {other.rate.rate:.0%} → {effect.after.rate.rate:.0%}{chance}"
