"""Prints what the commands that capture, import and curate answer for people."""

from typing import TYPE_CHECKING

from weakspot.cli.output import format_count, format_counts, print_adapter, print_line
from zddc.console import err, out, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weakspot.capture.approval import WaitingInteraction
    from weakspot.capture.redact_stored import Rescrubbed
    from weakspot.capture.unfitted import Retried
    from weakspot.importers.importer import ImportCandidate
    from weakspot.pipeline.collect import Collected, Examined, Imported
    from weakspot.pipeline.forget import Forgotten, Retrained

_SHOWN = 20
_SHOWN_CHARACTERS = 60


def print_capture(found: "Collected") -> None:
    """Print one captured interaction."""
    metadata = found.interaction.metadata
    print_line(f"domain         {metadata.domain}")
    print_line(f"adapter        {found.adapter}")
    print_line(f"interaction_id {metadata.interaction_id}")
    print_line(f"timestamp      {metadata.timestamp}")
    print_line(f"file           {found.file}")


def print_import_preview(found: "Examined") -> None:
    """Print what was found in other programs' files: how much of it is new, and what was left out."""
    files = ", ".join(format_count(count, name) for name, count in found.formats.items())
    consultations = format_count(len(found.found), "new consultation")
    print_line(f"{files}: {format_count(found.conversations, 'conversation')}, {consultations}")
    if found.left_out:
        print_line(f"left out: {format_counts(found.left_out)}")
    if found.not_understood:
        print_line(f"not understood: {format_count(len(found.not_understood), 'file')}, as {found.not_understood[0]}")


def print_candidates(found: "Sequence[ImportCandidate]", most: int = _SHOWN) -> None:
    """Print the first of the consultations that would be imported: query, both answers, and what is odd about them."""
    for one in found[:most]:
        query, local, expert = (_cut_text(text, _SHOWN_CHARACTERS) for text in (one.query, one.local, one.expert))
        incomplete = ", incomplete" if one.incomplete else ""
        models = f"{one.local_model or 'local model'} → {one.teacher or 'a better answer'}"
        print_line(f"  {query}  {models}, {one.turns} turns{incomplete}")
        print_line(f"    local:  {local}")
        print_line(f"    expert: {expert}")
        for odd in one.odd:
            print_line(f"    odd:    {odd}")
    if len(found) > most:
        print_line(f"  … and {len(found) - most} more")


def _cut_text(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def print_retry(done: "Retried") -> None:
    """Print what became of the consultations that were no interactions."""
    print_line(f"{format_count(len(done.added), 'consultation')} added, {len(done.left)} still not fit to train on")
    for identity, reason in done.left.items():
        print_line(f"  {identity}: {reason}")


def print_import(done: "Imported") -> None:
    """Print the result of an import."""
    ratings = f", {format_count(done.ratings, 'rating')}" if done.ratings else ""
    print_line(f"added {done.added}, already there {done.already_there}, bad {len(done.bad)}{ratings}: {done.file}")


def print_bad_lines(done: "Imported") -> None:
    """Print the lines that could not be imported to standard error."""
    for bad in done.bad:
        err.print(f"{bad.file}:{bad.line}: {bad.reason}: {bad.detail}; mend the line and import again")


def print_waiting(found: "list[WaitingInteraction]") -> None:
    """Print the interactions that wait for a person's permission."""
    rows = table("interaction", "teacher or source", "query")
    for one in found:
        rows.add_row(one.interaction_id, one.teacher or one.source, " ".join(one.query.split())[:80])
    if found:
        out.print(rows)
    remedy = "; weakspot allow ID..., --teacher NAME or --all" if found else ""
    print_line(f"{format_count(len(found), 'interaction')} waiting for permission{remedy}")
    for terms in sorted({f"{one.teacher}: {one.terms}" for one in found if one.terms}):
        print_line(terms)


def print_scrub(done: "Rescrubbed") -> None:
    """Print what scrubbing found, record by record."""
    for one in done.found:
        print_line(
            f"line {one.line} {one.interaction_id}: {', '.join(f'{n} {kind}' for kind, n in one.counts.items())}"
        )
    verb = "scrubbed; run 'weakspot process'" if done.replaced else "would be scrubbed"
    lines = format_count(done.lines, "line")
    print_line(f"{len(done.found)} of {lines} {verb}" if done.found else f"{lines}, nothing to scrub")
    if done.unreadable:
        print_line(f"{format_count(done.unreadable, 'line')} not scrubbed: not an interaction")


def print_forget(done: "Forgotten", *, retrain: bool = False) -> None:
    """Print the result of forgetting an interaction, and how adapters are trained anew where they are not."""
    print_line(f"forgot {done.interaction_id}: {format_count(done.lines, 'line')} erased")
    if done.snapshots:
        print_line(f"taken out of snapshots: {', '.join(done.snapshots)}")
    if done.adapters:
        learned = f"adapters that learned from it or were tested on it: {', '.join(done.adapters)}"
        print_line(learned if retrain else f"{learned}; --retrain trains them anew")


def print_retrained(done: "Retrained") -> None:
    """Print the adapters that were trained without a forgotten interaction, and what to do next."""
    for manifest in done.adapters:
        print_adapter(manifest)
        print_line(f"then: weakspot deploy {manifest.domain}; until then the one in service stays there")
    for domain in done.untrainable:
        print_line(
            f"{domain}: no training example is left; take its adapter out of service: weakspot rollback {domain}"
        )
    if not done.adapters and not done.untrainable:
        print_line("no adapter to train anew")
