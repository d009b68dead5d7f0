"""Capture interactions: one from its three texts, or a file of them."""

import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from weakspot.config import Config
from weakspot.data import journal
from weakspot.domains import Detection, detect_by
from weakspot.parsing import RecordError, interaction, parse_json_object
from weakspot.records import Interaction, domain_name
from weakspot.workspace import Workspace
from zddc.errors import UserError

MANUAL = "manual-expert-consultation"
IMPORTED = "import"
_FLAT = {"query", "local", "expert", "domain"}


@dataclass(frozen=True)
class Collected:
    """One captured interaction, the adapter that will learn from it, and how its domain was found."""

    interaction: Interaction
    adapter: str
    file: Path
    hits: dict[str, dict[str, list[str]]]


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


def collect(
    workspace: Workspace,
    config: Config,
    *,
    query: str,
    local: str,
    expert: str,
    domain: str | None = None,
    escalation: str | None = None,
) -> Collected:
    """Append one interaction durably and return it; raise :class:`UserError` for texts that teach nothing."""
    if domain is not None:
        try:
            domain_name(domain)
        except ValueError as error:
            raise UserError("--domain", str(error), "give another name") from None
    found = detect_by(config, query, [local, expert]) if domain is None else Detection(domain, {})
    now = datetime.now(UTC)
    adapter = workspace.next_adapter(found.domain).label
    values = _conversation(query, local, expert, escalation or config.collect.escalation)
    values["metadata"] = {
        "domain": found.domain,
        "adapter": adapter,
        "timestamp": _timestamp(now),
        "interaction_id": new_id(now),
        "source": MANUAL,
    }
    try:
        record = interaction(values)
        line = _line(record, config)
    except RecordError as error:
        raise UserError("interaction", error.detail, "nothing was stored, give another text") from None
    journal.append(workspace.raw, [line])
    return Collected(record, adapter, workspace.raw, found.hits)


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
            waiting.append(_line(record, config))
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


def new_id(moment: datetime) -> str:
    """Return a fresh interaction id, ``int_<milliseconds>_<six random characters>``."""
    alphabet = string.ascii_lowercase + string.digits
    tail = "".join(secrets.choice(alphabet) for _ in range(6))
    return f"int_{int(moment.timestamp() * 1000)}_{tail}"


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _conversation(query: str, local: str, expert: str, escalation: str) -> dict[str, Any]:
    turns = [("user", query), ("assistant", local), ("user", escalation), ("assistant", expert)]
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def _line(record: Interaction, config: Config) -> str:
    line = record.to_json()
    try:
        size, limit = len(line.encode("utf-8")), config.collect.max_record_bytes
    except UnicodeEncodeError:  # a command line's text that was not UTF-8
        raise RecordError("not-json", "a text holds a lone surrogate, which is no character") from None
    if size > limit:
        raise RecordError("too-large", f"{size:,} bytes, more than the {limit:,} of [collect] max_record_bytes")
    return line


def _imported(workspace: Workspace, config: Config, line: bytes) -> Interaction:
    value = parse_json_object(line)
    if "messages" not in value:
        value = _from_flat(value, config)
    metadata = value.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise RecordError("bad-schema", "metadata: not an object")
    now = datetime.now(UTC)
    filled: dict[str, Any] = {"timestamp": _timestamp(now), "interaction_id": new_id(now), "source": IMPORTED}
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
    conversation = _conversation(query, local, expert, config.collect.escalation)
    if value.get("domain") is not None:
        conversation["metadata"] = {"domain": value["domain"]}
    return conversation


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


def stored(workspace: Workspace) -> Iterator[Interaction]:
    """Yield the readable interactions of the raw file."""
    for line in journal.read_lines(workspace.raw):
        try:
            yield interaction(parse_json_object(line.data))
        except RecordError:
            continue  # process reports it, with its line number
