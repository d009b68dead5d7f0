"""Adapters on disk, in PEFT's own format: saved as trained, loaded again on their base."""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.data import store

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from weakspot.engine.layers import Adapters

WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"


def save(adapters: "Adapters", slot: int, folder: Path, base: str) -> None:
    """Write an adapter so that plain PEFT loads it on ``base``; the same weights give the same bytes.

    The settings are PEFT's LoraConfig, of which we write what is not its default: importing PEFT takes longer than
    training some adapters.
    """
    from safetensors.torch import save_file

    layers = adapters.layers
    lora = next(iter(layers.values())).settings[slot]
    settings = {
        "base_model_name_or_path": base,
        "bias": "none",
        "inference_mode": True,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "peft_type": "LORA",
        "r": lora.rank,
        "target_modules": sorted({name.rsplit(".", 1)[-1] for name in layers}),
        "task_type": "CAUSAL_LM",
    }
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in adapters.parameters(slot).items()}
    with store.full_disk_named(folder / WEIGHTS):
        save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    store.write_atomically(folder / SETTINGS, (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode())
    store.sync_tree(folder)


def load(model: "PreTrainedModel", folder: Path) -> "PeftModel":
    """Put a saved adapter on its base; ``with model.disable_adapter()`` gives the base again."""
    from peft import PeftModel

    with warnings.catch_warnings():
        # PEFT still asks by the old name of a switch that transformers has renamed.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        return PeftModel.from_pretrained(model, str(folder)).eval()
