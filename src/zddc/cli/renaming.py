"""The command that renames many files and folders at once: ``rename``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from zddc import console, rename_journal
from zddc.cli.options import Json, require_folder
from zddc.cli.output import print_line
from zddc.durable import write_new
from zddc.errors import UserError
from zddc.renaming import Rename, check_plan, format_plan, plan_corrections, read_plan


def rename(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder in which names are wrong.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="PLAN.csv", help="Take the plan from a file: path,new_name.")
    ] = None,
    new_plan: Annotated[
        Path | None, typer.Option("--write-plan", metavar="PLAN.csv", help="Write the plan to a new file.")
    ] = None,
    do_it: Annotated[bool, typer.Option("--apply", help="Rename. Without this, nothing is renamed.")] = False,
    undo: Annotated[
        Path | None, typer.Option("--undo", metavar="JOURNAL", help="Take the renames of a journal back.")
    ] = None,
    complete: Annotated[
        Path | None, typer.Option("--complete", metavar="JOURNAL", help="Go on with renames that were stopped.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Rename files and folders below DIR, all of them or none.

    The plan is the corrections that 'zddc check' finds, or a CSV file. It is checked as a whole: nothing is
    overwritten, and no name is given that Windows cannot hold. --apply writes a journal into DIR, by which --undo takes
    all of it back, and --complete goes on after a crash.

    Example: zddc rename received --apply
    """
    require_folder(folder)
    if undo or complete:
        if (undo and complete) or csv or new_plan or do_it:
            raise UserError("--undo and --complete", "go with no other option but --json", "give one of them alone")
        _resume(folder, undo, complete, as_json)
        return 0
    rename_journal.require_finished(folder)
    plan = read_plan(csv) if csv else plan_corrections(folder)
    checked = check_plan(folder, plan)
    refused = sum(bool(line.problem) for line in checked)
    if new_plan:
        _write_plan(new_plan, [*checked, *(line for line in plan if not line.changes)])
    for line in checked:
        _print_line(line, as_json)
    left = len(plan) - len(checked)
    journal = rename_journal.apply(folder, checked) if do_it and checked and not refused else None
    _print_end(checked, refused, left, journal, as_json)
    return 1 if refused else 0


def _resume(folder: Path, undo: Path | None, complete: Path | None, as_json: bool) -> None:
    count = rename_journal.undo(folder, undo) if undo else rename_journal.complete(folder, complete or Path())
    if as_json:
        console.print_json({"renamed": count})
    else:
        print_line(f"renamed{' back' if undo else ''}: {count}")


def _write_plan(file: Path, plan: Sequence[Rename]) -> None:
    try:
        write_new(file, format_plan(plan))
    except FileExistsError:
        raise UserError(
            file, "there is such a file already", "give the plan another name, or remove the file"
        ) from None


def _print_line(line: Rename, as_json: bool) -> None:
    if as_json:
        keys = ("path", "new_name", "problem", "warning")
        console.print_json({key: getattr(line, key) for key in keys})
        return
    print_line(line.path)
    print_line(f"    rename to: {line.new_name}")
    for word, text in (("refused", line.problem), ("warning", line.warning)):
        if text:
            print_line(f"    {word}: {text}")


def _print_end(checked: Sequence[Rename], refused: int, left: int, journal: Path | None, as_json: bool) -> None:
    if as_json:
        if journal:
            console.print_json({"journal": str(journal)})
        return
    counts = f"{len(checked) - refused}; refused: {refused}; left as they are: {left}"
    if journal:
        print_line(f"renamed: {counts}")
        print_line(f"journal: {journal}")
        return
    print_line(f"to rename: {counts}")
    if refused:
        print_line("nothing was renamed: while a line is refused, all of them wait")
    elif checked:
        print_line("nothing was renamed yet: --apply does it")
