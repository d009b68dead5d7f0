"""Trained adapters are written in the format of PEFT."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.models.adapter_files import SETTINGS, WEIGHTS
from weakspot.models.target_modules import peft_layer_settings
from weakspot.storage import atomic

if TYPE_CHECKING:
    from weakspot.training.lora_layers import Adapters


def save(adapters: "Adapters", slot: int, folder: Path, base: str) -> None:
    """Write an adapter so that plain PEFT loads it on ``base``; the same weights give the same bytes.

    The settings are PEFT's LoraConfig, without the keys that have default values. PEFT itself is not imported here,
    because importing it takes longer than training a small adapter.
    """
    from safetensors.torch import save_file

    from weakspot.training.lora_layers import PREFIX

    tensors = {name: value.cpu().contiguous() for name, value in adapters.tensors(slot).items()}
    layers = [name.removeprefix(PREFIX).rsplit(".", 2)[0] for name in tensors]
    targets = peft_layer_settings(layers, mixture=adapters.mixture)
    by_parameter = bool(targets["target_parameters"]) or any(".experts." in name for name in layers)
    lora = next(iter(adapters.layers.values())).settings[slot]
    settings = {
        "base_model_name_or_path": base,
        "bias": "none",
        "inference_mode": True,
        "lora_alpha": lora.alpha,
        # PEFT refuses dropout on adapted parameters, and after training it has no effect.
        "lora_dropout": 0.0 if by_parameter else lora.dropout,
        "peft_type": "LORA",
        "r": lora.rank,
        "task_type": "CAUSAL_LM",
        **{key: names for key, names in targets.items() if names},
    }
    atomic.make_folder(folder)
    with atomic.translate_full_disk_error(folder / WEIGHTS):
        save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    atomic.write_atomically(folder / SETTINGS, (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode())
    atomic.sync_tree(folder)
