"""Merges an adapter into its base, tensor by tensor; each that it touches must be in full precision."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.models import adapter_files, weight_files
from weakspot.models.weight_files import StoredTensor
from weakspot.storage import atomic
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch

_PREFIX = "base_model.model."
# The types of full precision, by the names of safetensors and of torch.
_DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def merge(
    base: Path, adapter: Path, target: Path, advance: Callable[[int, str], None] = lambda count, note: None
) -> int:
    """Write the base into ``target``, with W + scale · B A for each adapted W; return the number of adapted tensors.

    Each weight file is copied, and its adapted tensors are then overwritten in place, so memory holds one tensor at a
    time and the base's dtype is kept. Files that hold the weights once more are left out, since some servers prefer
    them. The sum is computed as PEFT does, so the result equals ``merge_and_unload`` bit by bit.

    Raises :class:`UserError` for an adapted tensor that is quantised, and for adapters that are not plain LoRA.
    """
    settings = json.loads((adapter / adapter_files.SETTINGS).read_text())
    require_plain_lora(adapter, settings)
    scale = settings["lora_alpha"] / (settings["r"] ** 0.5 if settings.get("use_rslora") else settings["r"])
    from safetensors import safe_open

    files, tensors = weight_files.weight_files(base), weight_files.read_tensors(base)
    with safe_open(adapter / adapter_files.WEIGHTS, "pt") as stored:
        layers = {
            key.removeprefix(_PREFIX).removesuffix(".lora_A.weight"): key
            for key in stored.keys()  # noqa: SIM118 (not a mapping)
            if key.endswith(".lora_A.weight")
        }
        packed = {name.removesuffix("_packed"): one for name, one in tensors.items() if name.endswith("weight_packed")}
        names = weight_files.stored_names(tensors | packed, layers)
        if lost := sorted(layers.keys() - names.keys()):
            raise UserError(adapter, f"touches {lost[0]}, which the base does not have", "merge into its own base")
        for name in names.values():
            _require_full_precision(base, name, packed.get(name) or tensors[name])
        for file in sorted(base.iterdir()):
            if file.is_file() and file.suffix != ".lock" and not weight_files.holds_other_weights(file, files):
                atomic.copy_file(file, target / file.name)
        for layer, name in names.items():
            down, up = (stored.get_tensor(layers[layer].replace(".lora_A.", side)) for side in (".lora_A.", ".lora_B."))
            _overwrite(target, tensors[name], lambda weight: _add_adapter(weight, down, up, scale))  # noqa: B023
            advance(1, name)
    return len(names)


def require_plain_lora(adapter: Path, settings: dict[str, object]) -> None:
    """Raise :class:`UserError` for an adapter that is not plain LoRA."""
    odd = [
        key
        for key in ("use_dora", "lora_bias", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "modules_to_save")
        if settings.get(key)
    ]
    if settings.get("peft_type") != "LORA" or odd:
        raise UserError(
            adapter, f"is not plain LoRA ({', '.join(odd) or settings.get('peft_type')})", "merge it with PEFT"
        )


def _add_adapter(weight: "torch.Tensor", down: "torch.Tensor", up: "torch.Tensor", scale: float) -> "torch.Tensor":
    # In fp32, as in PEFT: adapter weights are fp32 for every dtype of the base.
    weight += (up.float() @ down.float()) * scale
    return weight


def _require_full_precision(base: Path, name: str, tensor: StoredTensor) -> None:
    if tensor.dtype not in _DTYPES:
        problem = f"{name} is quantised ({tensor.dtype}), and merging would ruin the adapter"
        raise UserError(base, problem, "deploy it unmerged, to vllm")


def _overwrite(folder: Path, tensor: StoredTensor, change: "Callable[[torch.Tensor], torch.Tensor]") -> None:
    """Replace a stored tensor by what ``change`` makes of it, in the file of the same name in ``folder``."""
    import torch

    file = folder / tensor.file.name
    with atomic.name_file_in_errors(file), file.open("r+b") as stream:
        stream.seek(tensor.start)
        data = bytearray(stream.read(tensor.size))
        weight = torch.frombuffer(data, dtype=getattr(torch, _DTYPES[tensor.dtype])).reshape(tensor.shape)
        stream.seek(tensor.start)
        stream.write(bytes(change(weight).contiguous().view(torch.uint8).numpy().tobytes()))
