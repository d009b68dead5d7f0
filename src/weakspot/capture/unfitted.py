"""Consultations that were answered and are no interactions: reads them, and tries them again after an update."""

import contextlib
from dataclasses import dataclass

from pydantic import ValidationError

from weakspot.capture.consultation import retry_unfitted
from weakspot.capture.decisions import load_decisions
from weakspot.config import Config
from weakspot.records import UnfittedConsultation
from weakspot.records.parsing import RecordError, parse_metadata
from weakspot.storage import append_log
from weakspot.workspace import Workspace


@dataclass(frozen=True)
class Retried:
    """The result of trying again: ids of the consultations that are interactions now, and the others by reason."""

    added: list[str]
    left: dict[str, str]


def read_unfitted(workspace: Workspace) -> list[UnfittedConsultation]:
    """Return the consultations that are still no interactions, and were not forgotten."""
    found: list[UnfittedConsultation] = []
    for line in append_log.read_lines(workspace.unfitted):
        try:
            found.append(UnfittedConsultation.from_json(line.data))
        except ValidationError:
            continue  # half a line, which a killed gateway left: its client was not told that it is stored
    if not found:
        return []
    gone = {*load_decisions(workspace).forgotten, *_stored_ids(workspace)}
    return [one for one in found if one.id not in gone]


def collect_unfitted(workspace: Workspace, config: Config) -> Retried:
    """Store what has become an interaction since; the others stay where they are, with the reason of today."""
    added: list[str] = []
    left: dict[str, str] = {}
    for one in read_unfitted(workspace):
        try:
            added.append(retry_unfitted(workspace, config, one).interaction.id)
        except RecordError as error:
            left[one.id] = f"{error.reason}: {error.detail}"
    return Retried(added, left)


def _stored_ids(workspace: Workspace) -> set[str]:
    found = set()
    for line in append_log.read_lines(workspace.raw):
        with contextlib.suppress(RecordError):  # process reports it, with its line number
            found.add(str(parse_metadata(line.data).get("interaction_id")))
    return found
