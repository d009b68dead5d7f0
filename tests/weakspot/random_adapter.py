"""Adapters of random numbers on the layers that a preset touches."""

import json

import torch
from safetensors.torch import save_file

from weakspot.models import target_modules

RANK, ALPHA = 4, 8


def names_of(model, preset):
    """Return the names of the layers that a preset touches, each expert's own, with their shapes ``[out, in]``."""
    found = {}
    for layer in target_modules.select_layers(
        preset, target_modules.find_adaptable_layers(model), type(model).__name__, "it"
    ):
        if layer.kind == "experts":
            parts = ("gate_proj", "up_proj", "down_proj")
            for number in range(layer.count):
                found |= {f"{layer.name}.{number}.{part}": of for part, of in zip(parts, layer.matrices, strict=True)}
        else:
            (found[layer.name],) = layer.matrices
    return found


def adapter(folder, names, *, mixture, base=""):
    """Save an adapter of random pairs for these layers; return its tensors by layer."""
    torch.manual_seed(2)
    pairs = {name: (torch.randn(RANK, of[1]) * 0.2, torch.randn(of[0], RANK) * 0.2) for name, of in names.items()}
    tensors = {
        f"base_model.model.{name}.lora_{side}.weight": one
        for name, pair in pairs.items()
        for side, one in zip("AB", pair, strict=True)
    }
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.0}
    settings |= {"base_model_name_or_path": base, **target_modules.peft_layer_settings(names, mixture=mixture)}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return pairs
