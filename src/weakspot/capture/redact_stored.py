"""Replaces secrets in interactions that are stored already, or shows what would be replaced."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakspot.capture.recorder import line_of
from weakspot.config import Config
from weakspot.progress import bar
from weakspot.records.parsing import RecordError, parse_interaction_object, parse_json_object
from weakspot.redaction.redact import scrub
from weakspot.storage import append_log
from weakspot.teachers import api_keys
from weakspot.workspace import Workspace


@dataclass(frozen=True)
class SecretFinding:
    """The secrets and personal data found in one interaction, counted by kind."""

    interaction_id: str
    line: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Rescrubbed:
    """The result for a raw file: lines read, lines that are no interactions, and what was found in which."""

    lines: int
    unreadable: int
    found: list[SecretFinding]
    replaced: bool


def rescrub(workspace: Workspace, config: Config, *, dry_run: bool) -> Rescrubbed:
    """Replace secrets and personal data in the raw files; with ``dry_run`` only report them.

    A line of the interactions that is none is left as it is and counted. The dataset and its snapshots are copies:
    run 'weakspot process' afterwards.
    """
    found: list[SecretFinding] = []
    changes: dict[append_log.Line, str | None] = {}
    lines = unreadable = 0
    known = api_keys(config)
    with bar("scrubbing") as advance:
        for line in append_log.read_lines(workspace.raw):
            lines += 1
            advance(1, "")
            try:
                cleaned = scrub(parse_json_object(line.data), known)
                if not cleaned.counts:
                    continue
                record = parse_interaction_object(cleaned.value, whole=False)
                counts = Counter(record.metadata.scrubbed or {}) + Counter(cleaned.counts)
                text = line_of(record.with_metadata({"scrubbed": dict(counts)}), config)
            except RecordError:
                unreadable += 1
                continue
            found.append(SecretFinding(record.id, line.number, dict(cleaned.counts.items())))
            changes[line] = text
    changed = {workspace.raw: changes}
    for file in (workspace.unfitted, workspace.unheard):
        changed[file] = dict(_scrub_lines(file, known, found))
    if not dry_run:
        collect = config.collect
        for file, lines_of_file in ((file, of_file) for file, of_file in changed.items() if of_file):
            append_log.replace(file, lines_of_file, collect.durability, allow_network=collect.allow_network_filesystem)
    return Rescrubbed(lines, unreadable, found, bool(found) and not dry_run)


def _scrub_lines(file: Path, known: Sequence[str], found: list[SecretFinding]) -> Iterator[tuple[append_log.Line, str]]:
    """Yield the lines of a file beside the interactions that hold secrets, each with what replaces it."""
    for line in append_log.read_lines(file):
        with contextlib.suppress(RecordError):
            cleaned = scrub(parse_json_object(line.data), known)
            if cleaned.counts:
                value: Any = cleaned.value
                identity = str((value.get("metadata") or {}).get("interaction_id", file.name))
                found.append(SecretFinding(identity, line.number, dict(cleaned.counts.items())))
                yield line, json.dumps(value, ensure_ascii=False)
