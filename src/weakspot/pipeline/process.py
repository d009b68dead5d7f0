"""Makes the dataset from raw interactions: checks, deduplicates, labels with a domain, groups, splits, snapshots."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from weakspot.capture.decisions import Decisions, load_decisions
from weakspot.config import Config
from weakspot.dataset.assignments import read_assignments
from weakspot.dataset.domains import with_domain
from weakspot.dataset.splits import Excluded, assign
from weakspot.records import SPLITS, Assignment, Interaction, Record, Rejection, Snapshot
from weakspot.records.parsing import RecordError, parse_interaction
from weakspot.storage import append_log, atomic
from weakspot.workspace import Workspace
from zddc.errors import UserError


@dataclass(frozen=True)
class Processed:
    """The result of ``process``; ``changed`` is false if every file was up to date already."""

    changed: bool
    snapshot: str
    raw_lines: int
    examples: int
    rejections: dict[str, int]
    domains: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Dataset:
    """The examples in the order of capture, their split assignments, and the rejected lines."""

    examples: list[Interaction]
    assignments: list[Assignment]
    rejections: list[Rejection]


def process(workspace: Workspace, config: Config) -> Processed:
    """Write ``processed/``, ``validation/`` and a snapshot from ``raw/``; write nothing if nothing changed."""
    if not workspace.raw.exists():
        raise UserError(workspace.raw, "no interactions yet", "capture some with 'weakspot collect'")
    with atomic.hold_lock(workspace.lock, "process, train or deploy"):
        recorded = read_assignments(workspace.assignments)
        dataset = build(append_log.read_lines(workspace.raw), recorded, config, load_decisions(workspace))
        files = render_files(workspace, dataset, recorded, config)
        counts = {"examples": len(dataset.examples), "rejections": len(dataset.rejections)}
        name, changed = _publish(workspace, files, counts, config)
    splits: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SPLITS, 0))
    for example, place in zip(dataset.examples, dataset.assignments, strict=True):
        splits[example.domain][place.split] += 1
    return Processed(
        changed=changed,
        snapshot=name,
        raw_lines=len(dataset.examples) + len(dataset.rejections),
        examples=len(dataset.examples),
        rejections=dict(Counter(rejection.reason for rejection in dataset.rejections).most_common()),
        domains={domain: splits[domain] for domain in config.ordered(splits)},
    )


def build(
    lines: Iterable[append_log.Line],
    recorded: Mapping[str, Assignment],
    config: Config,
    decisions: Decisions | None = None,
) -> Dataset:
    """Make a dataset of raw lines: each line becomes exactly one example or one rejection."""
    rejections: list[Rejection] = []
    candidates: dict[str, tuple[append_log.Line, Interaction]] = {}
    ids_by_content: dict[str, str] = {}

    decisions = decisions or Decisions()

    def reject(line: append_log.Line, why: RecordError, identity: str | None = None) -> None:
        place = {"line": line.number, "offset": line.offset}
        rejections.append(Rejection(**place, reason=why.reason, detail=why.detail, interaction_id=identity))

    for line in lines:
        try:
            example = parse_raw_line(line.data, config.collect.max_record_bytes)
        except RecordError as error:
            reject(line, error)
            continue
        try:
            decisions.require_permission(example)
        except RecordError as error:
            reject(line, error, example.id)
            continue
        # Both texts count as known: a copy of the captured text must not bring back an answer that a person corrected.
        captured, revised = example.content_key(), decisions.with_edits(example)
        content = captured if revised is example else revised.content_key()
        example = revised
        twin = ids_by_content.get(content)
        if twin is not None:
            reject(line, RecordError("exact-duplicate", f"the same messages as {twin}"), example.id)
            continue
        if example.id in candidates:
            first = candidates[example.id][0].number
            reject(
                line,
                RecordError("duplicate-id", f"{example.id} has other messages in line {first}"),
                example.id,
            )
            continue
        ids_by_content[captured] = ids_by_content[content] = example.id
        candidates[example.id] = (line, with_domain(example, config))
    examples: list[Interaction] = []
    assignments: list[Assignment] = []
    for place in assign(
        [example for _, example in candidates.values()], recorded, config.process.near_duplicate_threshold
    ):
        if isinstance(place, Excluded):
            reject(candidates[place.example.id][0], RecordError("links-splits", place.detail), place.example.id)
        else:
            assignments.append(place)
            examples.append(candidates[place.interaction_id][1])
    return Dataset(examples, assignments, sorted(rejections, key=lambda rejection: rejection.line))


def parse_raw_line(data: bytes, max_record_bytes: int) -> Interaction:
    """Parse one raw line; raise :class:`RecordError` if it is longer than ``max_record_bytes`` or not usable."""
    if len(data) > max_record_bytes:
        raise RecordError(
            "too-large",
            f"{len(data):,} bytes, more than the {max_record_bytes:,} of [collect] max_record_bytes",
        )
    return parse_interaction(data)


def render_files(
    workspace: Workspace, dataset: Dataset, recorded: Mapping[str, Assignment], config: Config
) -> dict[Path, bytes]:
    """Return the exact bytes of every file of the dataset, the assignments first; ``recorded`` are the known ones."""
    by_domain: defaultdict[str, list[Interaction]] = defaultdict(list)
    for example in dataset.examples:
        by_domain[example.domain].append(example)
    ordered = {domain: by_domain[domain] for domain in config.ordered(by_domain)}
    split_of = {place.interaction_id: place.split for place in dataset.assignments}
    # An assignment is kept for ever, even if its example is not in the dataset now.
    known = {**recorded, **{a.interaction_id: a for a in dataset.assignments}}
    return {
        workspace.assignments: _to_json_lines(known.values()),
        workspace.rejections: _to_json_lines(dataset.rejections),
        workspace.all_examples: _to_json_lines(dataset.examples),
        workspace.multi_domain: _to_json_lines(example for group in ordered.values() for example in group),
        **{workspace.examples(domain): _to_json_lines(group) for domain, group in ordered.items()},
        **{workspace.split(s): _to_json_lines(e for e in dataset.examples if split_of[e.id] == s) for s in SPLITS},
    }


def _to_json_lines(records: Iterable[Record]) -> bytes:
    return "".join(f"{record.to_json()}\n" for record in records).encode("utf-8")


def _publish(
    workspace: Workspace, files: Mapping[Path, bytes], counts: dict[str, int], config: Config
) -> tuple[str, bool]:
    """Write files that differ, remove stale ones, and snapshot all; return the snapshot, and if anything changed.

    Stale is what the last snapshot names: a file of somebody else's stays, and so does what a link leads to.
    """
    existing = workspace.snapshot_names()
    last = _load_snapshot_manifest(workspace, existing[-1]) if existing else None
    named = [workspace.processed / Path(name).name for name in (last.files if last else ())]
    stale = [file for file in named if file not in files and file.is_file() and not file.is_symlink()]
    changed = [file for file, data in files.items() if not file.exists() or file.read_bytes() != data]
    for file in changed:
        atomic.write_atomically(file, files[file])
    for file in stale:
        file.unlink()
    names = [str(file.relative_to(workspace.root)) for file in files]
    manifest = Snapshot(
        files={name: atomic.sha256(workspace.root / name) for name in sorted(names)},
        counts=counts,
        near_duplicate_threshold=config.process.near_duplicate_threshold,
    )
    if last is not None and last.model_copy(update={"earlier": None}) == manifest:
        return existing[-1], bool(changed or stale)
    # The date is in UTC, so that the name does not depend on the machine's time zone.
    name = workspace.next_snapshot(f"{datetime.now(UTC):%Y-%m-%d}")
    with atomic.write_folder_atomically(workspace.snapshot(name)) as folder:
        for relative in names:
            atomic.make_folder((folder / relative).parent)
            atomic.copy_file(workspace.root / relative, folder / relative)
            (folder / relative).chmod(0o400)
        atomic.write_atomically(
            folder / workspace.snapshot_manifest(name).name,
            manifest.to_document(),
        )
    return name, True


def _load_snapshot_manifest(workspace: Workspace, name: str) -> Snapshot | None:
    try:
        return Snapshot.from_json(workspace.snapshot_manifest(name).read_bytes())
    except ValidationError:
        return None
