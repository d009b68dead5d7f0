"""Prints the results of economics, replay and trace for people."""

from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.cli.output import print_line
from zddc.console import out, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weakspot.analytics.interaction_lineage import InteractionLineage
    from weakspot.analytics.lineage import Trace
    from weakspot.analytics.release_effects import Effect
    from weakspot.analytics.savings import Economics, Wins
    from weakspot.analytics.usage import Figures, Interval
    from weakspot.evaluation.replay import OutcomeCounts, Replay

_PERIODS = 12
_SHOWN_CHARACTERS = 60


def print_economics(found: "Economics", chart: Path | None) -> None:
    """Print the figures by domain and by period, the effect of each release, and the summary."""
    from weakspot.analytics import savings as noun

    columns = ("questions", "consultations", "needed the expert", "cost, USD", "unpriced", "local, s", "expert, s")
    rows = table("domain", *columns, "adapter against base")
    for one in found.domains:
        rows.add_row(one.domain, *_format_cells(one.total), _format_wins(one.wins))
    if len(found.domains) > 1:
        rows.add_row("all", *_format_cells(found.total), "")
    if found.domains:
        out.print(rows)
    if len(found.over_time) > 1:
        rows = table(f"{found.period} of", *columns)
        for start, figures in list(found.over_time.items())[-_PERIODS:]:
            rows.add_row(start, *_format_cells(figures))
        out.print(rows)
    if found.releases:
        rows = table("release", "when", "domain", "target", "adapter", "before", "after", "beside", "needed")
        for effect in found.releases:
            rows.add_row(*_format_effect(effect))
        out.print(rows)
    if found.source == "raw" and found.total.consultations:
        print_line(
            "no question went through the gateway: these are the captured consultations, and the rate is unknown"
        )
    if found.unreadable:
        print_line(f"unreadable lines skipped: {found.unreadable}")
    print_line(noun.format_summary(found))
    if chart is not None:
        print_line(f"wrote {chart}")


def _format_cells(figures: "Figures") -> tuple[str, ...]:
    return (
        _format_number(figures.questions),
        str(figures.consultations),
        _format_rate(figures.rate),
        _format_number(figures.cost_usd, ".2f"),
        str(figures.unpriced),
        _format_number(figures.local_seconds, ".1f"),
        _format_number(figures.expert_seconds, ".1f"),
    )


def _format_number(value: float | None, form: str = "") -> str:
    return "unknown" if value is None else format(value, form)


def _format_rate(rate: "Interval | None") -> str:
    return "unknown" if rate is None else f"{rate.rate:.1%} ({rate.low:.1%} … {rate.high:.1%})"


def _format_wins(wins: "Wins | None") -> str:
    return (
        "" if wins is None else f"{wins.adapter}: {wins.won} of {wins.rows} better, {wins.lost} worse, by {wins.metric}"
    )


def _format_effect(effect: "Effect") -> tuple[str, ...]:
    one = effect.release
    change = "" if effect.change is None else f"{100 * effect.change.rate:+.1f} points, "
    return (
        f"{one.number} {one.action}",
        one.created[:16].replace("T", " "),
        one.domain,
        one.target + ("" if one.share == 1 else f" {one.share:.0%}"),
        one.adapter or "the base",
        _format_rate(effect.before.rate),
        _format_rate(effect.after.rate),
        _format_rate(effect.beside.rate) if effect.beside.questions else "",
        change + effect.outcome,
    )


def print_replay(done: "Replay") -> None:
    """Print how many escalations would no longer need the expert, unseen ones first, and who judged that."""
    print_line(f"{done.adapter} on {done.base}")
    _print_count("unseen", done.unseen)
    _print_count("seen in training", done.seen)
    if done.left_out:
        print_line(f"left out, too long for the model: {done.left_out}; raise [train] max_length")
    if done.cost_usd is None:
        print_line("the cost of the judge is unknown: it has no prices")
    elif done.cost_usd:
        print_line(f"the judge cost {done.cost_usd:.2f} USD")


def _print_count(which: str, count: "OutcomeCounts") -> None:
    if not count.escalations:
        print_line(f"{which:16} none")
        return
    teachers = ", ".join(count.teachers)
    judges = ", ".join(f"{number} by {judge}" for judge, number in count.judges.items())
    print_line(f"{which:16} {count.resolved} of {count.escalations} would no longer need {teachers}; judged {judges}")
    if count.base_right:
        print_line(f"{'':16} the base answers {count.base_right} of these correctly, too")
    if count.undecided:
        print_line(f"{'':16} {count.undecided} undecided: --judge TEACHER may decide")


def print_trace(found: "Trace") -> None:
    """Print the chain from release to snapshot, then the interactions."""
    release = found.release
    service = "not in service"
    if release is not None:
        service = (
            f"release {release.number} for {release.domain} at {release.target}, {release.created}, by {release.who}"
        )
    print_line(f"release   {service}")
    print_line(f"adapter   {found.adapter} on {found.base}, trained {found.trained}")
    print_line(f"weights   sha256 {found.adapter_sha256}, verified")
    print_line(f"verdict   {found.verdict or 'never evaluated'}" + (f": {found.reasons[0]}" if found.reasons else ""))
    count = f"{found.examples} interaction{'' if found.examples == 1 else 's'}"
    print_line(f"snapshot  {found.snapshot}, verified: trained on {count}")
    rows = table("interaction", "similarity", "raw line", "teacher", "when", "query")
    for one in found.taught:
        words = "(forgotten)" if one.forgotten else " ".join(one.query.split())[:_SHOWN_CHARACTERS]
        alike = "" if one.similarity is None else f"{one.similarity:.2f} of the {one.alike}"
        raw_line = "gone" if one.raw_line is None else str(one.raw_line)
        rows.add_row(one.interaction_id, alike, raw_line, one.teacher, one.timestamp, words)
    if found.taught:
        out.print(rows)
    else:
        print_line("no interaction that it was trained on is similar to this text")


def print_interaction_lineage(found: "InteractionLineage") -> None:
    """Print the lineage of an interaction."""
    raw = "no longer in the raw file" if found.raw_line is None else f"raw line {found.raw_line}"
    print_line(f"interaction  {found.interaction_id}: {raw}" + (", forgotten" if found.forgotten else ""))
    print_line(f"snapshots    {_format_places(found.snapshots)}")
    print_line(f"adapters     {_format_places(found.adapters)}")
    live = (f"{one.adapter} for {one.domain} at {one.target} (release {one.number})" for one in found.live)
    print_line(f"in service   {', '.join(live) or 'no adapter that saw it'}")


def _format_places(splits: "Mapping[str, str]") -> str:
    return ", ".join(f"{name} ({split})" for name, split in splits.items()) or "none"
