"""Files and documents as rows: what filters are asked about, and what commands print."""

from collections.abc import Mapping

from zddc.archive.index import Document
from zddc.archive.names import Parts, place_of, split_name
from zddc.archive.tree import Entry
from zddc.naming import parse_filename

Row = dict[str, str]


def file_row(entry: Entry) -> Row:
    """Return a file as a row. What its name does not say is empty; its title is then the name without extension."""
    parts = split_name(entry.name)
    if not parts:
        read = parse_filename(entry.name)
        parts = Parts("", "", "", read.title, read.extension)
    place = place_of(entry.folder)
    return {
        **parts._asdict(),
        "name": entry.name,
        "folder": entry.folder,
        "party": place.party,
        "transmittal": place.transmittal.tracking_number,
        "date": place.transmittal.date,
    }


def document_row(document: Document) -> Row:
    """Return a document as a row: its current revision, as it first came, and all extensions and parties it has."""
    revision = document.current
    first = revision.first
    return {
        "tracking_number": document.tracking_number,
        "title": first.name.title,
        "revision": revision.text,
        "status": first.name.status,
        "date": first.place.transmittal.date,
        "transmittal": first.place.transmittal.tracking_number,
        "party": _joined({copy.place.party for copy in revision.copies}),
        "extension": _joined({copy.name.extension for copy in revision.copies}),
        "folder": first.entry.folder,
        "name": first.entry.name,
    }
