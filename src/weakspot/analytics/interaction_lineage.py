"""Where an interaction is: its raw line, the snapshots that hold it, the adapters that saw it, what of them is live."""

import contextlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from weakspot.capture.decisions import read_decisions
from weakspot.deployment import releases
from weakspot.models import adapters
from weakspot.records import MULTI_DOMAIN, SPLITS, Release, Split
from weakspot.records.parsing import RecordError, parse_json_object
from weakspot.storage import append_log
from weakspot.workspace import Workspace
from zddc.errors import UserError


@dataclass(frozen=True)
class Whereabouts:
    """An interaction's places: by snapshot and by adapter the split that it is in there; the releases now in service.

    Only the split train teaches; val chose an adapter's best step, and test judged it. ``raw_line`` is None where the
    raw file has it no more.
    """

    interaction_id: str
    raw_line: int | None
    forgotten: bool
    domain: str | None
    snapshots: dict[str, Split]
    adapters: dict[str, Split]
    live: list[Release]


def whereabouts(workspace: Workspace, identity: str) -> Whereabouts:
    """Return where an interaction is; raise :class:`UserError` where it is nowhere."""
    lines = raw_lines(workspace, {identity})
    places = {name: found for name in workspace.snapshot_names() if (found := _place(workspace, name, identity))}
    forgotten = identity in read_decisions(workspace).forgotten
    if not (lines or places or forgotten):
        problem = "no interaction, adapter or release is called that"
        raise UserError(identity[:80], problem, "look it up, or give --domain where it is a text of one word")
    saw: dict[str, Split] = {}
    for name in workspace.adapter_names():
        split, domain = places.get(adapters.read_manifest(workspace, name, verify=False).snapshot, (None, None))
        if split is not None and name.domain in (MULTI_DOMAIN, domain):
            saw[str(name)] = split
    live = releases.live(releases.read_releases(workspace)).values()
    return Whereabouts(
        interaction_id=identity,
        raw_line=lines.get(identity),
        forgotten=forgotten,
        domain=next((domain for _, domain in reversed(places.values())), None),
        snapshots={name: split for name, (split, _) in places.items()},
        adapters=saw,
        live=[one for one in live if one.adapter in saw],
    )


def raw_lines(workspace: Workspace, identities: Collection[str]) -> dict[str, int]:
    """Return the number of the raw line of each interaction that is there, the first where there are several."""
    found: dict[str, int] = {}
    for number, metadata in _metadata(workspace.raw, identities):
        found.setdefault(str(metadata["interaction_id"]), number)
    return found


def _place(workspace: Workspace, snapshot: str, identity: str) -> tuple[Split, str | None] | None:
    """Return the split of a snapshot that an interaction is in, and its domain there."""
    for split in SPLITS:
        file = workspace.snapshot_split(snapshot, split)
        for _, metadata in _metadata(file, {identity}):
            return split, str(metadata.get("domain"))
    return None


def _metadata(file: Path, identities: Collection[str]) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield number and metadata of the lines of these interactions."""
    # Most lines are others', and need not be parsed. An id may be spelt with escapes.
    spelt = {json.dumps(one, ensure_ascii=escaped).encode() for one in identities for escaped in (False, True)}
    mentioned = re.compile(b"|".join(map(re.escape, spelt)))
    for line in append_log.read_lines(file):
        if not mentioned.search(line.data):
            continue
        with contextlib.suppress(RecordError):
            metadata = parse_json_object(line.data).get("metadata")
            if isinstance(metadata, dict) and metadata.get("interaction_id") in identities:
                yield line.number, metadata
