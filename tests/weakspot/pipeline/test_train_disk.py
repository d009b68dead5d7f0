"""What training and processing leave is on the disk once they have ended: a power cut takes nothing of it."""

import shutil

import pytest
from tests.weakspot.storage.conftest import Disk

from weakspot.dataset import reading
from weakspot.models.adapters import read_manifest
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path)
    try:
        if not disk.start():
            pytest.skip("a disk that fails needs root, loop devices and ext4")
        yield disk
    finally:
        disk.stop()


@pytest.fixture
def on_disk(taught, disk):
    """The workspace of examples, on a disk that can be looked at without what is in memory only, and its settings."""
    workspace, config = taught
    there = Workspace(disk.folder / "training-data")
    shutil.copytree(workspace.root, there.root)
    atomic.sync_tree(disk.folder)
    return there, config.model_copy(update={"train": config.train.model_copy(update={"max_steps": 2})})


def test_a_trained_adapter_survives_a_power_cut(on_disk, disk):
    workspace, config = on_disk
    manifest = train(workspace, config, "colours")
    with disk.after_power_cut() as folder:
        # Its weights and settings are those whose hashes are in the manifest, or this is an error.
        assert read_manifest(Workspace(folder / "training-data"), AdapterName("colours", 1)) == manifest


def test_a_dataset_survives_a_power_cut(on_disk, disk, capture, example):
    workspace, config = on_disk
    capture(workspace, [example(number) for number in range(20)])
    done = process(workspace, config)
    assert done.changed
    with disk.after_power_cut() as folder:
        assert reading.current_snapshot(Workspace(folder / "training-data")) == done.snapshot
