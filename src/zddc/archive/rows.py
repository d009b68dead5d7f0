"""Files and documents as rows: what filters are asked about, and what commands print."""

from collections.abc import Iterable

from zddc.archive.index import Document, Revision
from zddc.archive.names import Parts, place_of, split_name
from zddc.archive.tree import Entry
from zddc.naming import parse_filename

Row = dict[str, str]


def file_row(entry: Entry) -> Row:
    """Return a file as a row. Where the name does not follow the convention, it has what can be read of it."""
    parts = split_name(entry.name)
    if not parts:
        read = parse_filename(entry.name)
        parts = Parts(read.tracking_number, read.revision, read.status, read.title, read.extension)
    number, revision, status, title, extension = parts
    place = place_of(entry.folder)
    return {
        "tracking_number": number,
        "revision": revision,
        "status": status,
        "title": title,
        "extension": extension,
        "name": entry.name,
        "folder": entry.folder,
        "party": place.party,
        "transmittal": place.transmittal.tracking_number,
        "date": place.transmittal.date,
    }


def revision_row(document: Document, revision: Revision) -> Row:
    """Return a revision as a row: as it first came, with the extensions and the parties of all its copies."""
    first = revision.first
    return {
        "tracking_number": document.tracking_number,
        "revision": revision.text,
        "status": first.name.status,
        "date": first.place.transmittal.date,
        "party": _join_values(copy.place.party for copy in revision.copies),
        "extension": _join_values(copy.name.extension for copy in revision.copies),
        "title": first.name.title,
        "transmittal": first.place.transmittal.tracking_number,
        "folder": first.entry.folder,
        "name": first.entry.name,
    }


def _join_values(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(filter(None, values))))
