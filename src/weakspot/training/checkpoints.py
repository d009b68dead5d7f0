"""A run's state on disk: the trained tensors, their moments and the best of them, one file for each step kept."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.storage import atomic

if TYPE_CHECKING:
    import torch

_FILE = re.compile(r"state-(\d+)\.safetensors")


def steps(folder: Path) -> list[int]:
    """Return the steps of which ``folder`` holds a whole checkpoint, in order."""
    return sorted(int(match[1]) for file in folder.glob("state-*") if (match := _FILE.fullmatch(file.name)))


def write(folder: Path, step: int, tensors: "dict[str, torch.Tensor]", state: dict[str, Any]) -> None:
    """Write the checkpoint of ``step``; those that are there already stay."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    file = _file(folder, step)
    temporary = file.with_suffix(".tmp")
    with atomic.full_disk_named(temporary):
        save_file(
            {name: value.contiguous().cpu() for name, value in tensors.items()}, temporary, {"state": json.dumps(state)}
        )
    atomic.sync_tree(folder)
    temporary.replace(file)


def read(folder: Path, step: int) -> "tuple[dict[str, torch.Tensor], dict[str, Any]]":
    """Return the tensors and the state of ``step``."""
    from safetensors import safe_open

    with safe_open(_file(folder, step), "pt") as stored:
        state = json.loads(stored.metadata()["state"])
        return {key: stored.get_tensor(key) for key in stored.keys()}, state  # noqa: SIM118 (not a mapping)


def state_of(folder: Path, step: int) -> dict[str, Any]:
    """Return the state of ``step`` without its tensors."""
    from safetensors import safe_open

    with safe_open(_file(folder, step), "pt") as stored:
        return dict(json.loads(stored.metadata()["state"]))


def keep_only(folder: Path, step: int) -> None:
    """Remove the checkpoints of other steps."""
    for other in steps(folder):
        if other != step:
            _file(folder, other).unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Remove the checkpoints of a run that is over."""
    shutil.rmtree(folder, ignore_errors=True)


def _file(folder: Path, step: int) -> Path:
    return folder / f"state-{step:06}.safetensors"
