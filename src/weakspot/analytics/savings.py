"""What the adapters saved: how often the expert was needed, what that cost, and what each release changed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from weakspot.analytics.release_effects import Effect, Effects
from weakspot.analytics.usage import Figures, Log, Period, Source, Tally, beginning
from weakspot.config import Config
from weakspot.deployment import releases
from weakspot.evaluation import gate
from weakspot.models import adapters
from weakspot.records import Release, Row
from weakspot.workspace import AdapterName, Workspace


@dataclass(frozen=True)
class Wins:
    """How an adapter did against the base on its test examples, by the metric that the gate decided by.

    Rows that were neither won nor lost are alike: with exact match both right, or both wrong.
    """

    adapter: str
    metric: str
    rows: int
    won: int
    lost: int


@dataclass(frozen=True)
class DomainEconomics:
    """One domain: in all, by the first day of each period in which something was asked, and its live adapter."""

    domain: str
    total: Figures
    over_time: dict[str, Figures]
    wins: Wins | None


@dataclass(frozen=True)
class Economics:
    """What was asked and spent. ``source`` raw: from the captured interactions alone, which do not tell the rate.

    ``wins`` has the adapter of each release, by the release's number. ``unreadable`` lines were passed over.
    """

    source: Source
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
    """Return what was asked and spent since a day in UTC, by domain and period, and what each release changed.

    What was asked is read once, however much it is; what is kept of it grows with domains and periods only. For wins
    the weights of each adapter are read, to know that its ``scorecards`` are of them; :func:`line` needs none.
    """
    known, log = releases.read_releases(workspace), Log(workspace, config)
    effects = Effects(known)
    tallies: defaultdict[str, defaultdict[date, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for event in log:
        if since is None or beginning(event.moment, "day") >= since:
            tallies[event.domain][beginning(event.moment, period)].add(event)
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
    # Where two targets have two, the later release counts.
    latest = sorted(releases.live(known).values(), key=lambda one: one.number)
    wins = _wins(workspace, [*latest, *(one.release for one in shown)]) if scorecards else {}
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


def _total(tallies: Mapping[date, Tally], source: Source) -> Figures:
    whole = Tally()
    for tally in tallies.values():
        whole.take_in(tally)
    return whole.figures(source)


def _over_time(tallies: Mapping[date, Tally], source: Source) -> dict[str, Figures]:
    return {start.isoformat(): tallies[start].figures(source) for start in sorted(tallies)}


def _wins(workspace: Workspace, known: Sequence[Release]) -> dict[int, Wins]:
    """Return how the adapter of each release did, by the release's number; none where it has no scorecard any more."""
    found = {adapter: _won(workspace, adapter) for adapter in {one.adapter for one in known if one.adapter}}
    return {one.number: wins for one in known if one.adapter and (wins := found[one.adapter])}


def _won(workspace: Workspace, adapter: str) -> Wins | None:
    card = adapters.read_scorecard(workspace, AdapterName.parsed(adapter))
    if card is None:
        return None
    others = {comparison.metric for comparison in card.harm}
    metric = card.comparisons[0].metric
    signs = [sign for row in card.rows if row.domain not in others for sign in _sign(row, metric)]
    return Wins(card.adapter, metric, len(signs), signs.count(1), signs.count(-1))


def _sign(row: Row, metric: str) -> list[int]:
    """Return 1 where the adapter beats the base on a row, -1 the other way round; nothing where it was not asked."""
    if metric != gate.EXACT:
        return [(row.adapter_loss < row.base_loss) - (row.adapter_loss > row.base_loss)]
    return [] if row.base_exact is None else [int(bool(row.adapter_exact)) - int(row.base_exact)]


def line(found: Economics) -> str:
    """Return one line: how often the expert was needed, what that cost, and what the latest release changed."""
    total = found.total
    if not total.consultations and not total.questions:
        return "nothing was asked yet"
    needed = f"{total.consultations} consultation{'' if total.consultations == 1 else 's'}"
    if total.rate is not None:
        rate = total.rate
        needed = (
            f"{total.consultations} of {total.questions} questions needed the expert "
            f"({rate.rate:.0%}, 95 % interval {rate.low:.0%} to {rate.high:.0%})"
        )
    cost = "" if total.cost_usd is None else f", {total.cost_usd:.2f} USD"
    unpriced = f", {total.unpriced} without a price" if total.unpriced else ""
    last = next((one for one in reversed(found.releases) if one.change is not None), None)
    return needed + cost + unpriced + (f"; {changed(last)}" if last else "")


def changed(effect: Effect) -> str:
    """Return what a release changed, as words that claim no more than the figures do."""
    release, other = effect.release, effect.beside if effect.release.share < 1 else effect.before
    if effect.after.rate is None or other.rate is None:
        return f"release {release.number} ({release.domain}): not enough was asked"
    chance = ", which may be chance" if effect.outcome == "undecided" else ""
    return f"release {release.number} ({release.domain}): {other.rate.rate:.0%} → {effect.after.rate.rate:.0%}{chance}"
