"""Compares a master deliverables list, as a spreadsheet saves it, with what an archive holds."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from zddc.archive.index import Document, Index
from zddc.archive.names import place_of
from zddc.errors import UserError
from zddc.naming import parse_filename
from zddc.revision import parse_revision, revision_key

Kind = Literal["received", "missing", "late", "older", "superseded", "not in the list"]

# How the columns are called, without blanks, dots and letter case. Of several, the first named here counts.
HEADINGS = {
    "number": (
        *("trackingnumber", "trackingno", "tracking", "documentnumber", "documentno", "docnumber", "docno"),
        *(
            "drawingnumber",
            "drawingno",
            "deliverableno",
            "dokumentnummer",
            "deliverable",
            "document",
            "doc",
            "dokument",
        ),
        *("number", "nummer", "no"),
    ),
    "title": ("documenttitle", "title", "titel", "bezeichnung", "description", "name"),
    "revision": ("revision", "rev", "expectedrevision", "requiredrevision"),
    "due": ("duedate", "due", "requiredby", "planneddate", "plandate", "planned", "forecast", "termin", "date"),
}
_MOST_LINES_ABOVE = 20
_GERMAN = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")


@dataclass(frozen=True)
class Expected:
    """A line of the list. ``revision`` and ``due`` are empty and None where the list does not say."""

    number: str
    title: str = ""
    revision: str = ""
    due: date | None = None


@dataclass(frozen=True)
class Deliverable:
    """What became of a document: ``revision`` is the one that is there, empty where none is."""

    number: str
    kind: Kind
    title: str = ""
    expected_revision: str = ""
    revision: str = ""
    due: date | None = None
    days_late: int = 0


def read_list(file: Path) -> list[Expected]:
    """Read the list; its heading may stand below a few other lines, and its columns in any order.

    Raises :class:`UserError` for what is no CSV, for a list without a column of tracking numbers, and for a number that
    is there twice.
    """
    text = _text(file)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(";\t,", key=text.count), strict=True)
    columns: dict[str, int] = {}
    found: dict[str, Expected] = {}
    try:
        for row in rows:
            place = f"{file}:{rows.line_num}"
            if not columns:
                columns = _columns(row, place)
                if not columns and rows.line_num > _MOST_LINES_ABOVE:
                    break
            elif expected := _parse_row(row, columns, place):
                if expected.number in found:
                    raise UserError(place, f"{expected.number} is in the list twice", "leave one line")
                found[expected.number] = expected
    except csv.Error as error:
        raise UserError(f"{file}:{rows.line_num}", str(error), "save it as CSV again") from None
    if not columns:
        raise UserError(file, "no column of tracking numbers", "call one of the columns 'tracking number'")
    return [*found.values()]


def _text(file: Path) -> str:
    data = file.read_bytes()
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(file, "not a CSV file in UTF-8", "save it as 'CSV UTF-8'") from None
    if "\0" in text:
        raise UserError(file, "not a CSV file in UTF-8", "save it as 'CSV UTF-8'")
    return text


def _columns(row: Sequence[str], place: str) -> dict[str, int]:
    """Return the places of the columns that a heading names; nothing for a line that is no heading."""
    names = [re.sub(r"[\W_]", "", cell).lower() for cell in row]
    columns: dict[str, int] = {}
    for column, spellings in HEADINGS.items():
        there = [number for number, name in enumerate(names) if name in spellings]
        if there:
            best = min(there, key=lambda number: spellings.index(names[number]))
            if [names[number] for number in there].count(names[best]) > 1:
                raise UserError(place, f"two columns '{row[best]}'", "rename one of them")
            columns[column] = best
    return columns if "number" in columns else {}


def _parse_row(row: Sequence[str], columns: dict[str, int], place: str) -> Expected | None:
    cells = {name: row[column].strip() if column < len(row) else "" for name, column in columns.items()}
    if not cells["number"]:
        return None  # a heading of a group, or a blank line
    due = _date(cells["due"], place) if cells.get("due") else None
    return Expected(cells["number"], cells.get("title", ""), cells.get("revision", ""), due)


def _date(text: str, place: str) -> date:
    german = _GERMAN.fullmatch(text)
    iso = f"{german[3]}-{int(german[2]):02}-{int(german[1]):02}" if german else text[:10]
    try:
        return date.fromisoformat(iso)
    except ValueError:
        raise UserError(place, f"'{text}' is not a date", "write it as YYYY-MM-DD") from None


def compare(expected: Sequence[Expected], index: Index, today: date, itself: str = "") -> Iterator[Deliverable]:
    """Yield what became of each line, then the documents that are in no line.

    A line is fulfilled by its revision or a newer one, and by any revision that is no draft where it names none.
    Transmittals are no deliverables; neither is the list, whose file name is ``itself``.
    """
    listed = {one.number for one in expected}
    for one in expected:
        yield _deliverable(one, index.document(one.number), today)
    transmittals = {place_of(path).transmittal.tracking_number for path in index.listings}
    passed_over = listed | transmittals | {parse_filename(itself).tracking_number}
    for document in index.documents():
        if document.tracking_number not in passed_over:
            current = document.current
            title = current.first.name.title
            yield Deliverable(document.tracking_number, "not in the list", title, revision=current.text)


def _deliverable(expected: Expected, document: Document | None, today: date) -> Deliverable:
    there = document.current.text if document else ""
    days = max((today - expected.due).days, 0) if expected.due else 0
    kind: Kind = "received"
    if not document or parse_revision(there).is_draft:
        kind = "late" if days else "missing"
    elif expected.revision and revision_key(there) < revision_key(expected.revision):
        kind = "late" if days else "older"
    elif expected.revision and revision_key(there) > revision_key(expected.revision):
        kind = "superseded"
    title = expected.title or (document.current.first.name.title if document else "")
    late = days if kind == "late" else 0
    return Deliverable(expected.number, kind, title, expected.revision, there, expected.due, late)
