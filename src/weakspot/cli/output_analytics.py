"""What economics, replay and trace look like on a terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from weakspot.cli.output import line
from zddc.console import out, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weakspot.analytics.interaction_lineage import Whereabouts
    from weakspot.analytics.lineage import Trace
    from weakspot.analytics.release_effects import Effect
    from weakspot.analytics.savings import Economics, Wins
    from weakspot.analytics.usage import Figures, Interval
    from weakspot.evaluation.replay import Count, Replay

_PERIODS = 12
_SHOWN_CHARACTERS = 60


def economics(found: "Economics", chart: Path | None) -> None:
    """The figures by domain and over time, what each release changed, and the summary."""
    from weakspot.analytics import savings as noun

    columns = ("questions", "consultations", "needed the expert", "cost, USD", "unpriced", "local, s", "expert, s")
    rows = table("domain", *columns, "adapter against base")
    for one in found.domains:
        rows.add_row(one.domain, *_cells(one.total), _wins(one.wins))
    if len(found.domains) > 1:
        rows.add_row("all", *_cells(found.total), "")
    if found.domains:
        out.print(rows)
    if len(found.over_time) > 1:
        rows = table(f"{found.period} of", *columns)
        for start, figures in list(found.over_time.items())[-_PERIODS:]:
            rows.add_row(start, *_cells(figures))
        out.print(rows)
    if found.releases:
        rows = table("release", "when", "domain", "target", "adapter", "before", "after", "beside", "needed")
        for effect in found.releases:
            rows.add_row(*_effect(effect))
        out.print(rows)
    if found.source == "raw" and found.total.consultations:
        line("no question went through the gateway: these are the captured consultations, and the rate is unknown")
    if found.unreadable:
        line(f"{found.unreadable} unreadable lines were passed over")
    line(noun.line(found))
    if chart is not None:
        line(f"wrote {chart}")


def _cells(figures: "Figures") -> tuple[str, ...]:
    return (
        _known(figures.questions),
        str(figures.consultations),
        _rate(figures.rate),
        _known(figures.cost_usd, ".2f"),
        str(figures.unpriced),
        _known(figures.local_seconds, ".1f"),
        _known(figures.expert_seconds, ".1f"),
    )


def _known(value: float | None, form: str = "") -> str:
    return "unknown" if value is None else format(value, form)


def _rate(rate: "Interval | None") -> str:
    return "unknown" if rate is None else f"{rate.rate:.1%} ({rate.low:.1%} … {rate.high:.1%})"


def _wins(wins: "Wins | None") -> str:
    return (
        "" if wins is None else f"{wins.adapter}: {wins.won} of {wins.rows} better, {wins.lost} worse, by {wins.metric}"
    )


def _effect(effect: "Effect") -> tuple[str, ...]:
    one = effect.release
    change = "" if effect.change is None else f"{100 * effect.change.rate:+.1f} points, "
    return (
        f"{one.number} {one.action}",
        one.created[:16].replace("T", " "),
        one.domain,
        one.target + ("" if one.share == 1 else f" {one.share:.0%}"),
        one.adapter or "the base",
        _rate(effect.before.rate),
        _rate(effect.after.rate),
        _rate(effect.beside.rate) if effect.beside.questions else "",
        change + effect.outcome,
    )


def replay(done: "Replay") -> None:
    """How many escalations would no longer need the expert, the unseen ones first, and who says so."""
    line(f"{done.adapter} on {done.base}")
    _counted("unseen", done.unseen)
    _counted("seen in training", done.seen)
    if done.left_out:
        line(f"{done.left_out} do not fit into the model: raise [train] max_length")
    if done.cost_usd is None:
        line("what the judge cost is unknown: it has no prices")
    elif done.cost_usd:
        line(f"the judge cost {done.cost_usd:.2f} USD")


def _counted(which: str, count: "Count") -> None:
    if not count.escalations:
        line(f"{which:16} none")
        return
    teachers = ", ".join(count.teachers)
    judges = ", ".join(f"{number} by {judge}" for judge, number in count.judges.items())
    line(f"{which:16} {count.resolved} of {count.escalations} would no longer need {teachers}; judged {judges}")
    if count.base_right:
        line(f"{'':16} of those the base answers {count.base_right} right as well")
    if count.undecided:
        line(f"{'':16} {count.undecided} undecided: --judge TEACHER may tell")


def trace(found: "Trace") -> None:
    """The way back, link by link, then the interactions."""
    release = found.release
    service = "not in service"
    if release is not None:
        service = (
            f"release {release.number} for {release.domain} at {release.target}, {release.created}, by {release.who}"
        )
    line(f"release   {service}")
    line(f"adapter   {found.adapter} on {found.base}, trained {found.trained}")
    line(f"weights   sha256 {found.adapter_sha256}, verified")
    line(f"verdict   {found.verdict or 'never evaluated'}" + (f": {found.reasons[0]}" if found.reasons else ""))
    line(f"snapshot  {found.snapshot}, verified: {found.examples} interactions taught it")
    rows = table("interaction", "similarity", "raw line", "teacher", "when", "query")
    for one in found.taught:
        words = "(forgotten)" if one.forgotten else " ".join(one.query.split())[:_SHOWN_CHARACTERS]
        alike = "" if one.similarity is None else f"{one.similarity:.2f} of the {one.alike}"
        raw_line = "gone" if one.raw_line is None else str(one.raw_line)
        rows.add_row(Text(one.interaction_id), alike, raw_line, Text(one.teacher), one.timestamp, Text(words))
    if found.taught:
        out.print(rows)
    else:
        line("nothing that it learnt from is like this text")


def whereabouts(found: "Whereabouts") -> None:
    """Where an interaction went."""
    raw = "no raw line any more" if found.raw_line is None else f"raw line {found.raw_line}"
    line(f"interaction  {found.interaction_id}: {raw}" + (", forgotten" if found.forgotten else ""))
    line(f"snapshots    {_places(found.snapshots)}")
    line(f"adapters     {_places(found.adapters)}")
    live = (f"{one.adapter} for {one.domain} at {one.target} (release {one.number})" for one in found.live)
    line(f"in service   {', '.join(live) or 'nothing that saw it'}")


def _places(splits: "Mapping[str, str]") -> str:
    return ", ".join(f"{name} ({split})" for name, split in splits.items()) or "none"
