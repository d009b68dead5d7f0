"""Bases with quantised weights, in each layout that is read, and the dense ones that they stand for."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from weakspot.models import quantised_weights

CONFIGURATIONS = {
    "nvfp4-packed": {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"},
    "nvfp4-modelopt": {"quant_method": "modelopt", "quant_algo": "NVFP4"},
    "fp8-blocks": {"quant_method": "fp8", "weight_block_size": [8, 16]},
    "fp8-rows": {"quant_method": "compressed-tensors", "format": "float-quantized"},
}


def quantised_tensors(weight: torch.Tensor, layout: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a layer in a layout, by the last parts of their names."""
    if layout.startswith("nvfp4"):
        packed = quantised_weights.quantise(weight, quantised_weights.global_scale(weight.abs().max()))
        if layout == "nvfp4-packed":
            return packed
        divisor = packed["weight_global_scale"].reshape(())
        return {
            "weight": packed["weight_packed"], "weight_scale": packed["weight_scale"], "weight_scale_2": 1 / divisor,
            "input_scale": torch.tensor(1.0),
        }  # fmt: skip
    if layout == "fp8-rows":
        scale = (weight.abs().amax(1, keepdim=True) / 448).clamp(min=1e-6)
        return {"weight": (weight / scale).to(torch.float8_e4m3fn), "weight_scale": scale}
    rows, columns = CONFIGURATIONS[layout]["weight_block_size"]
    scale = torch.rand(-(-weight.shape[0] // rows), -(-weight.shape[1] // columns)) * 0.01 + 0.01
    whole = scale.repeat_interleave(rows, 0)[: weight.shape[0]].repeat_interleave(columns, 1)[:, : weight.shape[1]]
    return {"weight": (weight / whole).to(torch.float8_e4m3fn), "weight_scale_inv": scale}


def convert(base: Path, folder: Path, layout: str, chosen: Callable[[str], bool]) -> tuple[Path, Path]:
    """Quantise the chosen layers of a base in one file; return the folder, and one of the dense base it stands for."""
    quantised, dense = folder / layout, folder / f"{layout}-dense"
    for target in (quantised, dense):
        shutil.copytree(base, target)
    bits, numbers = {}, {}
    torch.manual_seed(2)
    for name, weight in load_file(base / "model.safetensors").items():
        layer = name.removesuffix(".weight")
        if layer == name or weight.dim() != 2 or not chosen(layer):
            bits[name] = numbers[name] = weight
            continue
        parts = quantised_tensors(weight, layout)
        bits |= {f"{layer}.{part}": value for part, value in parts.items()}
        block = tuple(CONFIGURATIONS[layout].get("weight_block_size", (1, 1)))
        numbers[name] = quantised_weights.dequantise(parts, torch.float32, block)
    save_file(bits, quantised / "model.safetensors", {"format": "pt"})
    save_file(numbers, dense / "model.safetensors", {"format": "pt"})
    configuration = json.loads((base / "config.json").read_text())
    configuration["quantization_config"] = CONFIGURATIONS[layout]
    (quantised / "config.json").write_text(json.dumps(configuration))
    return quantised, dense
