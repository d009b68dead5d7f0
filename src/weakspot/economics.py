"""What the adapters saved: how often the expert was needed, what that cost, and what each release changed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from weakspot import adapters, gate, releases
from weakspot.config import Config
from weakspot.effects import Effect, Effects
from weakspot.records import Release, Row
from weakspot.usage import Figures, Log, Period, Source, Tally, beginning
from weakspot.workspace import AdapterName, Workspace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#5b7fa6", "#b5713c", "#5a8f69", "#8b6ba8", "#a85c6b", "#7a7a7a")
_DAYS = {"day": 1, "week": 7, "month": 30}


@dataclass(frozen=True)
class Wins:
    """How the live adapter did against the base on its test examples, by the metric that the gate decided by.

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

    ``unreadable`` lines were passed over.
    """

    source: Source
    period: Period
    since: str | None
    total: Figures
    over_time: dict[str, Figures]
    domains: list[DomainEconomics]
    releases: list[Effect]
    unreadable: int


def economics(workspace: Workspace, config: Config, *, since: date | None = None, period: Period = "week") -> Economics:
    """Return what was asked and spent since a day in UTC, by domain and period, and what each release changed.

    What was asked is read once, however much it is; what is kept of it grows with domains and periods only.
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
    wins = _wins(workspace, known)
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
                wins.get(domain),
            )
            for domain in config.ordered({*tallies, *wins})
        ],
        releases=[
            one
            for one in effects.found(log.source)
            if since is None or datetime.fromisoformat(one.release.created).date() >= since
        ],
        unreadable=log.unreadable,
    )


def _total(tallies: Mapping[date, Tally], source: Source) -> Figures:
    whole = Tally()
    for tally in tallies.values():
        whole.take_in(tally)
    return whole.figures(source)


def _over_time(tallies: Mapping[date, Tally], source: Source) -> dict[str, Figures]:
    return {start.isoformat(): tallies[start].figures(source) for start in sorted(tallies)}


def _wins(workspace: Workspace, known: Sequence[Release]) -> dict[str, Wins]:
    """Return how each domain's live adapter did; where two targets have two, the later release counts."""
    found = {}
    for one in sorted(releases.live(known).values(), key=lambda one: one.number):
        name = AdapterName.parsed(one.adapter) if one.adapter else None
        card = adapters.read_scorecard(workspace, name) if name and workspace.evaluation(name).exists() else None
        if card is not None:
            others = {comparison.metric for comparison in card.harm}
            metric = card.comparisons[0].metric
            signs = [sign for row in card.rows if row.domain not in others for sign in _sign(row, metric)]
            found[one.domain] = Wins(card.adapter, metric, len(signs), signs.count(1), signs.count(-1))
    return found


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


def chart(found: Economics) -> str:
    """Return an SVG of the share of questions that needed the expert, by domain over time, the releases marked.

    A band is the 95 % interval. Where the share is unknown it shows how many consultations there were.
    """
    from matplotlib import dates
    from matplotlib.figure import Figure

    from weakspot.ui.charts import svg

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    most = sorted(found.domains, key=lambda one: -max(one.total.questions or 0, one.total.consultations))[
        : len(_COLOURS)
    ]
    colours = {one.domain: colour for one, colour in zip(most, _COLOURS, strict=False)}
    drawn = [_draw(axes, one, found, colours[one.domain]) for one in most]
    if not any(drawn):
        axes.text(0.5, 0.5, "nothing was asked yet", transform=axes.transAxes, ha="center", color="grey")
    else:
        _mark(axes, found, colours)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(axes.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    if found.source == "usage":
        axes.set(ylabel="questions that needed the expert, %", ylim=(0, None))
    else:
        axes.set(ylabel=f"consultations a {found.period}", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    return svg(figure)


def _draw(axes: "Axes", one: DomainEconomics, found: Economics, colour: str) -> bool:
    """Draw a domain's line through the middles of the periods; return whether there is anything in it."""
    half = timedelta(days=_DAYS[found.period] / 2)
    points = [
        (datetime.fromisoformat(start) + half, figures)
        for start, figures in one.over_time.items()
        if found.source == "raw" or figures.rate is not None
    ]
    if not points:
        return False
    moments = [moment for moment, _ in points]
    rates = [figures.rate for _, figures in points if figures.rate is not None]
    heights = [100 * rate.rate for rate in rates] or [figures.consultations for _, figures in points]
    axes.plot(moments, heights, "o-", color=colour, markersize=4, linewidth=1.5, label=one.domain)  # type: ignore[arg-type]
    if rates:
        lows, highs = [100 * rate.low for rate in rates], [100 * rate.high for rate in rates]
        axes.fill_between(moments, lows, highs, color=colour, alpha=0.12, linewidth=0)  # type: ignore[arg-type]
    return True


def _mark(axes: "Axes", found: Economics, colours: Mapping[str, str]) -> None:
    """Draw a dotted line for each release in its domain's colour, and above them the numbers of each day's."""
    days: defaultdict[date, list[Release]] = defaultdict(list)
    for effect in found.releases:
        days[beginning(datetime.fromisoformat(effect.release.created), "day")].append(effect.release)
    for day, made in days.items():
        moment = datetime.combine(day, datetime.min.time()) + timedelta(hours=12)
        for one in made:
            axes.axvline(moment, color=colours.get(one.domain, "grey"), linestyle=":", linewidth=1.2)  # type: ignore[arg-type]
        numbers = ", ".join(str(one.number) for one in made)
        place = {"xycoords": ("data", "axes fraction"), "xytext": (0, 3), "textcoords": "offset points"}
        axes.annotate(numbers, (moment, 1), **place, ha="center", fontsize=8, color="grey")  # type: ignore[arg-type]
    if days:
        axes.set_xlabel("dotted: releases, by number", color="grey", fontsize=8)
