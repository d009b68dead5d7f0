"""Merges an adapter into its full-precision base, tensor by tensor."""

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.models import adapter_files
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch

_PREFIX = "base_model.model."


def fetch_base_folder(location: str, revision: str | None) -> Path:
    """Return the folder of the base's files: the local one, or the hub's snapshot, which is downloaded if needed."""
    if Path(location).is_dir():
        return Path(location)
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
    return Path(snapshot_download(location, revision=revision, allow_patterns=patterns))


def merge(
    base: Path, adapter: Path, target: Path, advance: Callable[[int, str], None] = lambda count, note: None
) -> int:
    """Write the base into ``target``, with W + scale · B A for each adapted W; return the number of adapted tensors.

    Each weight file is copied, and its adapted tensors are then overwritten in place, so memory holds one tensor at a
    time and the base's dtype is kept. The sum is computed as PEFT does, so the result equals ``merge_and_unload`` bit
    by bit.

    Raises :class:`UserError` for a quantised base, and for adapters that are not plain LoRA.
    """
    settings = json.loads((adapter / adapter_files.SETTINGS).read_text())
    require_plain_lora(adapter, settings)
    if "quantization_config" in json.loads((base / "config.json").read_text()):
        raise UserError(base, "is quantised, and merging would ruin the adapter", "merge into the full-precision base")
    scale = settings["lora_alpha"] / (settings["r"] ** 0.5 if settings.get("use_rslora") else settings["r"])
    from safetensors import safe_open

    with safe_open(adapter / adapter_files.WEIGHTS, "pt") as stored:
        waiting = {
            key.removeprefix(_PREFIX).removesuffix(".lora_A.weight") + ".weight": key
            for key in stored.keys()  # noqa: SIM118 (not a mapping)
            if key.endswith(".lora_A.weight")
        }
        touched = len(waiting)
        for file in sorted(base.iterdir()):
            if not file.is_file() or file.suffix in (".bin", ".gguf", ".lock"):
                continue
            shutil.copyfile(file, target / file.name)
            if file.suffix != ".safetensors":
                continue
            with (target / file.name).open("r+b") as stream:
                for name, dtype, shape, place in _list_tensors(target / file.name):
                    key = waiting.pop(name, None)
                    if key is None:
                        continue
                    down = stored.get_tensor(key)
                    up = stored.get_tensor(key.replace(".lora_A.", ".lora_B."))
                    stream.seek(place)
                    weight = _tensor_from_bytes(stream.read(_byte_count(dtype, shape)), dtype, shape)
                    stream.seek(place)
                    stream.write(_tensor_to_bytes(_add_adapter(weight, down, up, scale)))
                    advance(1, name)
    if waiting:
        raise UserError(
            adapter, f"touches {next(iter(waiting))}, which the base does not have", "merge into its own base"
        )
    return touched


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


def _list_tensors(file: Path) -> Iterator[tuple[str, str, list[int], int]]:
    """Yield name, dtype, shape and byte offset of each tensor of a safetensors file."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    for name, entry in header.items():
        if name != "__metadata__":
            yield name, entry["dtype"], entry["shape"], 8 + length + entry["data_offsets"][0]


def _torch_dtype(dtype: str) -> "torch.dtype":
    import torch

    known = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    if dtype not in known:
        raise UserError("base", f"has weights of type {dtype}", "merge into the full-precision base")
    return known[dtype]


def _byte_count(dtype: str, shape: list[int]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count * _torch_dtype(dtype).itemsize


def _tensor_from_bytes(data: bytes, dtype: str, shape: list[int]) -> "torch.Tensor":
    import torch

    return torch.frombuffer(bytearray(data), dtype=_torch_dtype(dtype)).reshape(shape)


def _tensor_to_bytes(tensor: "torch.Tensor") -> bytes:
    import torch

    return bytes(tensor.contiguous().view(torch.uint8).numpy().tobytes())
