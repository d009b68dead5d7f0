"""Chart of the savings by domain over time, with each release marked."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from weakspot.analytics.release_effects import Effect
from weakspot.analytics.savings import DomainEconomics, Economics
from weakspot.analytics.usage import Figures, period_start
from weakspot.ui.charts import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#5b7fa6", "#b5713c", "#5a8f69", "#8b6ba8", "#a85c6b", "#7a7a7a")
_DAYS = {"day": 1, "week": 7, "month": 30}


def chart(found: Economics) -> str:
    """Return an SVG of panels one above the other; a panel without data is left out.

    The panels show the share of questions that needed the expert, with its 95 % interval, or the number of
    consultations where the share is unknown; the cost; the seconds to answer of the local model and, dashed, of the
    expert; and the share of its test examples that the adapter of each release wins against the base.
    """
    from matplotlib import dates
    from matplotlib.figure import Figure

    most = sorted(found.domains, key=lambda one: -max(one.total.questions or 0, one.total.consultations))
    domains = list(zip(most, _COLOURS, strict=False))
    figure = Figure(figsize=(9, 8), layout="constrained")
    rows: list[Axes] = list(figure.subplots(4, 1, sharex=True, height_ratios=(2, 1, 1, 1)))
    left = []
    for axes, draw in zip(rows, (_draw_rate, _draw_cost, _draw_seconds, _draw_wins), strict=True):
        drawn = [draw(axes, one, found, colour) for one, colour in domains]
        if any(drawn):
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_ylim(0, None)
            left.append(axes)
        else:
            axes.remove()
    if not left:
        figure.text(0.5, 0.5, "nothing was asked yet", ha="center", color="grey")
        return svg(figure)
    _mark_releases(left, found, {one.domain: colour for one, colour in domains})
    figure.set_figheight(2 + 1.6 * len(left))
    places = figure.add_gridspec(len(left), 1, height_ratios=[2, *[1] * (len(left) - 1)])
    for row, axes in enumerate(left):
        axes.set_subplotspec(places[row, 0])
    figure.align_ylabels(left)
    left[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(left[-1].xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
    left[-1].tick_params(labelbottom=True)
    left[0].legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return svg(figure)


def _draw_rate(axes: "Axes", one: DomainEconomics, found: Economics, colour: str) -> bool:
    if found.source == "raw":
        axes.set_ylabel(f"consultations a {found.period}")
        return _draw_line(axes, one, found, lambda figures: figures.consultations, color=colour, label=one.domain)
    axes.set_ylabel("needed the expert, %")
    rates = [(start, figures.rate) for start, figures in one.over_time.items() if figures.rate is not None]
    moments = [_middle(start, found) for start, _ in rates]
    lows, highs = [100 * rate.low for _, rate in rates], [100 * rate.high for _, rate in rates]
    axes.fill_between(moments, lows, highs, color=colour, alpha=0.12, linewidth=0)  # type: ignore[arg-type]
    return _draw_line(axes, one, found, _percent, color=colour, label=one.domain)


def _percent(figures: Figures) -> float | None:
    return None if figures.rate is None else 100 * figures.rate.rate


def _draw_cost(axes: "Axes", one: DomainEconomics, found: Economics, colour: str) -> bool:
    axes.set_ylabel(f"USD a {found.period}")
    return any(figures.cost_usd for figures in one.over_time.values()) and _draw_line(
        axes, one, found, lambda figures: figures.cost_usd, color=colour
    )


def _draw_seconds(axes: "Axes", one: DomainEconomics, found: Economics, colour: str) -> bool:
    axes.set_ylabel("seconds to answer")
    own = _draw_line(axes, one, found, lambda figures: figures.local_seconds, color=colour)
    return _draw_line(axes, one, found, lambda figures: figures.expert_seconds, color=colour, linestyle="--") or own


def _draw_wins(axes: "Axes", one: DomainEconomics, found: Economics, colour: str) -> bool:
    axes.set(ylabel="better than base, %", ylim=(0, 105))
    wins = [
        (_day(effect), 100 * won.won / won.rows)
        for effect in found.releases
        if effect.release.domain == one.domain and (won := found.wins.get(effect.release.number)) and won.rows
    ]
    axes.plot([moment for moment, _ in wins], [share for _, share in wins], "o", color=colour, markersize=5)  # type: ignore[arg-type]
    return bool(wins)


def _draw_line(
    axes: "Axes",
    one: DomainEconomics,
    found: Economics,
    value: Callable[[Figures], float | None],
    **style: Any,
) -> bool:
    """Draw a domain's line through the middles of the periods; return whether there is anything in it."""
    known = [(start, at) for start, figures in one.over_time.items() if (at := value(figures)) is not None]
    if known:
        moments = [_middle(start, found) for start, _ in known]
        axes.plot(moments, [at for _, at in known], marker="o", markersize=4, linewidth=1.5, **style)  # type: ignore[arg-type]
    return bool(known)


def _middle(start: str, found: Economics) -> datetime:
    return datetime.fromisoformat(start) + timedelta(days=_DAYS[found.period] / 2)


def _mark_releases(rows: "Sequence[Axes]", found: Economics, colours: dict[str, str]) -> None:
    """Draw a dotted line for each release in its domain's colour, and its number above; one label per day."""
    days: defaultdict[datetime, list[int]] = defaultdict(list)
    for effect in found.releases:
        day, colour = _day(effect), colours.get(effect.release.domain, "grey")
        days[day].append(effect.release.number)
        for axes in rows:
            axes.axvline(day, color=colour, linestyle=":", linewidth=1.2)  # type: ignore[arg-type]
    for day, numbers in days.items():
        place = {"xycoords": ("data", "axes fraction"), "xytext": (0, 3), "textcoords": "offset points"}
        text = ", ".join(map(str, numbers))
        rows[0].annotate(text, (day, 1), **place, ha="center", fontsize=8, color="grey")  # type: ignore[arg-type]
    rows[-1].set_xlabel("dotted: releases, by number; dashed: the expert", color="grey", fontsize=8)


def _day(effect: Effect) -> datetime:
    """Return the noon of the day that a release was made on."""
    return datetime.combine(period_start(datetime.fromisoformat(effect.release.created), "day"), time(12))
