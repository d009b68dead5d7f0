"""Forgets an interaction: erases it from raw file, dataset and scorecards; marks snapshots and adapters that saw it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weakspot.capture.decisions import decide, load_decisions
from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.deployment import parity_check
from weakspot.models import adapters
from weakspot.pipeline.process import process
from weakspot.records import MULTI_DOMAIN, SPLITS, Decision, Interaction
from weakspot.records.parsing import RecordError, parse_interaction_object, parse_json_object
from weakspot.storage import append_log, atomic
from weakspot.storage.append_log import Line
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

_GONE = "(forgotten)"


@dataclass(frozen=True)
class Forgotten:
    """The result of forgetting an interaction.

    ``lines`` is the number of raw lines erased. ``snapshots`` and ``adapters`` saw the interaction; they are marked,
    and still contain what they copied or learnt until they are removed or trained again.
    """

    interaction_id: str
    lines: int
    snapshots: list[str]
    adapters: list[str]


def forget(workspace: Workspace, config: Config, identity: str) -> Forgotten:
    """Erase an interaction for good; raise :class:`UserError` if it does not exist.

    The decision is written first: even if the rest is interrupted, no stage uses the interaction again and no import
    brings it back. Running it again finishes the work.
    """
    found = {file: list(_find_lines(file, identity)) for file in (workspace.raw, workspace.unfitted)}
    lines = [line for of_file in found.values() for line in of_file]
    if not lines and identity not in load_decisions(workspace).forgotten:
        raise UserError(identity, "no such interaction", "look the id up in the raw file or the rejections")
    decide(workspace, config, [(identity, "forget", _content_key(line)) for line in lines])
    collect = config.collect
    for file in filter(Path.exists, found):
        changes = dict.fromkeys(found[file])
        append_log.replace(file, changes, collect.durability, allow_network=collect.allow_network_filesystem)
    if workspace.all_examples.exists():
        process(workspace, config)
    snapshots = [
        name
        for name in workspace.snapshot_names()
        if _contains_interaction(workspace.snapshot(name), workspace, identity)
    ]
    adapters = [name for name in workspace.adapter_names() if _saw(workspace, name, identity, snapshots)]
    for mark in (
        *(workspace.snapshot_forgotten(name) for name in snapshots),
        *(workspace.adapter_forgotten(name) for name in adapters),
    ):
        _mark(mark, workspace, identity)
    for name in workspace.adapter_names():
        _erase_from_scorecard(workspace, name, identity)
        _erase_from_reference_answers(workspace, name, identity)
    return Forgotten(identity, len(lines), snapshots, [str(name) for name in adapters])


def _find_lines(file: Path, identity: str) -> Iterator[Line]:
    """Yield every line of a file with the id, usable or not."""
    for line in append_log.read_lines(file):
        try:
            metadata = parse_json_object(line.data).get("metadata")
        except RecordError:
            # Half a line, left by an interrupted erasure elsewhere: only the id itself can be searched for.
            if json.dumps(identity).encode() in line.data:
                yield line
            continue
        if isinstance(metadata, dict) and metadata.get("interaction_id") == identity:
            yield line


def _content_key(line: Line) -> str | None:
    try:
        return parse_interaction_object(parse_json_object(line.data), whole=False).content_key()
    except RecordError:
        return None


def _load_examples(folder: Path, workspace: Workspace, file: Path) -> list[Interaction]:
    return list(reading.read_examples(folder / file.relative_to(workspace.root)))


def _contains_interaction(folder: Path, workspace: Workspace, identity: str) -> bool:
    return any(example.id == identity for example in _load_examples(folder, workspace, workspace.all_examples))


def _saw(workspace: Workspace, name: AdapterName, identity: str, snapshots: list[str]) -> bool:
    """Return whether an adapter was trained, selected (val) or evaluated (test) on the interaction."""
    manifest = adapters.read_manifest(workspace, name)
    if manifest.snapshot not in snapshots:
        return False
    folder = workspace.snapshot(manifest.snapshot)
    return any(
        example.id == identity and name.domain in (MULTI_DOMAIN, example.domain)
        for split in SPLITS
        for example in _load_examples(folder, workspace, workspace.split(split))
    )


def _mark(file: Path, workspace: Workspace, identity: str) -> None:
    if all(Decision.from_json(line.data).interaction_id != identity for line in append_log.read_lines(file)):
        decided = [Decision.from_json(line.data) for line in append_log.read_lines(workspace.decisions)]
        mark = next(one for one in reversed(decided) if one.interaction_id == identity)
        append_log.append(file, [mark.to_json()])


def _erase_from_scorecard(workspace: Workspace, name: AdapterName, identity: str) -> None:
    """Remove the interaction's texts from a scorecard; its numbers stay, since the verdict depends on them."""
    from weakspot.evaluation import html_report

    card = adapters.read_scorecard(workspace, name)
    if card is None or all(row.interaction_id != identity or row.query == _GONE for row in card.rows):
        return
    words = dict.fromkeys(("query", "local", "expert"), _GONE) | dict.fromkeys(("base_answer", "adapter_answer"))
    rows = [row.model_copy(update=words) if row.interaction_id == identity else row for row in card.rows]
    card = card.model_copy(update={"rows": rows})
    manifest = adapters.read_manifest(workspace, name)
    atomic.write_atomically(workspace.evaluation_page(name), html_report.page(card, manifest).encode())
    atomic.write_atomically(workspace.evaluation(name), card.to_document())


def _erase_from_reference_answers(workspace: Workspace, name: AdapterName, identity: str) -> None:
    """Remove the interaction from an adapter's reference answers; if none is left, delete them all."""
    known = parity_check.load_reference_answers(workspace, name)
    if known is None or all(one.interaction_id != identity for one in known.prompts):
        return
    left = [one for one in known.prompts if one.interaction_id != identity]
    if left:
        atomic.write_atomically(
            workspace.reference_answers(name), known.model_copy(update={"prompts": left}).to_document()
        )
    else:
        workspace.reference_answers(name).unlink()
