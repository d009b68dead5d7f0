"""Reads the data of a transmittal, as leniently as others write it, and no more."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Literal

from zddc.canonical import Json, JsonError, parse_json
from zddc.errors import UserError
from zddc.transmittal.block import BlockError, find_block, shift

# In the place of a SHA-256: this row is the transmittal itself, which cannot hold its own hash.
SELF = "self:payload-digest"
DIGEST_ALGORITHM, SIGNATURE_ALGORITHM = "SHA-256", "ECDSA-P256-SHA256"
# In the order in which they are written.
TEXTS = (
    *("type", "title", "client", "project", "projectNumber", "subject", "remarks", "date", "trackingNumber"),
    *("from", "to", "purpose", "responseDue"),
)
FILE_TEXTS = ("trackingNumber", "revision", "status", "title", "path", "filename", "sha256")
LARGEST_PAGE = 64 << 20

SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_OUT_OF_FOLDER = re.compile(r"(^|/)\.{1,2}(/|$)|^/|//|/$|\\|\x00")

State = Literal["draft", "digest", "signed"]


class DataError(ValueError):
    """The data is not that of a transmittal; the message is the reason."""


@dataclass(frozen=True)
class ListedFile:
    """A row of the list of files. ``sha256`` is in lower case, and empty where the row has none."""

    tracking_number: str = ""
    revision: str = ""
    status: str = ""
    title: str = ""
    path: str = ""
    filename: str = ""
    sha256: str = ""
    size: int = 0

    @property
    def place(self) -> str:
        """Where the file lies, relative to the folder of the transmittal; empty where the row names no file."""
        return f"{self.path}/{self.filename}" if self.path and self.filename else self.filename


@dataclass(frozen=True)
class Transmittal:
    """A transmittal as it was read: its three objects as they stand, since the digest is that of every byte."""

    payload: Mapping[str, Json]
    envelope: Mapping[str, Json]
    presentation: Mapping[str, Json]

    def __getitem__(self, field: str) -> str:
        """Return a text of the payload; what is not there is empty."""
        return text_of(self.payload, field)

    @property
    def state(self) -> State:
        """Whether it is a draft, has a digest that everybody can compute, or is signed as well."""
        if not text_of(self.envelope, "digest"):
            return "draft"
        return "signed" if self.signatures else "digest"

    @property
    def signatures(self) -> Sequence[Mapping[str, Json]]:
        """The signatures, not judged."""
        return [one for one in items(self.envelope, "signatures") if isinstance(one, Mapping)]

    @cached_property
    def files(self) -> tuple[ListedFile, ...]:
        """The listed files, without the transmittal itself."""
        return tuple(_file(row) for row in self._rows if text_of(row, "sha256") != SELF)

    @property
    def self_row(self) -> ListedFile | None:
        """The row of the transmittal itself, None where there is none."""
        return next((_file(row) for row in self._rows if text_of(row, "sha256") == SELF), None)

    @property
    def _rows(self) -> list[Mapping[str, Json]]:
        return [row for row in items(self.payload, "files") if isinstance(row, Mapping)]


def text_of(fields: Mapping[str, Json], name: str) -> str:
    """Return a text; empty where it is not there, or null."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def items(fields: Mapping[str, Json], name: str) -> Sequence[Json]:
    """Return a list; empty where it is not there, or null."""
    value = fields.get(name)
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _file(row: Mapping[str, Json]) -> ListedFile:
    number, revision, status, title, path, filename, sha256 = (text_of(row, name) for name in FILE_TEXTS)
    size = row.get("fileSize")
    size = int(size) if isinstance(size, int | float) else 0
    path = path.removeprefix("./").removesuffix("/")
    return ListedFile(number, revision, status, title, "" if path == "." else path, filename, sha256.lower(), size)


def read_transmittal(file: Path) -> Transmittal:
    """Read the HTML of a transmittal, or its data as JSON; raise :class:`UserError` for what is none."""
    with file.open("rb") as stream:
        return read_page(file, stream)


def read_page(file: Path, stream: IO[bytes]) -> Transmittal:
    """Read what :func:`read_transmittal` does from an open file; ``file`` is how it is called."""
    content = stream.read(LARGEST_PAGE + 1)
    remedy = "ask the sender for a transmittal that is whole"
    if len(content) > LARGEST_PAGE:
        raise UserError(file, f"more than {LARGEST_PAGE >> 20} MiB", remedy)
    try:
        return parse_transmittal(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UserError(file, "not UTF-8", remedy) from None
    except JsonError as error:
        raise UserError(f"{file}:{error.line}:{error.column}", error.reason, remedy) from None
    except (BlockError, DataError) as error:
        raise UserError(file, str(error), remedy) from None


def parse_transmittal(text: str) -> Transmittal:
    """Return the transmittal in an HTML, or in the JSON of its data.

    Raises :class:`BlockError` where there is no data, :class:`zddc.canonical.JsonError` where that is no JSON, with the
    place in ``text``, and :class:`DataError` where it is not that of a transmittal.
    """
    if text.lstrip(" \t\r\n").startswith("{"):
        return check_data(parse_json(text))
    start, end = find_block(text)
    try:
        return check_data(parse_json(text[start:end]))
    except JsonError as error:
        raise shift(error, text, start) from None


def check_data(data: Json) -> Transmittal:
    """Return the transmittal of the data; raise :class:`DataError` that names the wrong part."""
    whole = _object(data, "the data")
    payload = _object(whole.get("payload"), "payload")
    _check_payload(payload)
    envelope = _object(_or(whole.get("envelope"), {}), "envelope")
    _check_envelope(envelope)
    return Transmittal(payload, envelope, _object(_or(whole.get("presentation"), {}), "presentation"))


def _or(value: Json, otherwise: Json) -> Json:
    return otherwise if value is None else value


def _object(value: Json, name: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise DataError(f"{name} is no object")
    return value


def _check_texts(fields: Mapping[str, Json], names: Sequence[str], place: str) -> None:
    for name in names:
        if not isinstance(_or(fields.get(name), ""), str):
            raise DataError(f"{place}.{name} is no text")


def _check_version(fields: Mapping[str, Json], place: str) -> None:
    version = fields.get("version")
    if isinstance(version, bool) or version != 1:
        raise DataError(f"{place}.version is not 1")


def _check_payload(payload: Mapping[str, Json]) -> None:
    _check_version(payload, "payload")
    _check_texts(payload, TEXTS, "payload")
    places: set[str] = set()
    selves = 0
    for place, row in _objects(payload, "files", "payload"):
        _check_texts(row, FILE_TEXTS, place)
        size = _or(row.get("fileSize"), 0)
        if isinstance(size, bool) or not isinstance(size, int | float) or size < 0 or size % 1:
            raise DataError(f"{place}.fileSize is no whole number")
        listed = _file(row)
        if listed.sha256 and listed.sha256 != SELF and not SHA256.fullmatch(listed.sha256):
            raise DataError(f"{place}.sha256 is no SHA-256")
        if _OUT_OF_FOLDER.search(listed.path):
            raise DataError(f"{place}.path leads out of the folder")
        if "/" in listed.filename or _OUT_OF_FOLDER.search(listed.filename):
            raise DataError(f"{place}.filename is no name of a file")
        selves += listed.sha256 == SELF
        if selves > 1:
            raise DataError(f"{place} is a second row of the transmittal itself")
        if listed.place in places:
            raise DataError(f"{place} is a second row of one file")
        places |= {listed.place} - {""}


def _check_envelope(envelope: Mapping[str, Json]) -> None:
    _check_texts(envelope, ("digest", "digestAlgorithm", "digestedAt", "signatureAlgorithm"), "envelope")
    digest = text_of(envelope, "digest")
    signatures = [*_objects(envelope, "signatures", "envelope")]
    if not digest:
        if signatures:
            raise DataError("signatures without a digest")
        return
    _check_version(envelope, "envelope")
    if text_of(envelope, "digestAlgorithm") != DIGEST_ALGORITHM:
        raise DataError(f"envelope.digestAlgorithm is not {DIGEST_ALGORITHM}")
    if not SHA256.fullmatch(digest):
        raise DataError("envelope.digest is no SHA-256")
    if signatures and text_of(envelope, "signatureAlgorithm") != SIGNATURE_ALGORITHM:
        raise DataError(f"envelope.signatureAlgorithm is not {SIGNATURE_ALGORITHM}")


def _objects(fields: Mapping[str, Json], name: str, place: str) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Yield the objects of a list with their places; nothing where the list is not there, or null."""
    value = fields.get(name)
    if value is None:
        return
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise DataError(f"{place}.{name} is no list")
    for number, one in enumerate(value):
        yield f"{place}.{name}[{number}]", _object(one, f"{place}.{name}[{number}]")
