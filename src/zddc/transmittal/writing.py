"""Writes the data of a transmittal: the known fields only, in one order, so that every reader takes it."""

import json
from collections.abc import Iterable, Mapping

from zddc.canonical import Json, utf16_units
from zddc.naming import parse_filename
from zddc.revision import SortKey, revision_key
from zddc.transmittal.block import CLOSING, OPENING
from zddc.transmittal.checks import file_name, name_title
from zddc.transmittal.data import SELF, TEXTS, ListedFile, Transmittal, text_of

# A browser would read them as the end of the script, or of a line in it.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def make_payload(
    fields: Mapping[str, str], files: Iterable[ListedFile], *, draft: bool, revision: str = ""
) -> dict[str, Json]:
    """Return the payload of these fields and files, with the row of the transmittal itself in front.

    ``fields`` has the names of the payload's texts; one that is not there is empty. ``revision`` is that of the
    transmittal itself, its date if none is given. Raises KeyError for an unknown field, and ValueError where the HTML
    can have no name.
    """
    if unknown := sorted(set(fields) - set(TEXTS)):
        raise KeyError(unknown[0])
    kept = [name for name in TEXTS if name != "responseDue" or fields.get("type") == "Submittal"]
    payload: dict[str, Json] = {"version": 1, **{name: fields.get(name, "") for name in kept}}
    number, day, purpose = (text_of(payload, name) for name in ("trackingNumber", "date", "purpose"))
    name = file_name(payload, draft=draft, revision=revision)
    itself = ListedFile(number, revision or day, purpose, name_title(payload), "", name, SELF)
    payload["files"] = [format_row(one) for one in (itself, *sorted(files, key=row_key))]
    return payload


def format_row(listed: ListedFile) -> dict[str, Json]:
    """Return a row of the list of files as it is written."""
    return {
        "trackingNumber": listed.tracking_number,
        "revision": listed.revision,
        "status": listed.status,
        "title": listed.title,
        "path": listed.path,
        "filename": listed.filename,
        "sha256": listed.sha256,
        "fileSize": listed.size,
    }


def row_key(listed: ListedFile) -> tuple[bytes, SortKey, bytes, bytes, bytes]:
    """Return the key by which rows are sorted: tracking number without letter case, revision, extension, place."""
    extension = parse_filename(listed.filename).extension
    units = (utf16_units(text) for text in (listed.tracking_number.lower(), extension, listed.path, listed.filename))
    number, extension_units, path, filename = units
    return number, revision_key(listed.revision), extension_units, path, filename


def format_data(transmittal: Transmittal) -> str:
    """Return the data as JSON that may stand in a script of an HTML."""
    data = {
        "payload": transmittal.payload,
        "envelope": transmittal.envelope,
        "presentation": transmittal.presentation,
    }
    return json.dumps(data, ensure_ascii=False, indent=2).translate(_ESCAPES)


def format_block(transmittal: Transmittal) -> str:
    """Return the script with the data."""
    return f"{OPENING}\n{format_data(transmittal)}\n{CLOSING}"
