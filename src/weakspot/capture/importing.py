"""Import interactions from a file of them, each only once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from weakspot.capture.keeping import conversation, line_of, new_id, stored, timestamp
from weakspot.config import Config
from weakspot.data import journal
from weakspot.parsing import RecordError, interaction, parse_json_object
from weakspot.records import Interaction
from weakspot.workspace import Workspace
from zddc.errors import UserError

IMPORTED = "import"
_FLAT = {"query", "local", "expert", "domain"}


@dataclass(frozen=True)
class BadLine:
    """A line that could not be imported."""

    line: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Imported:
    """What came of a file: lines added, lines that were there already, and lines that are bad."""

    added: int
    already_there: int
    bad: list[BadLine]
    file: Path


def import_file(workspace: Workspace, config: Config, source: Path) -> Imported:
    """Append the interactions of a JSONL file that are not there yet.

    A line is in the raw format or ``{"query", "local", "expert"[, "domain"]}``; a missing id, timestamp,
    source or adapter is filled in. Bad lines are returned by number and stop nothing.
    """
    if not source.is_file():
        raise UserError(source, "no such file", "give a JSONL file")
    known = _Known(workspace)
    bad: list[BadLine] = []
    waiting: list[str] = []
    added = already = 0
    for line in journal.read_lines(source):
        try:
            record = _imported(workspace, config, line.data)
            if known.has(record):
                already += 1
                continue
            waiting.append(line_of(record, config))
        except RecordError as error:
            bad.append(BadLine(line.number, error.reason, error.detail))
            continue
        known.add(record)
        added += 1
        if len(waiting) >= 1000:
            journal.append(workspace.raw, waiting)
            waiting.clear()
    if waiting:
        journal.append(workspace.raw, waiting)
    return Imported(added, already, bad, workspace.raw)


def _imported(workspace: Workspace, config: Config, line: bytes) -> Interaction:
    value = parse_json_object(line)
    if "messages" not in value:
        value = _from_flat(value, config)
    metadata = value.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise RecordError("bad-schema", "metadata: not an object")
    now = datetime.now(UTC)
    filled: dict[str, Any] = {"timestamp": timestamp(now), "interaction_id": new_id(now), "source": IMPORTED}
    value["metadata"] = {**filled, **metadata}
    return interaction(value)


def _from_flat(value: dict[str, Any], config: Config) -> dict[str, Any]:
    unknown, missing = sorted(set(value) - _FLAT), sorted(_FLAT - {"domain"} - set(value))
    if unknown or missing:
        what = f"no {', '.join(missing)}" if missing else f"unknown {', '.join(unknown)}"
        raise RecordError("bad-schema", f"{what}: neither the raw format nor query, local, expert[, domain]")
    query, local, expert = value["query"], value["local"], value["expert"]
    if not all(isinstance(text, str) for text in (query, local, expert)):
        raise RecordError("bad-schema", "query, local and expert are texts")
    turns = conversation(query, local, expert, config.collect.escalation)
    metadata = {"domain": value["domain"]} if value.get("domain") is not None else {}
    return {"messages": turns, "metadata": metadata}


class _Known:
    """The ids and contents already in the raw file."""

    def __init__(self, workspace: Workspace) -> None:
        self._content_by_id: dict[str, str] = {}
        self._contents: set[str] = set()
        for record in stored(workspace):
            self.add(record)

    def add(self, record: Interaction) -> None:
        content = record.content_key()
        self._content_by_id[record.id] = content
        self._contents.add(content)

    def has(self, record: Interaction) -> bool:
        content = record.content_key()
        if self._content_by_id.get(record.id, content) != content:
            raise RecordError("duplicate-id", f"{record.id} is there already with other messages")
        return content in self._contents
