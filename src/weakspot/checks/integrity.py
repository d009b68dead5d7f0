"""Integrity checks: files are complete and agree with each other, snapshots and adapters are unchanged."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from weakspot.capture.unfitted import read_unfitted
from weakspot.checks.types import CheckInput, Problem, format_names
from weakspot.dataset.contents import Damage
from weakspot.deployment.releases import live, missing_files, read_releases
from weakspot.models import weight_files
from weakspot.models.adapters import require_base
from weakspot.records import AdapterManifest, Interaction, Reason, Record, Snapshot
from weakspot.records.parsing import explain
from weakspot.storage import atomic
from zddc.errors import UserError

AnyRecord = TypeVar("AnyRecord", bound=Record)
# Reasons for leaving out a line that is itself correct.
_USABLE: frozenset[Reason] = frozenset({"exact-duplicate", "links-splits"})


def lines(subject: CheckInput) -> Iterator[Problem]:
    """Every line of every file is a record of its kind."""
    by_file: defaultdict[Path, list[Damage]] = defaultdict(list)
    for damage in subject.contents.damage:
        by_file[damage.file].append(damage)
    for file, damages in by_file.items():
        first = damages[0]
        count = len(damages) - 1
        more = f", and {count} more damaged line{'' if count == 1 else 's'}" if count else ""
        place = file if first.line is None else f"{file}:{first.line}"
        yield Problem("failure", f"{first.detail}{more}; run 'weakspot process'", place)
    bad = [one for one in subject.contents.rejections if one.reason not in _USABLE]
    if bad and subject.domain is None:  # an unreadable line has no domain
        counts = Counter(one.reason for one in bad)
        what = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
        yield Problem(
            "warning",
            f"lines left out: {what}; {subject.workspace.rejections.name} says why",
            f"{subject.workspace.raw}:{bad[0].line}",
        )


def raw_lines(subject: CheckInput) -> Iterator[Problem]:
    """Every raw line became one example or one rejection, and nothing else is there."""
    rejected = {rejection.line for rejection in subject.contents.rejections}
    missing = {example.id for example in subject.contents.examples}
    done, left = 0, []
    for number, name in subject.contents.raw.items():
        if number in rejected:
            done = number
        elif name in missing:
            missing.remove(name)
            done = number
        else:
            left.append(number)
    lost = [str(number) for number in left if number < done]
    gone = rejected - subject.contents.raw.keys()
    if lost:
        yield Problem(
            "failure", f"lines that are neither example nor rejection, {format_names(lost)}", subject.workspace.raw
        )
    if missing:
        what = f"examples that no raw line holds, {format_names(sorted(missing))}"
        yield Problem("failure", what, subject.workspace.all_examples)
    if gone:
        what = f"rejections of lines that are not there, {format_names([str(n) for n in sorted(gone)])}"
        yield Problem("failure", what, subject.workspace.rejections)
    if len(left) > len(lost):
        count = len(left) - len(lost)
        what = f"{count} line{'' if count == 1 else 's'} came after the last 'weakspot process'; run it again"
        yield Problem("warning", what, subject.workspace.raw)


def unfitted(subject: CheckInput) -> Iterator[Problem]:
    """Every consultation that was answered is an interaction."""
    left = read_unfitted(subject.workspace)
    if left and subject.domain is None:
        counts = Counter(one.reason for one in left)
        what = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
        names = format_names([one.id for one in left])
        yield Problem(
            "warning",
            f"not fit to train on: {what} ({names}); after an update run 'weakspot collect --unfitted'",
            subject.workspace.unfitted,
        )


def files(subject: CheckInput) -> Iterator[Problem]:
    """Every example is in one split, its domain's file and multi-domain.jsonl, the same in each."""
    workspace, known = subject.workspace, {example.id: example for example in subject.examples}
    assigned = {name: place.split for name, place in subject.contents.assignments.items()}
    unassigned = sorted(known.keys() - assigned.keys())
    if unassigned:
        yield Problem("failure", f"examples without a split, {format_names(unassigned)}", workspace.assignments)
    expected: defaultdict[Path, set[str]] = defaultdict(set)
    for example in known.values():
        expected[workspace.multi_domain].add(example.id)
        expected[workspace.examples(example.domain)].add(example.id)
        if example.id in assigned:
            expected[workspace.split(assigned[example.id])].add(example.id)
    found = {**subject.contents.files, **{workspace.split(s): e for s, e in subject.contents.splits.items()}}
    for file in sorted({*found, *expected}):
        here = {example.id: example for example in subject.in_scope(found.get(file, ()))}
        for what, names in (
            ("examples are missing", expected[file] - here.keys()),
            ("examples do not belong here", here.keys() - expected[file]),
            (
                "examples differ between the files",
                {name for name in here.keys() & known if here[name] != known[name]},
            ),
        ):
            if names:
                yield Problem("failure", f"{what}, {format_names(sorted(names))}; run 'weakspot process'", file)


def ids(subject: CheckInput) -> Iterator[Problem]:
    """No id occurs twice in a file."""
    workspace = subject.workspace
    splits = {workspace.split(split): examples for split, examples in subject.contents.splits.items()}
    everything = {workspace.all_examples: subject.contents.examples, **subject.contents.files, **splits}
    for file, examples in everything.items():
        counts = Counter(example.id for example in subject.in_scope(examples))
        if twice := [name for name, count in counts.items() if count > 1]:
            yield Problem("failure", f"ids that occur more than once, {format_names(twice)}", file)


def duplicates(subject: CheckInput) -> Iterator[Problem]:
    """No two examples have the same messages."""
    by_content: defaultdict[str, list[Interaction]] = defaultdict(list)
    for example in subject.contents.examples:
        by_content[example.content_key()].append(example)
    twice = [group[1].id for group in by_content.values() if len(group) > 1 and any(map(subject.has, group))]
    if twice:
        yield Problem("failure", f"exact duplicates, {format_names(twice)}", subject.workspace.all_examples)


def snapshots(subject: CheckInput) -> Iterator[Problem]:
    """Every snapshot is as it was written, and the newest is the dataset of today."""
    workspace = subject.workspace
    complete = workspace.snapshot_names()
    for name in workspace.snapshot_names(complete=False):
        folder = workspace.snapshot(name)
        if name not in complete:
            yield Problem("warning", "is not a complete snapshot (it has no manifest); remove it", folder)
            continue
        manifest = _load_manifest(workspace.snapshot_manifest(name), Snapshot)
        if isinstance(manifest, Problem):
            yield manifest
            continue
        yield from _verify_hashes(folder, manifest.files, "is not what was written: the snapshot proves nothing")
        if name == complete[-1]:
            yield from _verify_hashes(workspace.root, manifest.files, f"differs from {name}; run 'weakspot process'")
    if not complete:
        yield Problem("warning", "has no snapshot; run 'weakspot process'", workspace.snapshots)


def _load_manifest(file: Path, kind: type[AnyRecord]) -> AnyRecord | Problem:
    try:
        return kind.from_json(file.read_bytes())
    except ValidationError as error:
        return Problem("failure", f"is no manifest: {explain(error)}", file)


def _verify_hashes(folder: Path, hashes: dict[str, str], detail: str) -> Iterator[Problem]:
    for file in atomic.changed_files(folder, hashes):
        yield Problem("failure", detail if file.is_file() else "is missing", file)


def adapters(subject: CheckInput) -> Iterator[Problem]:
    """Every adapter and merged model is complete and as it was written."""
    workspace = subject.workspace
    for name in workspace.adapter_names(subject.domain, complete=False):
        if not workspace.adapter_manifest(name).exists():
            what = f"is incomplete; 'weakspot train {name.domain}' goes on with it"
            yield Problem("warning", what, workspace.adapter(name))
            continue
        manifest = _load_manifest(workspace.adapter_manifest(name), AdapterManifest)
        if isinstance(manifest, Problem):
            yield manifest
        else:
            yield from _verify_hashes(workspace.adapter(name), manifest.files, "is not what was trained; train it anew")
        if workspace.merged(name).exists() and not workspace.merged_manifest(name).exists():
            what = f"is incomplete; run 'weakspot deploy {name.domain}'"
            yield Problem("warning", what, workspace.merged(name))


def releases(subject: CheckInput) -> Iterator[Problem]:
    """Every model in service has its files."""
    workspace = subject.workspace
    for (domain, target), release in live(read_releases(workspace)).items():
        gone = missing_files(workspace, release) if subject.domain in (None, domain) else []
        if gone:
            more = f", and {len(gone) - 1} more" if len(gone) > 1 else ""
            remedy = f"run 'weakspot deploy {domain} --to {target}', or 'weakspot rollback {domain} --to {target}'"
            yield Problem(
                "failure", f"is gone{more}, but {release.adapter} is in service at {target}; {remedy}", gone[0]
            )


def bases(subject: CheckInput) -> Iterator[Problem]:
    """Every adapter's base has, byte for byte, the weights that the adapter was trained on."""
    read: dict[str, str] = {}
    for name in subject.workspace.adapter_names(subject.domain):
        manifest = _load_manifest(subject.workspace.adapter_manifest(name), AdapterManifest)
        if isinstance(manifest, Problem):
            continue  # told by the check of adapters
        place, wanted = subject.workspace.adapter(name), manifest.base.weights_whole
        if wanted is None:
            yield Problem("warning", "was trained before the weights of its base were noted; train it anew", place)
            continue
        try:
            base = require_base(subject.workspace, subject.config, manifest, download=False)
            if base.location not in read:
                read[base.location] = weight_files.digest(Path(base.location), whole=True)
        except UserError as error:
            yield Problem("failure", f"{error.problem}; {error.remedy}", place)
            continue
        if read[base.location] != wanted:
            what = f"was trained on other weights than {base.name} has now; restore that base, or train it anew"
            yield Problem("failure", what, place)
