"""The naming convention for files and transmittal folders: lenient parsing, canonical formatting.

::

    ACME-CIV-DWG-0001_A (IFC) - Site layout.pdf        tracking number _ revision (status) - title . extension
    2025-10-31_ACME-TRN-0007 (IFC) - Civil package     date _ tracking number (status) - title
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from zddc.revision import DATE, parse_revision

STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "---": "not known yet",
        "DFT": "draft",
        "IFA": "issued for approval",
        "IFB": "issued for bid",
        "IFC": "issued for construction",
        "IFD": "issued for design",
        "IFI": "issued for information",
        "IFP": "issued for purchase",
        "IFR": "issued for review",
        "IFU": "issued for use",
        "REC": "issued for record",
        "RSA": "reviewed, status A: no comments",
        "RSB": "reviewed, status B: incorporate the comments, proceed, resubmit for record",
        "RSC": "reviewed, status C: incorporate the comments and resubmit before proceeding",
        "RSD": "reviewed, status D: rejected",
        "RSI": "no review required",
        "TBD": "planned, to be determined",
    }
)

_BLANK = re.compile(r"\s")
_NEVER = {
    "the name is not valid Unicode text": re.compile(r"[\ud800-\udfff]"),
    "a control character or line break in the name": re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"),
    "a path separator in the name": re.compile(r"[/\\]"),
}
_STATUS_FIRST = re.compile(r"[^_\s(]+\s+\([^)]*\)\s*-")
# Hyphens, dashes and the minus sign that word processors put in place of the ASCII hyphen.
DASHES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")


@dataclass(frozen=True)
class FileName:
    """A parsed file name. ``reason`` says in one sentence why it is not ``valid``, and is empty if it is valid.

    If the name does not have this shape at all, ``title`` is its stem, and only the extension is parsed.
    """

    tracking_number: str = ""
    revision: str = ""
    status: str = ""
    title: str = ""
    extension_as_written: str = ""
    valid: bool = False
    reason: str = ""

    @property
    def extension(self) -> str:
        """The extension without its dot, in lower case, so that ``PDF`` and ``pdf`` are one kind of file."""
        return self.extension_as_written.lower()

    def to_json(self) -> dict[str, str | bool]:
        """Return what ``zddc parse --json`` prints; ``reason`` is there only where the name is not valid."""
        keys = ["tracking_number", "revision", "status", "title", "extension", "valid", "reason"]
        return {key: getattr(self, key) for key in (keys[:-1] if self.valid else keys)}


@dataclass(frozen=True)
class FolderName:
    """A parsed transmittal folder name. ``reason`` says why it is not ``valid``, and is empty if it is valid.

    If the name does not have this shape at all, ``title`` is the whole name.
    """

    date: str = ""
    tracking_number: str = ""
    status: str = ""
    title: str = ""
    valid: bool = False
    reason: str = ""

    def to_json(self) -> dict[str, str | bool]:
        """Return what ``zddc parse --json`` prints; ``reason`` is there only where the name is not valid."""
        keys = ["date", "tracking_number", "status", "title", "valid", "reason"]
        return {key: getattr(self, key) for key in (keys[:-1] if self.valid else keys)}


class _ShapeError(Exception):
    """The text does not have the shape of a name; the message is the reason."""


def parse_filename(name: str) -> FileName:
    """Parse the name of a file, given without its folders; never raises.

    White space around ``(status)``, the hyphen and the extension may vary or be missing. The title ends at the last
    dot.
    """
    try:
        _check_characters(name)
        tracking_number, revision, status, rest = _split(name, "tracking number", "revision")
        title, extension = _title_and_extension(rest)
    except _ShapeError as error:
        stem, _, extension = name.rpartition(".")
        if not stem:  # no dot at all, or a name such as '.profile', which is no extension
            stem, extension = name, ""
        return FileName(title=stem, extension_as_written=extension, reason=str(error))
    reason = _revision_problem(revision) or _status_problem(status)
    return FileName(tracking_number, revision, status, title, extension, not reason, reason)


def parse_folder(name: str) -> FolderName:
    """Parse the name of a transmittal folder, given without the folders above it; never raises.

    White space may vary as in the name of a file.
    """
    try:
        _check_characters(name)
        if not DATE.match(name):
            raise _ShapeError("no date written as YYYY-MM-DD at the start")
        date, tracking_number, status, rest = _split(name, "date", "tracking number")
        if not DATE.fullmatch(date):
            raise _ShapeError(f"'{date}' is not a date written as YYYY-MM-DD")
        title = rest.rstrip()
        if not title:
            raise _ShapeError("no title")
    except _ShapeError as error:
        return FolderName(title=name, reason=str(error))
    reason = _date_problem(date) or _status_problem(status)
    return FolderName(date, tracking_number, status, title, not reason, reason)


def looks_like_folder(name: str) -> bool:
    """Return whether a name starts like that of a transmittal folder: a date, then an underscore."""
    return bool(DATE.match(name)) and name[10:11] == "_"


def folder_in_zip(name: str) -> str:
    """Return the name of the transmittal folder in a ``.zip`` file; empty for any other file."""
    stem, _, extension = name.rpartition(".")
    return stem if extension.lower() == "zip" and looks_like_folder(stem) else ""


def format_filename(
    name: FileName | None = None,
    *,
    tracking_number: str = "",
    revision: str = "",
    status: str = "",
    title: str = "",
    extension: str = "",
) -> str:
    """Return the canonical file name for ``name``, for the keywords, or for ``name`` changed by the keywords.

    ``extension`` may start with a dot and keeps its case. Raises ValueError that names the wrong part if parsing the
    result would not give exactly these parts.
    """
    old = name or FileName()
    parts = {
        "tracking_number": tracking_number or old.tracking_number,
        "revision": revision or old.revision,
        "status": status or old.status,
        "extension_as_written": extension.removeprefix(".") or old.extension_as_written,
        "title": title or old.title,
    }
    text = "{tracking_number}_{revision} ({status}) - {title}.{extension_as_written}".format_map(parts)
    return _require_round_trip(text, parse_filename(text), parts)


def format_folder(
    name: FolderName | None = None,
    *,
    date: str = "",
    tracking_number: str = "",
    status: str = "",
    title: str = "",
) -> str:
    """Return the canonical transmittal folder name; the arguments are as for :func:`format_filename`.

    Raises ValueError that names the wrong part if parsing the result would not give these parts.
    """
    old = name or FolderName()
    parts = {
        "date": date or old.date,
        "tracking_number": tracking_number or old.tracking_number,
        "status": status or old.status,
        "title": title or old.title,
    }
    text = "{date}_{tracking_number} ({status}) - {title}".format_map(parts)
    return _require_round_trip(text, parse_folder(text), parts)


def _require_round_trip(text: str, read: FileName | FolderName, parts: Mapping[str, str]) -> str:
    # The parser is the only grammar: a name that it does not parse back to the same parts is refused.
    if not read.valid:
        raise ValueError(f"cannot write {text!r}: {read.reason}")
    for part, wanted in parts.items():
        if getattr(read, part) != wanted:
            label = part.removesuffix("_as_written").replace("_", " ")
            raise ValueError(f"the {label} {wanted!r} would be read back as {getattr(read, part)!r}")
    return text


def _check_characters(name: str) -> None:
    if not name:
        raise _ShapeError("the name is empty")
    for reason, characters in _NEVER.items():
        if characters.search(name):
            raise _ShapeError(reason)


def _split(name: str, first: str, second: str) -> tuple[str, str, str, str]:
    """Split ``first_second (status) - rest``; ``first`` and ``second`` name the parts in the reasons."""
    if _STATUS_FIRST.match(name):
        raise _ShapeError(f"no {second} between the {first} and the status")
    head, underscore, rest = name.partition("_")
    if not underscore:
        raise _ShapeError(f"no '_' after the {first}")
    if not head:
        raise _ShapeError(f"no {first} before the '_'")
    if _BLANK.search(head):
        raise _ShapeError(f"white space inside the {first}")
    middle, bracket, rest = rest.partition("(")
    middle = middle.rstrip()
    if not bracket or " - " in middle:
        raise _ShapeError(f"no '(status)' after the {second}")
    if not middle:
        raise _ShapeError(f"nothing between '_' and the status, where the {second} belongs")
    if "_" in middle:
        raise _ShapeError(f"more than one '_' before the status; neither {first} nor {second} may hold one")
    if _BLANK.search(middle):
        raise _ShapeError(f"white space inside the {second}")
    if ")" in middle:
        raise _ShapeError(f"a round bracket inside the {second}")
    return head, middle, *_status_and_rest(rest)


def _status_and_rest(text: str) -> tuple[str, str]:
    """Split ``status) - rest``."""
    status, bracket, rest = text.partition(")")
    rest = rest.lstrip()
    if not bracket:
        raise _ShapeError("no ')' after the status")
    if rest.startswith("("):
        raise _ShapeError("a second pair of round brackets before the title")
    if rest[:1] in DASHES:
        raise _ShapeError(f"'{rest[0]}' between status and title is not the hyphen '-'")
    if not rest.startswith("-"):
        raise _ShapeError("no ' - ' between status and title")
    return status.strip(), rest[1:].lstrip()


def _title_and_extension(text: str) -> tuple[str, str]:
    title, dot, extension = text.rpartition(".")
    extension = extension.strip()
    if not text:
        raise _ShapeError("no title and no extension")
    if not dot or not extension:
        raise _ShapeError("no extension")
    if _BLANK.search(extension):
        raise _ShapeError("white space inside the extension")
    if not title:
        raise _ShapeError("no title")
    if title != title.rstrip():
        raise _ShapeError("white space between the title and the dot of the extension")
    return title, extension


def _status_problem(status: str) -> str:
    if status in STATUSES:
        return ""
    if not status:
        return "the status is empty"
    hint = f"; did you mean {status.upper()}" if status.upper() in STATUSES else ""
    return f"status '{status}' is not one of the {len(STATUSES)} codes{hint}"


def _revision_problem(revision: str) -> str:
    read = parse_revision(revision)
    if not read.base or "~" in read.base:
        return f"revision '{revision}' is not a base with at most one '~' before it"
    if read.modifier and not read.modifier_type:
        return f"'{read.modifier}' in revision '{revision}' is not '+', a letter and a number"
    return _date_problem(read.base) if DATE.fullmatch(read.base) else ""


def _date_problem(date: str) -> str:
    try:
        datetime.date.fromisoformat(date)
    except ValueError:
        return f"{date} is not a calendar date"
    return ""
