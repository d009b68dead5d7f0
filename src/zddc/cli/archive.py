"""The commands on an archive as a whole: ``list``, ``find``, ``show`` and ``index``."""

import csv
import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len

from zddc import console
from zddc.archive import contents, findings, links, rows
from zddc.archive.index import Document, Index
from zddc.archive.tree import Entry, Listing, walk
from zddc.cli.options import Json, require_folder
from zddc.cli.output import escape, print_columns, print_line, track_progress
from zddc.errors import UserError
from zddc.filters import COLUMNS, Condition, FilterError, parse_filter
from zddc.naming import STATUSES

Archive = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the archive.")]
_REGISTER = ("tracking_number", "revision", "status", "date", "party", "extension", "title")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def list(
    folder: Archive = Path(),
    expression: Annotated[
        str, typer.Option("--filter", metavar="EXPR", help="Only documents that match, as for 'zddc find'.")
    ] = "",
    all_revisions: Annotated[
        bool, typer.Option("--all-revisions", help="A line for each revision, the newest first.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet, with all columns.")] = False,
    odd: Annotated[
        bool, typer.Option("--findings", help="Print what is odd: conflicts, gaps, issued drafts, what was left out.")
    ] = False,
    as_json: Json = False,
) -> int:
    """List the documents of an archive with their current revisions.

    The current revision is the newest one that is neither a draft nor has a modifier. Date and title are those of its
    earliest transmittal. With --findings the exit status is 1 if there are any.

    Example: zddc list received --filter "status:IFC" --csv
    """
    matches = _parse(expression)
    index = Index(_walk(folder))
    if odd:
        return _print_findings(folder, index, as_json)
    shown = [row for row in _register(index, all_revisions) if matches(row)]
    if as_csv:
        _print_csv(shown)
    elif as_json:
        for row in shown:
            console.print_json(row)
    else:
        headings = [key.replace("_", " ") for key in _REGISTER]
        print_columns(headings, [[row[key] for key in _REGISTER] for row in shown])
        print_line(f"{'revisions' if all_revisions else 'documents'}: {len(shown)}{_left_out(index)}")
    return 0


def find(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="What to look for, in quotes; '' is every file.")],
    folder: Archive = Path(),
    null: Annotated[
        bool, typer.Option("--null", "-0", help="End each path with a NUL, as 'xargs -0' reads them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the paths of the files that match an expression.

    All words must be in the name, in whatever letter case; 'a | b' is either, '!a' not, '^a' at the start, 'a$' at
    the end, '"a b"' a phrase. A word may be a regular expression. 'status:IFC' looks into one column: tracking,
    title, rev, status, ext, name, folder, party, transmittal or date.

    Example: zddc find "status:IFC rev:^A ext:pdf" received
    """
    matches = _parse(expression)
    found, left_out = [], 0
    for listing in _walk(folder):  # all of it before anything is printed: a progress bar captures standard output
        found += [*rows.matching_files(listing.entries, matches)]
        left_out += len(listing.left_out)
    for entry in found:
        if as_json:
            console.print_json({"path": entry.path, **rows.file_row(entry), "size": entry.size})
        elif null:
            sys.stdout.write(f"{entry.path}\0")
        else:
            print_line(entry.path)
    if not found:
        console.err.print(f"no file matches{_see_findings(left_out)}")


def show(
    number: Annotated[str, typer.Argument(metavar="TRACKING", help="The tracking number of a document.")],
    folder: Archive = Path(),
    as_json: Json = False,
) -> None:
    """Show every revision and every copy of a document, the newest revision first.

    Each file is read. One that differs from the first of its revision and extension is marked as a conflict.

    Example: zddc show ACME-CIV-DWG-0001 received
    """
    index = Index(_walk(folder))
    document = index.document(number) or _refuse(number, index)
    shown = [*_copies(folder, document)]
    if as_json:
        for row in shown:
            console.print_json(row)
        return
    keys = ("revision", "status", "date", "kind", "party", "sha256", "mark", "path")
    print_line(f"{number}: {document.current.first.name.title}")
    print_line(f"current revision: {document.current.text}")
    print_columns(keys, [[row[key][:12] if key == "sha256" else row[key] for key in keys] for row in shown])


def index(folder: Archive, as_json: Json = False) -> None:
    """Write DIR/.archive, with links that work without a server.

    ACME-1.html leads to the current revision of ACME-1, ACME-1_A.html to revision A, and a SHA-256 that a SHA256SUMS of
    the archive names to its file; index.json lists all files. Links from documents are relative:
    ../.archive/ACME-1.html. Run it again when files have come or gone.

    Example: zddc index project
    """
    found = Index(_walk(folder))
    pages, left_out = links.write_links(folder, found)
    for line in left_out:
        console.err.print(line, markup=False)
    if as_json:
        console.print_json({"pages": pages, "files": sum(1 for _ in found.entries()), "left_out": len(left_out)})
    else:
        print_line(f"{folder / links.FOLDER}: {pages} pages{_left_out(found)}")


def _parse(expression: str) -> Condition:
    """Read an expression; show the place of what is wrong with it."""
    try:
        return parse_filter(expression)
    except FilterError as error:
        before, wrong = (escape(part) for part in (expression[: error.start], expression[error.start : error.end]))
        console.err.print(f"{escape(expression)}\n{' ' * cell_len(before)}{'^' * cell_len(wrong)}")
        raise


def _walk(folder: Path) -> Iterable[Listing]:
    require_folder(folder)
    return track_progress("reading", walk(folder))


def _see_findings(left_out: int) -> str:
    return f"; left out: {left_out}, see 'zddc list --findings'" if left_out else ""


def _left_out(index: Index) -> str:
    return _see_findings(sum(1 for _ in index.left_out()))


def _register(index: Index, all_revisions: bool) -> Iterator[rows.Row]:
    for document in index.documents():
        for revision in document.revisions if all_revisions else (document.current,):
            yield rows.revision_row(document, revision)


def _copies(folder: Path, document: Document) -> Iterator[dict[str, str]]:
    digests = {copy.entry: _digest(folder, copy.entry) for one in document.revisions for copy in one.copies}
    odd = {found.path: found.kind for found in findings.conflicts(document, digests.__getitem__)}
    for revision in document.revisions:
        for copy in revision.copies:
            digest = digests[copy.entry]
            yield {
                "revision": revision.text,
                "status": copy.name.status,
                "date": copy.place.transmittal.date,
                "kind": copy.place.kind,
                "party": copy.place.party,
                "sha256": digest,
                "mark": odd.get(copy.entry.path, "") if digest else "cannot be read",
                "path": copy.entry.path,
            }


def _digest(folder: Path, entry: Entry) -> str:
    try:
        return contents.sha256_of(folder, entry)
    except OSError:
        return ""


def _refuse(number: str, index: Index) -> Document:
    numbers = index.tracking_numbers()
    folded = {one.casefold(): one for one in numbers}
    near = difflib.get_close_matches(number.casefold(), folded, 3)
    remedy = f"did you mean {' or '.join(folded[one] for one in near)}" if near else "'zddc list' lists all"
    raise UserError(number, "no document has this tracking number", remedy)


def _print_findings(folder: Path, index: Index, as_json: bool) -> int:
    count = 0
    for finding in findings.findings(index, lambda entry: contents.sha256_of(folder, entry)):
        count += 1
        if as_json:
            console.print_json(finding._asdict())
        else:
            print_line(f"{finding.path}: {finding.kind}: {finding.reason}")
    if not as_json:
        print_line(f"findings: {count}")
    return 1 if count else 0


def _print_csv(shown: Sequence[rows.Row]) -> None:
    columns = [*dict.fromkeys((*_REGISTER, *COLUMNS.values()))]
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in shown)


def _cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, and that a terminal does not obey."""
    text = escape(text) if sys.stdout.isatty() else text
    return f"'{text}" if text.startswith(_FORMULA) and text not in STATUSES else text
