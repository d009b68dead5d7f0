"""The names of a transmittal, and all that is wrong with one before it is published."""

import re
from collections.abc import Iterator, Mapping
from datetime import date

from zddc.canonical import Json
from zddc.naming import STATUSES, format_filename, format_folder, parse_filename
from zddc.transmittal.data import ListedFile, Transmittal, text_of
from zddc.windows_names import windows_problem

ACKNOWLEDGEMENT = "Acknowledgement"
# They have somebody who sends, somebody who gets it, and a purpose; any other type is a list of files.
SENT = ("Transmittal", "Submittal", ACKNOWLEDGEMENT)

_FORBIDDEN = re.compile(r'[\\/:*?"<>|]')
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BLANKS = re.compile(r"[\s\ufeff]+")


def name_title(payload: Mapping[str, Json]) -> str:
    """Return the title in the names of a transmittal: its subject, else its title, as a file name can have it."""
    title = text_of(payload, "subject") or text_of(payload, "title") or "Transmittal"
    cleaned = _BLANKS.sub(" ", _CONTROLS.sub(" ", _FORBIDDEN.sub("-", title))).strip(" ").rstrip(". ")
    return cleaned or "Transmittal"


def folder_name(payload: Mapping[str, Json]) -> str:
    """Return the name of the folder; raise ValueError where a part of it cannot stand in one."""
    number, day, purpose = (text_of(payload, name) for name in ("trackingNumber", "date", "purpose"))
    return format_folder(date=day, tracking_number=number, status=purpose, title=name_title(payload))


def file_name(payload: Mapping[str, Json], *, draft: bool, revision: str = "") -> str:
    """Return the name of the HTML, whose revision is the date if no other is given; raises as :func:`folder_name`."""
    number, day, purpose = (text_of(payload, name) for name in ("trackingNumber", "date", "purpose"))
    revision = ("~" if draft else "") + (revision or day)
    title = name_title(payload)
    return format_filename(tracking_number=number, revision=revision, status=purpose, title=title, extension="html")


def problems(transmittal: Transmittal, today: date) -> list[str]:
    """Return what must be mended before a transmittal gets a digest, each in one sentence; a draft may have all."""
    payload = transmittal.payload
    found = [*_header_problems(payload, today)]
    if not transmittal.files:
        found.append("no file is listed")
    documents: set[tuple[str, str, str]] = set()
    for listed in transmittal.files:
        name = listed.place or listed.tracking_number or "a row without a name"
        if not listed.sha256:
            found.append(f"{name}: no SHA-256")
        if text_of(payload, "type") == ACKNOWLEDGEMENT:  # lists what came, whatever it is called
            continue
        if reason := _row_problem(listed):
            found.append(f"{name}: {reason}")
        document = (listed.tracking_number, listed.revision, parse_filename(listed.filename).extension)
        if document in documents:
            found.append(f"{name}: a second file of one document, revision and extension")
        documents.add(document)
    return found


def _header_problems(payload: Mapping[str, Json], today: date) -> Iterator[str]:
    sent = text_of(payload, "type") in SENT
    for name in ("type", "date", "trackingNumber", "purpose", *(("from", "to") if sent else ())):
        if not text_of(payload, name).strip():
            yield f"{name} is missing"
    if not (text_of(payload, "subject") or text_of(payload, "title")).strip():
        yield "subject and title are both missing"
    number = text_of(payload, "trackingNumber")
    if "_" in number or _BLANKS.search(number):
        yield f"trackingNumber '{number}' holds a blank or an underscore"
    if (purpose := text_of(payload, "purpose")) and purpose not in STATUSES:
        yield f"purpose '{purpose}' is not one of the {len(STATUSES)} codes"
    if (day := text_of(payload, "date")) and _day(day) is None:
        yield f"date '{day}' is not a date written as YYYY-MM-DD"
    if due := text_of(payload, "responseDue"):
        when = _day(due)
        if when is None:
            yield f"responseDue '{due}' is not a date written as YYYY-MM-DD"
        elif when <= today:
            yield f"responseDue '{due}' is not in the future"
        if text_of(payload, "type") != "Submittal":
            yield "responseDue is for a Submittal only"
    yield from _name_problems(payload)


def _name_problems(payload: Mapping[str, Json]) -> Iterator[str]:
    try:
        names = folder_name(payload), file_name(payload, draft=True)
    except ValueError:
        return  # a part is wrong, and that is told
    for name in names:
        if reason := windows_problem(name):
            yield f"the name '{name}': {reason}"
            return


def _row_problem(listed: ListedFile) -> str:
    read = parse_filename(listed.filename)
    if not read.valid:
        return read.reason
    parts = (read.tracking_number, read.revision, read.status, read.title)
    if parts != (listed.tracking_number, listed.revision, listed.status, listed.title):
        return "the name says something else than the row"
    return ""


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None
