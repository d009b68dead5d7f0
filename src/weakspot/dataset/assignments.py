"""Assignments of groups of examples to splits, which never change."""

from pathlib import Path

from pydantic import ValidationError

from weakspot.records import Assignment
from weakspot.records.parsing import explain
from weakspot.storage import append_log
from zddc.errors import UserError


def read_assignments(file: Path) -> dict[str, Assignment]:
    """Read the stored split assignments by interaction id; raise :class:`UserError` for a damaged file."""
    found: dict[str, Assignment] = {}
    for line in append_log.read_lines(file):
        try:
            place = Assignment.from_json(line.data)
        except ValidationError as error:
            raise UserError(
                f"{file}:{line.number}",
                explain(error),
                "restore the file from the newest snapshot, it holds the splits",
            ) from None
        found[place.interaction_id] = place
    return found
