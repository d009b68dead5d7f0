"""Checkpoints of a run: trained tensors, optimiser moments and best weights, one file per step."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.storage import atomic

if TYPE_CHECKING:
    import torch

_FILE = re.compile(r"state-(\d+)\.safetensors")


def find_steps(folder: Path) -> list[int]:
    """Return the steps that ``folder`` holds a complete checkpoint of, in order."""
    return sorted(int(match[1]) for file in folder.glob("state-*") if (match := _FILE.fullmatch(file.name)))


def write_checkpoint(folder: Path, step: int, tensors: "dict[str, torch.Tensor]", state: dict[str, Any]) -> None:
    """Write the checkpoint of ``step``, and leave those of other steps in place."""
    from safetensors.torch import save_file

    atomic.make_folder(folder)
    file = _file(folder, step)
    temporary = file.with_suffix(".tmp")
    with atomic.translate_full_disk_error(temporary):
        save_file(
            {name: value.contiguous().cpu() for name, value in tensors.items()}, temporary, {"state": json.dumps(state)}
        )
    atomic.sync_tree(folder)
    temporary.replace(file)


def load_checkpoint(folder: Path, step: int) -> "tuple[dict[str, torch.Tensor], dict[str, Any]]":
    """Return the tensors and the state of the checkpoint of ``step``."""
    from safetensors import safe_open

    with safe_open(_file(folder, step), "pt") as stored:
        state = json.loads(stored.metadata()["state"])
        return {key: stored.get_tensor(key) for key in stored.keys()}, state  # noqa: SIM118 (not a mapping)


def load_state(folder: Path, step: int) -> dict[str, Any]:
    """Return the state of the checkpoint of ``step`` without its tensors."""
    from safetensors import safe_open

    with safe_open(_file(folder, step), "pt") as stored:
        return dict(json.loads(stored.metadata()["state"]))


def remove_other_steps(folder: Path, step: int) -> None:
    """Remove the checkpoints of all steps but ``step``."""
    for other in find_steps(folder):
        if other != step:
            _file(folder, other).unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Remove the checkpoints of a finished run."""
    shutil.rmtree(folder, ignore_errors=True)


def _file(folder: Path, step: int) -> Path:
    return folder / f"state-{step:06}.safetensors"
