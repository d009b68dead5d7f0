"""Assignments of groups of examples to splits, which never change."""

from pathlib import Path

from weakspot.records import Assignment
from weakspot.records.parsing import parse_record
from weakspot.storage import append_log


def read_assignments(file: Path) -> dict[str, Assignment]:
    """Read the stored split assignments by interaction id; raise :class:`UserError` for a damaged file."""
    found: dict[str, Assignment] = {}
    for line in append_log.read_lines(file):
        remedy = "restore the file from the newest snapshot, it holds the splits"
        place = parse_record(Assignment, line.data, f"{file}:{line.number}", remedy)
        found[place.interaction_id] = place
    return found
