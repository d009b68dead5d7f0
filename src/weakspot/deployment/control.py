"""The control of a merge: an adapter of zeros goes the same way as a real one, and must leave the base as it was.

Whatever differs then is not the adapter's doing, but that of files, types or the base itself.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from weakspot.config import Config
from weakspot.deployment import parity_check
from weakspot.deployment.targets.merged import EXACT
from weakspot.deployment.types import Candidate
from weakspot.models import adapter_files, adapters, loading, merge
from weakspot.models.loading import Base
from weakspot.progress import bar
from weakspot.storage import atomic
from weakspot.workspace import Workspace
from zddc.errors import UserError


@dataclass(frozen=True)
class Control:
    """How many of the ``prompts`` the merged zeros answered as the base, and how far (nats per token) they were off.

    The distance is measured on the experts' answers; ``limit`` is the largest that rounding explains.
    """

    prompts: int
    same_answers: int
    difference: float
    limit: float


def run_control(workspace: Workspace, config: Config, candidate: Candidate) -> Control:
    """Merge zeros in the shape of an adapter into its base, in a temporary folder, and compare with the base.

    Raises :class:`UserError` if the merged model does not answer as the base, or cannot be merged.
    """
    import torch

    name, expectation = candidate.name, parity_check.ensure_reference_answers(workspace, config, candidate)
    base = adapters.require_base(workspace, config, candidate.manifest)
    tokenizer = loading.load_tokenizer(base)
    with tempfile.TemporaryDirectory(dir=workspace.adapters, prefix=".control-") as scratch:
        zeros, merged = (Path(scratch) / part for part in ("zeros", "merged"))
        merged.mkdir()
        _write_zeros(workspace.adapter(name), zeros)
        with bar(f"merging zeros into {base.name}") as advance:
            merge.merge(loading.fetch_folder(base), zeros, merged, advance)
        dtype = loading.choose_dtype(candidate.manifest.settings["train"]["precision"])
        model = loading.load_model(Base(f"{base.name} with zeros", str(merged), None), dtype)
        answers = list(parity_check.ask_in_process(model, tokenizer)(expectation.prompts))
    apart, same = [], 0
    for one, answer in zip(expectation.prompts, answers, strict=True):
        given = answer.ids or []
        same += given[: len(one.base_tokens)] == one.base_tokens[: len(given)]
        apart += [abs(a - b) for a, b in zip(answer.expert or [], one.expert.base, strict=True)]
    limit = EXACT if dtype == torch.float32 else parity_check.LOSSY
    found = Control(len(answers), same, sum(apart) / max(len(apart), 1), limit)
    if found.difference > limit:
        problem = f"{base.name} with zeros merged into it is {found.difference:.2g} nats a token away from itself"
        raise UserError(str(name), problem, "check its folder with 'weakspot validate --full'")
    return found


def _write_zeros(adapter: Path, target: Path) -> None:
    """Write an adapter's files with B of zeros, which changes nothing."""
    from safetensors.torch import load_file, save_file

    target.mkdir()
    atomic.copy_file(adapter / adapter_files.SETTINGS, target / adapter_files.SETTINGS)
    tensors = load_file(adapter / adapter_files.WEIGHTS)
    for tensor_name, tensor in tensors.items():
        if ".lora_B." in tensor_name:
            tensor.zero_()
    save_file(tensors, target / adapter_files.WEIGHTS)
