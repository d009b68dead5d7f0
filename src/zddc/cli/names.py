"""Commands on single names: ``parse`` and ``check``."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from zddc import console, name_check
from zddc.cli.options import Json, require_folder
from zddc.cli.output import escape, print_line, track_progress
from zddc.naming import FileName, FolderName, folder_in_zip, looks_like_folder, parse_filename, parse_folder


def parse(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="File or folder names or paths; '-' reads lines.")],
    as_json: Json = False,
    as_folder: Annotated[
        bool | None,
        typer.Option(
            "--folder/--file",
            help="Read every name as a transmittal folder, or as a file.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Read names and show their parts.

    The last component of a path counts. A name that starts with a date and an underscore, or ends with a
    slash, is a transmittal folder; any other is a file. A name that does not follow the convention is
    shown too, with the reason.

    Example: zddc parse --json "ACME-CIV-DWG-0001_A (IFC) - Site layout.pdf"
    """
    for name in _expand_names(names):
        read = _parse_name(name, as_folder)
        if as_json:
            console.print_json(read.to_json())
        else:
            console.out.print(_format_table(name, read))


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to check.")],
    as_json: Json = False,
) -> int:
    """List the names below DIR that do not follow the convention.

    The exit status is 1 if there are any. Files, transmittal folders and zipped transmittal folders are checked. Other
    folders only group these, and names that start with a dot or an underscore are skipped. Nothing is renamed.

    Example: zddc check received --json
    """
    require_folder(folder)
    verdicts = list(track_progress("checking", name_check.check(folder)))
    wrong = [verdict for verdict in verdicts if verdict.reason]
    for verdict in wrong:
        if as_json:
            console.print_json(asdict(verdict))
            continue
        print_line(f"{verdict.path}: {verdict.reason}")
        if verdict.corrected:
            print_line(f"    rename to: {verdict.corrected}")
    if not as_json:
        print_line(f"names checked: {len(verdicts)}; not conforming: {len(wrong)}")
    return 1 if wrong else 0


def _expand_names(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name != "-":
            yield name
            continue
        for line in sys.stdin.buffer:
            yield os.fsdecode(line.removesuffix(b"\n").removesuffix(b"\r"))


def _parse_name(path: str, as_folder: bool | None) -> FileName | FolderName:
    path = path.replace(os.sep, "/")
    name = path.rstrip("/").rpartition("/")[2]
    if as_folder is None:
        as_folder = path.endswith("/") or looks_like_folder(name)
    return parse_folder(folder_in_zip(name) or name) if as_folder else parse_filename(name)


def _format_table(name: str, read: FileName | FolderName) -> Table:
    table = Table()
    for cell in ("file" if isinstance(read, FileName) else "folder", name):
        table.add_column(Text(escape(cell)), overflow="fold")
    for key, value in read.to_json().items():
        words = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        table.add_row(key.replace("_", " "), Text(escape(words)))
    return table
