"""Replaces secrets in interactions that are stored already, or shows what would be replaced."""

from collections import Counter
from dataclasses import dataclass

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
    """Replace secrets and personal data in the raw file; with ``dry_run`` only report them.

    A line that is no interaction is left as it is and counted. The dataset and its snapshots are copies:
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
    if changes and not dry_run:
        collect = config.collect
        append_log.replace(workspace.raw, changes, collect.durability, allow_network=collect.allow_network_filesystem)
    return Rescrubbed(lines, unreadable, found, bool(changes) and not dry_run)
