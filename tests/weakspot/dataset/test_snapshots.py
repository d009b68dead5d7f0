"""A snapshot changes for one reason only: an interaction in it is forgotten."""

import pytest

from weakspot.dataset.snapshots import erase_from_snapshot, erase_lines, snapshots_with
from weakspot.pipeline.process import process
from weakspot.records import Snapshot
from weakspot.storage import append_log, atomic


@pytest.fixture
def taken(workspace, config, example, capture):
    """A snapshot of five interactions."""
    capture(workspace, [example(n, interaction_id=f"int_{n}") for n in range(5)])
    return process(workspace, config).snapshot


def test_one_goes_and_the_rest_stays_as_it_was(workspace, taken):
    file = workspace.snapshot(taken) / workspace.all_examples.relative_to(workspace.root)
    before = [line.data for line in append_log.read_lines(file)]
    old = atomic.sha256(workspace.snapshot_manifest(taken))
    assert snapshots_with(workspace, "int_3") == [taken]
    erase_from_snapshot(workspace, taken, "int_3")
    erase_from_snapshot(workspace, taken, "int_3")
    assert [line.data for line in append_log.read_lines(file)] == before[:3] + before[4:]
    manifest = Snapshot.from_json(workspace.snapshot_manifest(taken).read_bytes())
    assert (manifest.earlier, manifest.counts["examples"]) == ([old], 4)
    assert list(atomic.changed_files(workspace.snapshot(taken), manifest.files)) == []
    assert snapshots_with(workspace, "int_3") == []


def test_what_is_not_in_it_changes_nothing(workspace, taken):
    before = {file: atomic.FileState.of(file) for file in workspace.snapshot(taken).rglob("*")}
    erase_from_snapshot(workspace, taken, "int_9")
    assert {file: atomic.FileState.of(file) for file in workspace.snapshot(taken).rglob("*")} == before


def test_lines_behind_a_link_stay(workspace, taken, tmp_path):
    (link := tmp_path / "link").symlink_to(workspace.all_examples)
    assert not erase_lines(link, "int_3")
    assert erase_lines(workspace.all_examples, "int_3")
