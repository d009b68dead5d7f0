"""Lines that people and programs wrote become interactions, or an error with its reason."""

import re
from typing import Any

from pydantic import ValidationError

from weakspot.records import Interaction, Reason
from weakspot.records.strict_json import decoded

_ANSWER = "(?:(?:assistant|tool) )*assistant"
# A local turn may also end in a tool's result, where the user broke in.
_PATTERN = re.compile(f".*\\buser assistant(?: assistant| tool)* user {_ANSWER}")


class RecordError(ValueError):
    """A line that is not a usable interaction: ``reason`` to count by, ``detail`` to read."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def parse_json_object(line: bytes) -> dict[str, Any]:
    """Read one line as a JSON object of sound Unicode text.

    Raises :class:`RecordError` (``not-json``) for anything else: broken UTF-8, NaN and infinities, lone
    surrogates, half a line, more than 100 levels, a list.
    """
    try:
        value = decoded(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RecordError("not-json", f"not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise RecordError("not-json", str(error)) from None
    if not isinstance(value, dict):
        raise RecordError("not-json", f"a JSON {type(value).__name__}, not an object")
    return value


def parse_interaction(line: bytes) -> Interaction:
    """Read one raw line as a complete interaction.

    Raises :class:`RecordError` with the reason: ``not-json``, ``bad-schema``, ``wrong-roles``,
    ``empty-query``, ``empty-expert`` or ``truncated``.
    """
    return interaction(parse_json_object(line))


def interaction(value: object, *, whole: bool = True) -> Interaction:
    """Check a decoded JSON object as :func:`parse_interaction` does a line.

    Without ``whole`` an answer that is marked as incomplete passes: it is stored, and never trained on.
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


def explain(error: ValidationError) -> str:
    """Return the first of pydantic's complaints as one sentence that names the place."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "record"
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message[:1].lower()}{message[1:]}"
