"""Commands on what should be there: ``mdl check`` and ``due``."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from zddc import console
from zddc.archive import mdl
from zddc.archive.index import Index
from zddc.archive.register import due_answers
from zddc.archive.tree import walk
from zddc.cli.options import Json, require_folder
from zddc.cli.output import print_columns, print_line, track_progress
from zddc.errors import UserError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Archive = Annotated[Path, typer.Argument(metavar="[DIR]", help="The root of the archive.", show_default=False)]
On = Annotated[str, typer.Option("--on", metavar="DATE", help="The day that counts as today, YYYY-MM-DD.")]
All = Annotated[bool, typer.Option("--all", help="Print the documents that were received, too.")]


@app.callback()
def deliverables() -> None:
    """Compare a master deliverables list with an archive."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="MDL.csv", help="The list, as a spreadsheet saves it.")],
    folder: Archive = Path(),
    on: On = "",
    show_all: All = False,
    as_json: Json = False,
) -> int:
    """Print which documents of a list are missing or late, and which are in no list.

    The columns are found by their headings: a tracking number, and if they are there a title, a revision and a due
    date. The exit status is 0 only if all were received and all are in the list.

    Example: zddc mdl check mdl.csv received
    """
    index = _index(folder)
    found = [*mdl.compare(mdl.read_list(file), index, _day(on), file.name)]
    shown = found if show_all or as_json else [one for one in found if one.kind != "received"]
    if as_json:
        _print_json(shown)
    else:
        rows = [
            (
                one.kind,
                one.number,
                one.expected_revision,
                one.revision,
                str(one.due or ""),
                _days(one.days_late),
                one.title,
            )
            for one in shown
        ]
        print_columns(("state", "tracking number", "expected", "there", "due", "days late", "title"), rows)
        counts = Counter(one.kind for one in found)
        print_line("; ".join(f"{kind}: {counts[kind]}" for kind in get_args(mdl.Kind)))
    return 0 if all(one.kind in ("received", "superseded") for one in found) else 1


def due(
    folder: Archive = Path(),
    on: On = "",
    days: Annotated[
        int, typer.Option("--days", min=0, help="When an answer is due after a transmittal that does not say it.")
    ] = 14,
    as_json: Json = False,
) -> int:
    """Print what was sent for review or approval and has no answer yet, the longest overdue first.

    That is a document with the status IFR or IFA in 'issued' or 'received', without one of RSA to RSI on the way back,
    and a Submittal that names a day for its answer. The exit status is 1 if anything is overdue.

    Example: zddc due received --on 2025-11-14
    """
    found = due_answers(folder, _index(folder), _day(on), days)
    if as_json:
        _print_json(found)
    else:
        headings = ("due", "days late", "owed by", "party", "tracking number", "revision", "transmittal", "title")
        rows = [
            (
                str(one.due),
                _days(one.days_late),
                one.owner,
                one.party,
                one.number,
                one.revision,
                one.transmittal,
                one.title,
            )
            for one in found
        ]
        print_columns(headings, rows)
        print_line(f"due: {len(found)}; overdue: {sum(one.days_late > 0 for one in found)}")
    return 1 if any(one.days_late > 0 for one in found) else 0


def _index(folder: Path) -> Index:
    require_folder(folder)
    return Index(track_progress("reading", walk(folder)))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if text else date.today()  # noqa: DTZ011 - the day where the user is
    except ValueError:
        raise UserError(text, "not a date", "write it as YYYY-MM-DD") from None


def _days(count: int) -> str:
    return str(count) if count > 0 else ""


def _print_json(found: Sequence[Any]) -> None:
    for one in found:
        fields = asdict(one)
        console.print_json({name: str(value) if isinstance(value, date) else value for name, value in fields.items()})
