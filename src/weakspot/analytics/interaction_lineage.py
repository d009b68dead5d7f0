"""Lineage of one interaction: its raw line, snapshots, adapters, and the releases of those adapters that are live."""

import contextlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from weakspot.capture.decisions import load_decisions
from weakspot.dataset.assignments import read_assignments
from weakspot.dataset.snapshots import is_marked
from weakspot.deployment import releases
from weakspot.models import adapters
from weakspot.records import MULTI_DOMAIN, SPLITS, Release, Split
from weakspot.records.parsing import RecordError, parse_metadata
from weakspot.storage import append_log
from weakspot.workspace import Workspace
from zddc.errors import UserError


@dataclass(frozen=True)
class InteractionLineage:
    """Everything that contains one interaction or was made with it.

    ``snapshots`` and ``adapters`` map a name to the split that contains the interaction there; ``live`` has the
    releases of these adapters that are in service now. Only the split train changes an adapter's weights: val selects
    its best step, and test evaluates it. ``raw_line`` is None if the raw file no longer contains the interaction.
    """

    interaction_id: str
    raw_line: int | None
    forgotten: bool
    domain: str | None
    snapshots: dict[str, Split]
    adapters: dict[str, Split]
    live: list[Release]


def trace_interaction(workspace: Workspace, identity: str) -> InteractionLineage:
    """Return the lineage of an interaction; raise :class:`UserError` if the workspace does not know it."""
    lines = find_raw_lines(workspace, {identity})
    places = {name: found for name in workspace.snapshot_names() if (found := _find_split(workspace, name, identity))}
    forgotten = identity in load_decisions(workspace).forgotten
    if not (lines or places or forgotten):
        problem = "no interaction, adapter or release has this name"
        raise UserError(identity[:80], problem, "check the name; if it is a text of one word, give --domain")
    saw: dict[str, Split] = {}
    for name in workspace.adapter_names():
        split, domain = places.get(adapters.read_manifest(workspace, name, verify=False).snapshot, (None, None))
        if split is not None and name.domain in (MULTI_DOMAIN, domain):
            saw[str(name)] = split
    live = releases.live(releases.read_releases(workspace)).values()
    return InteractionLineage(
        interaction_id=identity,
        raw_line=lines.get(identity),
        forgotten=forgotten,
        domain=next((domain for _, domain in reversed(places.values())), None),
        snapshots={name: split for name, (split, _) in places.items()},
        adapters=saw,
        live=[one for one in live if one.adapter in saw],
    )


def find_raw_lines(workspace: Workspace, identities: Collection[str]) -> dict[str, int]:
    """Return the raw line number of each interaction that is found, the first one if it occurs more than once."""
    found: dict[str, int] = {}
    for number, metadata in _scan_metadata(workspace.raw, identities):
        found.setdefault(str(metadata["interaction_id"]), number)
    return found


def _find_split(workspace: Workspace, snapshot: str, identity: str) -> tuple[Split, str | None] | None:
    """Return the split of a snapshot that contains an interaction or did before that was forgotten, and its domain."""
    if is_marked(workspace.snapshot_forgotten(snapshot), identity):
        file = workspace.snapshot(snapshot) / workspace.assignments.relative_to(workspace.root)
        known = read_assignments(file).get(identity)
        return (known.split, known.domain) if known else None
    for split in SPLITS:
        file = workspace.snapshot_split(snapshot, split)
        for _, metadata in _scan_metadata(file, {identity}):
            return split, str(metadata.get("domain"))
    return None


def _scan_metadata(file: Path, identities: Collection[str]) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield line number and metadata of each line that belongs to one of these interactions."""
    # Most lines belong to other interactions and need not be parsed. An id may be written with JSON escapes.
    spelt = {json.dumps(one, ensure_ascii=escaped).encode() for one in identities for escaped in (False, True)}
    mentioned = re.compile(b"|".join(map(re.escape, spelt)))
    for line in append_log.read_lines(file):
        if not mentioned.search(line.data):
            continue
        with contextlib.suppress(RecordError):
            metadata = parse_metadata(line.data)
            if metadata.get("interaction_id") in identities:
                yield line.number, metadata
