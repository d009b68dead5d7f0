"""Reads the processed dataset: examples of a file, of a split, and the current snapshot."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from weakspot.records import MULTI_DOMAIN, SPLITS, Interaction, Rejection, Snapshot, Split, Thoughts
from weakspot.records.parsing import RecordError, parse_interaction, parse_record
from weakspot.storage import append_log, atomic
from weakspot.workspace import Workspace
from zddc.errors import UserError


def read_examples(file: Path) -> Iterator[Interaction]:
    """Yield the examples of a processed file; raise :class:`UserError` for a damaged line."""
    for line in append_log.read_lines(file):
        try:
            yield parse_interaction(line.data)
        except RecordError as error:
            raise UserError(f"{file}:{line.number}", error.detail, "run 'weakspot process' to write it anew") from None


def read_rejections(workspace: Workspace) -> Iterator[Rejection]:
    """Yield the raw lines that were left out; raise :class:`UserError` for a damaged line."""
    file = workspace.rejections
    for line in append_log.read_lines(file):
        yield parse_record(Rejection, line.data, f"{file}:{line.number}", "run 'weakspot process' to write it anew")


def load_split(workspace: Workspace, split: Split, domain: str = MULTI_DOMAIN) -> list[Interaction]:
    """Return the examples of a split, of one domain or of all.

    Raises :class:`UserError` if there is no dataset yet.
    """
    file = workspace.split(split)
    if not file.exists():
        raise UserError(file, "no dataset yet", "run 'weakspot process'")
    return [example for example in read_examples(file) if domain in (MULTI_DOMAIN, example.domain)]


def load_local_thoughts(workspace: Workspace) -> dict[str, str]:
    """Return what the local model wrote before its own answers, by the interaction's id; damaged lines are left out."""
    found = {}
    for line in append_log.read_lines(workspace.thoughts):
        with contextlib.suppress(ValidationError):
            one = Thoughts.from_json(line.data)
            if one.of == "local":
                found[one.interaction_id] = one.thoughts
    return found


def require_domain(workspace: Workspace, domain: str) -> None:
    """Raise :class:`UserError` if the dataset has no example of ``domain``."""
    if domain == MULTI_DOMAIN or workspace.examples(domain).exists():
        return
    have = workspace.example_files()
    remedy = f"choose from {', '.join(have)}" if have else "run 'weakspot process'"
    raise UserError(domain, "no examples of this domain", remedy)


def current_snapshot(workspace: Workspace) -> str:
    """Return the newest snapshot; raise :class:`UserError` if the splits differ from those in it."""
    names = workspace.snapshot_names()
    held: dict[str, str] = {}
    if names:
        manifest = workspace.snapshot_manifest(names[-1])
        held = parse_record(Snapshot, manifest.read_bytes(), manifest, "run 'weakspot process'").files
    for split in SPLITS:
        file = workspace.split(split)
        if held.get(str(file.relative_to(workspace.root))) != atomic.sha256(file):
            raise UserError(file, "is not what the newest snapshot holds", "run 'weakspot process'")
    return names[-1]
