"""Forgets an interaction: erases its words from every file of the workspace, and marks what learnt from it.

What learnt from it can be trained anew, without it.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from weakspot.capture.decisions import decide, load_decisions, read_decisions
from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.dataset.snapshots import erase_from_snapshot, erase_lines, examples_of, is_marked, snapshots_with
from weakspot.deployment import parity_check
from weakspot.deployment.targets import merged
from weakspot.models import adapters
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train_together
from weakspot.records import MULTI_DOMAIN, SPLITS, AdapterManifest, Interaction
from weakspot.records.parsing import RecordError, parse_interaction_object, parse_json_object, parse_metadata
from weakspot.settings import Lora, Model, Train
from weakspot.storage import append_log, atomic
from weakspot.storage.append_log import Line
from weakspot.training.preflight import TrainingPlan
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

_GONE = "(forgotten)"
_ANSWERS = ("base_answer", "adapter_answer", "base_tool_fault", "adapter_tool_fault")


@dataclass(frozen=True)
class Forgotten:
    """The result of forgetting an interaction.

    ``lines`` is the number of raw lines erased. ``snapshots`` held the interaction, and do not any more. ``adapters``
    saw it, and still contain what they learnt until they are trained again. Both are marked.
    """

    interaction_id: str
    lines: int
    snapshots: list[str]
    adapters: list[str]


@dataclass(frozen=True)
class Retrained:
    """New adapters in the place of marked ones; of the domains ``untrainable`` no training example is left."""

    adapters: list[AdapterManifest]
    untrainable: list[str]


def forget(workspace: Workspace, config: Config, identity: str) -> Forgotten:
    """Erase an interaction for good; raise :class:`UserError` if it does not exist.

    The decision is written first: even if the rest is interrupted, no stage uses the interaction again and no import
    brings it back. Running it again finishes the work. Other captures of the same messages are forgotten first.
    """
    twins = _find_twins(workspace.raw, identity)
    done = [_forget_one(workspace, config, one) for one in (*twins, identity)]
    snapshots = {name for one in done for name in one.snapshots}
    saw = {name for one in done for name in one.adapters}
    ordered = [name for name in workspace.snapshot_names(complete=False) if name in snapshots]
    return Forgotten(identity, sum(one.lines for one in done), ordered, sorted(saw))


def retrain(
    workspace: Workspace,
    config: Config,
    names: Iterable[str],
    announce: Callable[[TrainingPlan], None] = lambda _: None,
) -> Retrained:
    """Train anew the adapters ``names`` that learned from what was forgotten, each with its own base and settings.

    One that has a successor already is left as it is; all stay marked. Adapters of the same settings are trained in one
    pass. Raises :class:`UserError` as :func:`train_together` does, and for settings that this version does not know.
    """
    marked = [AdapterName.parse(name) for name in names]
    newest = [name for name in marked if name == workspace.newest_adapter(name.domain)]
    if newest:
        process(workspace, config)
    untrainable = [name.domain for name in newest if not reading.load_split(workspace, "train", name.domain)]
    passes: list[tuple[Config, list[str]]] = []
    for name in newest:
        if name.domain not in untrainable:
            own = _settings_of(adapters.read_manifest(workspace, name), config)
            if all(known != own for known, _ in passes):
                passes.append((own, []))
            next(domains for known, domains in passes if known == own).append(name.domain)
    trained = [train_together(workspace, own, domains, announce) for own, domains in passes]
    return Retrained([manifest for together in trained for manifest in together], untrainable)


def _settings_of(manifest: AdapterManifest, config: Config) -> Config:
    """Return the settings with the base, [train] and [lora] of an adapter."""
    revision = manifest.base.revision or config.model.revision
    try:
        model = Model(base=manifest.base.name, revision=revision, thinking=manifest.thinking)
        own = {"model": model, "train": Train(**manifest.settings["train"])}
        return config.model_copy(update={**own, "lora": Lora(**manifest.settings["lora"])})
    except (ValidationError, KeyError):
        remedy = f"run 'weakspot train {manifest.domain}', which takes those of weakspot.toml"
        raise UserError(manifest.name, "its settings are of another version of weakspot", remedy) from None


def _forget_one(workspace: Workspace, config: Config, identity: str) -> Forgotten:
    files = (workspace.raw, workspace.unfitted, workspace.thoughts)
    found = {file: list(_find_lines(file, identity)) for file in files}
    lines = [*found[workspace.raw], *found[workspace.unfitted]]
    if not lines and identity not in load_decisions(workspace).forgotten:
        raise UserError(identity, "no such interaction", "look the id up in the raw file or the rejections")
    decide(workspace, config, [(identity, "forget", _content_key(line)) for line in lines])
    texts = [text for line in lines for text in _texts(line)]
    _erase_matching(workspace.decisions, config, lambda value: _is_edit(value, identity))
    _erase_matching(workspace.unheard, config, lambda value: _is_part(value.get("words"), texts))
    for file in filter(Path.exists, found):  # also without lines: what an interrupted erasure left is overwritten
        _erase(file, config, found[file])
    if workspace.all_examples.exists():
        process(workspace, config)
    snapshots = snapshots_with(workspace, identity)
    adapters = [name for name in workspace.adapter_names() if _saw(workspace, name, identity, snapshots)]
    for mark in (
        *(workspace.snapshot_forgotten(name) for name in snapshots),
        *(workspace.adapter_forgotten(name) for name in adapters),
    ):
        _mark(mark, workspace, identity)
    for name in workspace.adapter_names():
        _erase_from_scorecard(workspace, name, identity)
        _erase_from_reference_answers(workspace, name, identity)
        _erase_samples(workspace, name)
    with atomic.hold_lock(workspace.lock, "process, train or deploy"):
        for snapshot in snapshots:
            erase_from_snapshot(workspace, snapshot, identity)
        for file in workspace.processed.glob("*.jsonl"):  # also what a killed run left
            erase_lines(file, identity)
        _remove_scraps(workspace)
    return Forgotten(identity, len(lines), snapshots, [str(name) for name in adapters])


def _find_lines(file: Path, identity: str) -> Iterator[Line]:
    """Yield every line of a file with the id, usable or not."""
    for line in append_log.read_lines(file):
        try:
            value = parse_json_object(line.data)
        except RecordError:
            # Half a line, left by an interrupted erasure elsewhere: only the id itself can be searched for.
            if json.dumps(identity).encode() in line.data:
                yield line
            continue
        metadata = value.get("metadata", value)
        if isinstance(metadata, dict) and metadata.get("interaction_id") == identity:
            yield line


def _find_twins(file: Path, identity: str) -> list[str]:
    """Return the ids of other interactions with the same messages, and so with the same words."""
    keys = {_content_key(line) for line in _find_lines(file, identity)} - {None}
    twins = (line for line in append_log.read_lines(file) if keys and _content_key(line) in keys)
    ids = dict.fromkeys(str(parse_metadata(line.data)["interaction_id"]) for line in twins)
    return [one for one in ids if one != identity]


def _parse_line(line: Line) -> Interaction | None:
    try:
        return parse_interaction_object(parse_json_object(line.data), whole=False)
    except RecordError:
        return None


def _content_key(line: Line) -> str | None:
    one = _parse_line(line)
    return one.content_key() if one else None


def _texts(line: Line) -> list[str]:
    one = _parse_line(line)
    return [message.text for message in one.messages] if one else []


def _erase_matching(file: Path, config: Config, matches: Callable[[dict[str, Any]], bool]) -> None:
    """Remove the lines of an append-only file that match, and damaged ones, which may hold the same words."""
    lines = []
    for line in append_log.read_lines(file):
        try:
            found = matches(parse_json_object(line.data))
        except RecordError:
            found = True
        if found:
            lines.append(line)
    if lines:
        _erase(file, config, lines)


def _erase(file: Path, config: Config, lines: Iterable[Line]) -> None:
    collect = config.collect
    append_log.replace(file, dict.fromkeys(lines), collect.durability, allow_network=collect.allow_network_filesystem)


def _is_edit(value: dict[str, Any], identity: str) -> bool:
    return value.get("interaction_id") == identity and value.get("action") == "edit"


def _is_part(words: object, texts: list[str]) -> bool:
    return isinstance(words, str) and any(words.rstrip("…").strip() in text for text in texts)


def _saw(workspace: Workspace, name: AdapterName, identity: str, snapshots: list[str]) -> bool:
    """Return whether an adapter was trained, selected (val) or evaluated (test) on the interaction."""
    if is_marked(workspace.adapter_forgotten(name), identity):
        return True
    snapshot = adapters.read_manifest(workspace, name).snapshot
    return snapshot in snapshots and any(
        example.id == identity and name.domain in (MULTI_DOMAIN, example.domain)
        for split in SPLITS
        for example in examples_of(workspace, snapshot, workspace.split(split))
    )


def _mark(file: Path, workspace: Workspace, identity: str) -> None:
    if not is_marked(file, identity):
        decided = [decision for _, decision in read_decisions(workspace.decisions)]
        mark = next(one for one in reversed(decided) if one.interaction_id == identity)
        append_log.append(file, [mark.to_json()])


def _erase_from_scorecard(workspace: Workspace, name: AdapterName, identity: str) -> None:
    """Remove the interaction's texts from a scorecard; its numbers stay, since the verdict depends on them."""
    from weakspot.evaluation import html_report

    card = adapters.read_scorecard(workspace, name)
    if card is None or all(row.interaction_id != identity or row.query == _GONE for row in card.rows):
        return
    words = dict.fromkeys(("query", "local", "expert"), _GONE) | dict.fromkeys(_ANSWERS)
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


def _erase_samples(workspace: Workspace, name: AdapterName) -> None:
    """Remove the question and the answers that earlier versions wrote into the manifest of a merged model."""
    for file in (workspace.merged_manifest(name), workspace.gguf_manifest(name)):
        known = merged.load_manifest_file(file)
        if known is not None and known.sample:
            atomic.write_atomically(file, known.model_copy(update={"sample": {}}).to_document())


def _remove_scraps(workspace: Workspace) -> None:
    """Remove what killed writers left, which may be copies."""
    for part in workspace.parts:
        if part.is_dir() and not part.is_symlink():
            for scrap in [*part.rglob(".*.tmp"), *part.rglob(".*.old")]:
                if scrap.is_dir() and not scrap.is_symlink():
                    shutil.rmtree(scrap, ignore_errors=True)
                else:
                    scrap.unlink(missing_ok=True)
