"""Scrub interactions that are stored already, or show what that would replace."""

from collections import Counter
from dataclasses import dataclass

from weakspot.capture.recorder import line_of
from weakspot.config import Config
from weakspot.progress import bar
from weakspot.records.parsing import RecordError, interaction, parse_json_object
from weakspot.redaction.redact import scrub
from weakspot.storage import append_log
from weakspot.teachers import known_secrets
from weakspot.workspace import Workspace


@dataclass(frozen=True)
class Found:
    """What one interaction holds that should not be there, counted by kind."""

    interaction_id: str
    line: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Rescrubbed:
    """What came of a raw file: lines read, those that no rule could read, and each that had something."""

    lines: int
    unreadable: int
    found: list[Found]
    replaced: bool


def rescrub(workspace: Workspace, config: Config, *, dry_run: bool) -> Rescrubbed:
    """Replace secrets and personal data in the raw file; with ``dry_run`` only tell what would be.

    A line that is no interaction is left as it is and counted. The dataset and its snapshots are copies:
    run 'weakspot process' afterwards.
    """
    found: list[Found] = []
    changes: dict[append_log.Line, str | None] = {}
    lines = unreadable = 0
    known = known_secrets(config)
    with bar("scrubbing") as advance:
        for line in append_log.read_lines(workspace.raw):
            lines += 1
            advance(1, "")
            try:
                cleaned = scrub(parse_json_object(line.data), known)
                if not cleaned.counts:
                    continue
                record = interaction(cleaned.value, whole=False)
                counts = Counter(record.metadata.scrubbed or {}) + Counter(cleaned.counts)
                text = line_of(record.described({"scrubbed": dict(counts)}), config)
            except RecordError:
                unreadable += 1
                continue
            found.append(Found(record.id, line.number, dict(cleaned.counts.items())))
            changes[line] = text
    if changes and not dry_run:
        collect = config.collect
        append_log.replace(workspace.raw, changes, collect.durability, allow_network=collect.allow_network_filesystem)
    return Rescrubbed(lines, unreadable, found, bool(changes) and not dry_run)
