"""Takes a forgotten interaction out of snapshots, which otherwise never change."""

import json
from pathlib import Path

from pydantic import ValidationError

from weakspot.records import Decision, Interaction, Snapshot
from weakspot.records.parsing import RecordError, parse_metadata, parse_record
from weakspot.storage import append_log, atomic
from weakspot.workspace import Workspace


def snapshots_with(workspace: Workspace, identity: str) -> list[str]:
    """Return the snapshots that hold an interaction, or held it before it was forgotten, the oldest first."""
    return [name for name in workspace.snapshot_names(complete=False) if _held(workspace, name, identity)]


def is_marked(file: Path, identity: str) -> bool:
    """Return whether a file of marks says that an interaction was forgotten."""
    lines = append_log.read_lines(file)
    marks = (parse_record(Decision, one.data, f"{file}:{one.number}", "mend that line") for one in lines)
    return any(mark.interaction_id == identity for mark in marks)


def erase_from_snapshot(workspace: Workspace, name: str, identity: str) -> None:
    """Write the files of a snapshot anew without an interaction, then its manifest, which notes its earlier hash."""
    folder, manifest = workspace.snapshot(name), workspace.snapshot_manifest(name)
    places = [folder / part.relative_to(workspace.root) for part in (workspace.processed, workspace.validation)]
    changed = [file for place in places for file in sorted(place.glob("*.jsonl")) if erase_lines(file, identity)]
    for file in changed:
        file.chmod(file.stat().st_mode & 0o440)
    try:
        old = manifest.read_bytes()
        known = Snapshot.from_json(old)
    except (FileNotFoundError, ValidationError):  # an incomplete snapshot proves nothing
        return
    files = {one: atomic.sha256(folder / one) for one in known.files if (folder / one).exists()}
    if changed or files != known.files:
        earlier = [*(known.earlier or ()), atomic.sha256(manifest)]
        everything = folder / workspace.all_examples.relative_to(workspace.root)
        counts = {**known.counts, "examples": sum(1 for _ in append_log.read_lines(everything))}
        new = known.model_copy(update={"files": files, "counts": counts, "earlier": earlier})
        atomic.write_atomically(manifest, new.to_document())


def erase_lines(file: Path, identity: str) -> bool:
    """Write a file of examples anew without those of an interaction; return whether it had any."""
    spelt = [json.dumps(identity, ensure_ascii=escaped).encode() for escaped in (False, True)]
    if file.is_symlink() or not any(one in file.read_bytes() for one in spelt):
        return False
    lines = list(append_log.read_lines(file))
    kept = [line.data for line in lines if not _is_example(line.data, identity)]
    if len(kept) < len(lines):
        atomic.write_atomically(file, b"".join(one + b"\n" for one in kept))
    return len(kept) < len(lines)


def _held(workspace: Workspace, name: str, identity: str) -> bool:
    file = workspace.snapshot(name) / workspace.all_examples.relative_to(workspace.root)
    held = any(_is_example(line.data, identity) for line in append_log.read_lines(file))
    return held or is_marked(workspace.snapshot_forgotten(name), identity)


def _is_example(data: bytes, identity: str) -> bool:
    try:
        return parse_metadata(data).get("interaction_id") == identity
    except RecordError:
        return False


def examples_of(workspace: Workspace, name: str, file: Path) -> list[Interaction]:
    """Return the examples in the copy that a snapshot has of ``file``."""
    copy = workspace.snapshot(name) / file.relative_to(workspace.root)
    remedy = "restore the snapshot, or train again"
    return [
        parse_record(Interaction, line.data, f"{copy}:{line.number}", remedy) for line in append_log.read_lines(copy)
    ]
