"""The target `mlx`: writes the adapter as mlx-lm reads it, and proves it by reading the file back onto the base.

mlx-lm multiplies from the right: the matrices of a linear layer are transposed, those of routed experts are not, but
stacked. ``scale`` is alpha / rank.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.config import Config
from weakspot.deployment import parity_check
from weakspot.deployment.targets import merged
from weakspot.deployment.types import Candidate, Deployment, Destination
from weakspot.models import adapter_files, adapters, loading
from weakspot.progress import bar
from weakspot.records import MergedManifest
from weakspot.storage import atomic
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

WEIGHTS, SETTINGS = "adapters.safetensors", "adapter_config.json"
# Model types to which mlx-lm 0.32 gives the names that transformers gives, but for the routed experts.
MODEL_TYPES = frozenset({"llama", "mistral", "qwen2", "qwen3", "qwen3_moe", "qwen3_next"})
_LAYER = re.compile(r"(?:base_model\.model\.)?(model\.layers\.\d+\.(.+))\.lora_([AB])\.weight")
_EXPERT = re.compile(r"(.*\.mlp|mlp)\.experts\.(\d+)\.(\w+)")


def place(workspace: Workspace, config: Config, candidate: Candidate, _: Destination) -> Deployment:
    """Write and prove the adapter's folder; it has no name on a server."""
    return Deployment(str(workspace.mlx(candidate.name)), None, write(workspace, config, candidate).proof)


def write(workspace: Workspace, config: Config, candidate: Candidate) -> MergedManifest:
    """Write the folder and return its manifest; a complete one of the same weights is not written again.

    Raises :class:`UserError` for a base whose layers mlx-lm names otherwise, and if base and adapter, read back, do not
    answer as trained: then no file is left.
    """
    import torch

    name, file, manifest = candidate.name, workspace.mlx_manifest(candidate.name), candidate.manifest
    sha256, done = manifest.files[adapter_files.WEIGHTS], merged.load_manifest_file(file)
    if done is not None and done.adapter_sha256 == sha256 and not merged.missing_files(file):
        return done
    expectation = parity_check.ensure_reference_answers(workspace, config, candidate)
    parity_check.require_change(expectation, str(name))
    base = adapters.require_base(workspace, config, manifest)
    text = loading.load_config(base).get_text_config()
    if text.model_type not in MODEL_TYPES:
        known = ", ".join(sorted(MODEL_TYPES))
        problem = f"a base of type {text.model_type} is not known"
        raise UserError(f"{name}, for mlx", problem, f"deploy it as 'merged' (known: {known})")
    with atomic.write_folder_atomically(file.parent) as folder:
        convert(workspace.adapter(name), folder, int(text.num_hidden_layers))
        with bar(f"proving {name}, for mlx"):
            model = loading.load_model(base, loading.choose_dtype(manifest.settings["train"]["precision"]))
            add_to(model, folder)
        limit = merged.EXACT if model.dtype == torch.float32 else parity_check.LOSSY
        ask = parity_check.ask_in_process(model, loading.load_tokenizer(base))
        done = MergedManifest(
            name=file.parent.name,
            adapter=str(name),
            adapter_sha256=sha256,
            base=manifest.base,
            verdict=candidate.verdict,
            proof=parity_check.prove(expectation, ask, f"{name}, for mlx", limit),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            files={one.name: atomic.sha256(one) for one in sorted(folder.iterdir())},
        )
        atomic.write_atomically(folder / file.name, done.to_document())
    return done


def convert(adapter: Path, folder: Path, layers: int) -> None:
    """Write PEFT's adapter as ``adapters.safetensors`` and ``adapter_config.json``, for a base of so many layers."""
    from safetensors.torch import load_file, save_file

    settings: dict[str, Any] = json.loads((adapter / adapter_files.SETTINGS).read_text())
    tensors, keys = _converted(load_file(adapter / adapter_files.WEIGHTS), adapter)
    save_file(tensors, folder / WEIGHTS, {"format": "mlx"})
    scale = settings["lora_alpha"] / settings["r"]
    written = {
        "fine_tune_type": "lora",
        "num_layers": layers,
        "lora_parameters": {"rank": settings["r"], "scale": scale, "dropout": 0.0, "keys": sorted(keys)},
    }
    (folder / SETTINGS).write_text(json.dumps(written, indent=2) + "\n")


def _converted(tensors: "Mapping[str, torch.Tensor]", adapter: Path) -> "tuple[dict[str, torch.Tensor], set[str]]":
    """Return the tensors by mlx-lm's names, and the names of the adapted layers within a decoder layer."""
    import torch

    found, keys, stacks = dict[str, "torch.Tensor"](), set[str](), dict[str, dict[int, "torch.Tensor"]]()
    for name, tensor in tensors.items():
        if (match := _LAYER.fullmatch(name)) is None:
            raise UserError(adapter, f"has a tensor that mlx-lm has no layer for: {name}", "deploy --to merged")
        layer, key, side = match[1], match[2], f"lora_{match[3].lower()}"
        if (expert := _EXPERT.fullmatch(layer)) is None:
            found[f"{layer}.{side}"] = tensor.T.contiguous()
        else:
            stacks.setdefault(f"{expert[1]}.switch_mlp.{expert[3]}.{side}", {})[int(expert[2])] = tensor
            key = _EXPERT.sub(r"\1.switch_mlp.\3", key)
        keys.add(key)
    for name, parts in stacks.items():
        found[name] = torch.stack([parts[number] for number in range(len(parts))])
    return found, keys


def add_to(model: "PreTrainedModel", folder: Path) -> None:
    """Add the adapter in a folder to a model's weights, by mlx-lm's rule: ``scale`` times ``lora_a`` ``lora_b``."""
    import torch
    from safetensors.torch import load_file

    scale = json.loads((folder / SETTINGS).read_text())["lora_parameters"]["scale"]
    tensors = load_file(folder / WEIGHTS, device=str(model.device))
    with torch.no_grad():
        for name in _layer_names(tensors):
            a, b = tensors[f"{name}.lora_a"].float(), tensors[f"{name}.lora_b"].float()
            block, stacked, matrix = name.partition(".switch_mlp.")
            weight = model.get_parameter(f"{name}.weight") if not stacked else _expert_weight(model, block, matrix)
            weight += (scale * (b @ a if stacked else (a @ b).T)).to(weight.dtype)


def _layer_names(tensors: Iterable[str]) -> list[str]:
    return sorted({name.rpartition(".")[0] for name in tensors})


def _expert_weight(model: "PreTrainedModel", block: str, matrix: str) -> "torch.Tensor":
    """Return one matrix of all routed experts of a block, ``[experts, out, in]``: a view of the model's parameter."""
    if matrix == "down_proj":
        return model.get_parameter(f"{block}.experts.down_proj")
    both = model.get_parameter(f"{block}.experts.gate_up_proj")
    return both.chunk(2, dim=1)[matrix == "up_proj"]
