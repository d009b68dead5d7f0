"""A checkpoint is there as a whole or not at all, and holds what was written."""

import errno
import os
import subprocess
import sys

import pytest
import torch

from weakspot.training import checkpoints

TENSORS = {
    "now/a": torch.randn(3, 4, dtype=torch.float32),
    "step/a": torch.tensor(7.0),
    "exp_avg/b": torch.randn(2, 2, dtype=torch.bfloat16),
}
STATE = {
    "fingerprint": "x",
    "step": 5,
    "best_loss": None,
    "metrics": [{"loss": 0.1 + 0.2}],
    "references": {"é": [1.5, 2]},
}


def test_what_was_written_is_read_again_to_the_bit(tmp_path):
    checkpoints.write_checkpoint(tmp_path / "run", 5, TENSORS, STATE)
    tensors, state = checkpoints.load_checkpoint(tmp_path / "run", 5)
    assert state == STATE == checkpoints.load_state(tmp_path / "run", 5)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert all(tensors[name].dtype == TENSORS[name].dtype for name in TENSORS)
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["state-000005.safetensors"]


def test_a_tensor_that_is_a_view_of_another_is_written_as_it_looks(tmp_path):
    whole = torch.arange(12.0).view(3, 4)
    checkpoints.write_checkpoint(tmp_path, 1, {"a": whole.T, "b": whole[1:, 1:]}, {})
    tensors, _ = checkpoints.load_checkpoint(tmp_path, 1)
    assert torch.equal(tensors["a"], whole.T)
    assert torch.equal(tensors["b"], whole[1:, 1:])


def test_steps_are_told_in_order_of_their_numbers(tmp_path):
    for step in (1_000_000, 2, 10):
        checkpoints.write_checkpoint(tmp_path, step, TENSORS, STATE)
    assert checkpoints.find_steps(tmp_path) == [2, 10, 1_000_000]
    assert checkpoints.find_steps(tmp_path / "none") == []


def test_only_whole_checkpoints_count(tmp_path):
    """As after a kill in the middle of writing, and beside other files."""
    checkpoints.write_checkpoint(tmp_path, 2, TENSORS, STATE)
    (tmp_path / "state-000004.tmp").write_bytes(b"half of it")
    (tmp_path / "state-none.safetensors").write_bytes(b"")
    assert checkpoints.find_steps(tmp_path) == [2]


def test_others_stay_until_they_are_told_to_go(tmp_path):
    for step in (2, 4, 6):
        checkpoints.write_checkpoint(tmp_path, step, TENSORS, STATE)
    assert checkpoints.find_steps(tmp_path) == [2, 4, 6]
    checkpoints.remove_other_steps(tmp_path, 6)
    assert checkpoints.find_steps(tmp_path) == [6]
    checkpoints.discard(tmp_path)
    assert not tmp_path.exists()
    checkpoints.discard(tmp_path)


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path):
    checkpoints.write_checkpoint(tmp_path, 2, TENSORS, STATE)
    checkpoints.write_checkpoint(tmp_path, 2, {"now/a": torch.zeros(1)}, {"step": 2})
    assert checkpoints.load_checkpoint(tmp_path, 2) == ({"now/a": torch.zeros(1)}, {"step": 2})


def test_a_full_disk_names_the_file_and_the_checkpoint_before_stays(small_disk):
    checkpoints.write_checkpoint(small_disk, 2, {"now/a": torch.zeros(100)}, STATE)
    with pytest.raises(OSError, match=r"No space left on device: .*state-000004"):
        checkpoints.write_checkpoint(small_disk, 4, {"now/a": torch.zeros(50_000)}, STATE)
    assert checkpoints.find_steps(small_disk) == [2]
    assert checkpoints.load_state(small_disk, 2) == STATE


@pytest.mark.parametrize("step", [2, 4])
def test_what_the_disk_does_not_keep_is_no_checkpoint_and_replaces_none(tmp_path, monkeypatch, step):
    checkpoints.write_checkpoint(tmp_path, 2, TENSORS, STATE)

    def fail(_descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        checkpoints.write_checkpoint(tmp_path, step, {"now/a": torch.zeros(1)}, {"step": step})
    assert checkpoints.find_steps(tmp_path) == [2]
    assert checkpoints.load_state(tmp_path, 2) == STATE


@pytest.mark.slow
def test_looking_for_checkpoints_loads_no_torch(tmp_path):
    """``status`` and ``watch`` look whether a run is unfinished."""
    code = (
        "import sys; from pathlib import Path; from weakspot.training import checkpoints\n"
        "checkpoints.find_steps(Path(sys.argv[1])); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
