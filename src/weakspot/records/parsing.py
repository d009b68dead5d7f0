"""Parses raw lines into interactions, or raises an error with a reason that programs can count."""

import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from weakspot.records import Interaction, Reason, Record
from weakspot.records.strict_json import parse_strict_json
from zddc.errors import UserError

AnyRecord = TypeVar("AnyRecord", bound=Record)

_ANSWER = "(?:(?:assistant|tool) )*assistant"
# The local turn may also end with a tool's result, if the user interrupted it.
_PATTERN = re.compile(f".*\\buser assistant(?: assistant| tool)* user {_ANSWER}")


class RecordError(ValueError):
    """A line that is not a usable interaction: ``reason`` for programs to count, ``detail`` for people to read."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def parse_json_object(line: bytes) -> dict[str, Any]:
    """Parse one line as a JSON object with valid Unicode text.

    Raises :class:`RecordError` (``not-json``) for anything else: invalid UTF-8, NaN and infinities, lone surrogates,
    half a line, more than 100 levels, a list.
    """
    try:
        value = parse_strict_json(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RecordError("not-json", f"not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise RecordError("not-json", str(error)) from None
    if not isinstance(value, dict):
        raise RecordError("not-json", f"a JSON {type(value).__name__}, not an object")
    return value


def parse_metadata(line: bytes) -> dict[str, Any]:
    """Return the metadata of a line, usable or not, empty where it has none; raise :class:`RecordError` for no JSON."""
    metadata = parse_json_object(line).get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def parse_interaction(line: bytes) -> Interaction:
    """Parse one raw line as a complete interaction.

    Raises :class:`RecordError` with the reason: ``not-json``, ``bad-schema``, ``wrong-roles``,
    ``empty-query``, ``empty-expert`` or ``truncated``.
    """
    return parse_interaction_object(parse_json_object(line))


def parse_interaction_object(value: object, *, whole: bool = True) -> Interaction:
    """Parse a JSON object as :func:`parse_interaction` parses a line.

    With ``whole=False`` an answer marked as incomplete is accepted: it may be stored, but is never trained on.
    """
    try:
        record = Interaction.model_validate(value)
    except ValidationError as error:
        raise RecordError("bad-schema", explain(error)) from None
    roles = [message.role for message in record.messages]
    if not _PATTERN.fullmatch(" ".join(roles)):
        raise RecordError(
            "wrong-roles", f"the last four turns are {', '.join(roles[-4:])}, not user, assistant, user, assistant"
        )
    if not record.query.text.strip():
        raise RecordError("empty-query", "the query has no text")
    if not record.expert.text.strip():
        raise RecordError("empty-expert", "the expert's answer has no text")
    if whole and record.metadata.incomplete:
        raise RecordError("truncated", "the capture marked this answer as incomplete")
    return record


def parse_record(kind: type[AnyRecord], data: bytes, place: Path | str, remedy: str) -> AnyRecord:
    """Parse a stored record; raise :class:`UserError` about ``place`` with ``remedy`` if it is damaged."""
    try:
        return kind.from_json(data)
    except ValidationError as error:
        raise UserError(place, explain(error), remedy) from None


def explain(error: ValidationError) -> str:
    """Return the first of pydantic's errors as one sentence that names the place."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "record"
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message[:1].lower()}{message[1:]}"
