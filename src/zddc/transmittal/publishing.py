"""Publishes a folder: its transmittal and its list of hashes come into it, and nothing that is there is overwritten."""

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from zddc.canonical import Json
from zddc.durable import open_folder, rename_without_replacing, sync_folder, write_atomically, write_new
from zddc.errors import UserError
from zddc.hashing import HashedFile, write_list
from zddc.naming import parse_folder
from zddc.transmittal.checks import file_name, folder_name, problems
from zddc.transmittal.data import Transmittal
from zddc.transmittal.delivery import Page, find_pages, list_files
from zddc.transmittal.page import make_page, read_viewer
from zddc.transmittal.signatures import make_envelope
from zddc.transmittal.writing import make_payload

PRESENTATION: Mapping[str, Json] = {"leftLogo": "", "rightLogo": "", "theme": "default", "customCss": ""}


class NotReadyError(UserError):
    """A transmittal that cannot be published yet: ``problems`` has each reason."""

    def __init__(self, folder: Path, reasons: list[str]) -> None:
        problem, them = ("1 problem", "that") if len(reasons) == 1 else (f"{len(reasons)} problems", "them")
        super().__init__(folder, problem, f"mend {them}, or publish a --draft; nothing was written")
        self.problems = reasons


def fields_of(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a transmittal: what is given, else what the name of its folder says."""
    named = parse_folder(folder.name)
    known = {"date": named.date, "trackingNumber": named.tracking_number, "purpose": named.status}
    if named.valid:
        known["subject"] = named.title
    return {"type": "Transmittal", **known, **{name: value for name, value in given.items() if value}}


def prepare(folder: Path, fields: Mapping[str, str], *, draft: bool, now: datetime) -> Transmittal:
    """Read every file of a folder and return its transmittal, not signed.

    Raises :class:`NotReadyError` for what may not be published, and :class:`UserError` for a folder that was.
    """
    for page in _own_pages(folder, fields.get("trackingNumber", "")):
        if page.transmittal.state != "draft":
            remedy = "what was sent stays as it is; send a new one in a folder of its own"
            raise UserError(folder / page.name, "published already", remedy)
    try:
        payload = make_payload(fields, list_files(folder, fields.get("trackingNumber", "")), draft=draft)
    except ValueError as error:
        remedy = "name the folder 'DATE_NUMBER (STATUS) - TITLE', or give --date, --number, --purpose and --title"
        raise UserError(folder, str(error), remedy) from None
    transmittal = Transmittal(payload, {}, PRESENTATION)
    if draft:
        return transmittal
    if reasons := problems(transmittal, now.date()):
        raise NotReadyError(folder, reasons)
    return Transmittal(payload, make_envelope(payload, now), PRESENTATION)


def publish(folder: Path, transmittal: Transmittal) -> Path:
    """Write the list of hashes, then the HTML, and return the latter; a draft is replaced, nothing else ever."""
    draft = transmittal.state == "draft"
    drafts = [folder / page.name for page in _own_pages(folder, transmittal["trackingNumber"])]
    file = folder / file_name(transmittal.payload, draft=draft)
    page = make_page(transmittal, read_viewer()).encode()
    if draft and file in drafts:
        write_atomically(file, page)
        return file
    if not draft:
        write_list(folder, list_hashes(transmittal))
    try:
        write_new(file, page)
    except FileExistsError:
        raise UserError(file, "there already", "take it away, or give another title") from None
    for old in drafts:
        old.unlink()
    return file


def _own_pages(folder: Path, number: str) -> list[Page]:
    return [page for page in find_pages(folder) if page.transmittal["trackingNumber"] == number]


def list_hashes(transmittal: Transmittal) -> list[HashedFile]:
    """Return the files of a transmittal in the order of a list of hashes."""
    files = [HashedFile(row.place, row.sha256) for row in transmittal.files]
    return sorted(files, key=lambda file: os.fsencode(file.path))


def rename_folder(folder: Path, transmittal: Transmittal) -> Path:
    """Give a folder the name that its transmittal says, if it has another one; return where it is now."""
    name = folder_name(transmittal.payload)
    if folder.name == name:
        return folder
    try:
        with open_folder(folder.parent) as descriptor:
            rename_without_replacing(descriptor, folder.name, name)
            sync_folder(descriptor)
    except FileExistsError:
        raise UserError(folder.with_name(name), "there already", "rename one of the two folders") from None
    return folder.with_name(name)


def now() -> datetime:
    """Return the time, with the zone of this machine: the date of a transmittal is that of the people who send it."""
    return datetime.now(UTC).astimezone()


def today() -> date:
    """Return the date here."""
    return now().date()
