"""Files and documents as rows: what filters are asked about, and what commands print."""

from collections.abc import Iterable, Iterator

from zddc.archive.index import Document, Revision
from zddc.archive.names import fields_of, parts_of, place_of
from zddc.archive.tree import Entry
from zddc.filters import Condition, fold
from zddc.naming import parse_filename

Row = dict[str, str]


def matching_files(entries: Iterable[Entry], condition: Condition) -> Iterator[Entry]:
    """Yield those files whose rows fulfil a condition; most names are ruled out before they are read."""
    test, may_be = condition
    for entry in entries:
        if may_be and not may_be(fold(entry.name)):
            continue
        if test(file_row(entry)):
            yield entry


def file_row(entry: Entry) -> Row:
    """Return a file as a row. Where the name does not follow the convention, it has what can be read of it."""
    folder, name = entry[:2]
    number, revision, status, title, extension = fields_of(name) or parts_of(parse_filename(name))
    place = place_of(folder)
    return {
        "tracking_number": number,
        "revision": revision,
        "status": status,
        "title": title,
        "extension": extension,
        "name": name,
        "folder": folder,
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
