"""Adapters on a base: made anew, saved as PEFT's own format, loaded again."""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.config import Lora
from weakspot.data import store

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"


def attach(
    model: "PreTrainedModel", settings: Lora, modules: list[str], seed: int, *, checkpointing: bool
) -> "PeftModel":
    """Put fresh LoRA layers on ``modules``; the same seed gives the same weights."""
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if getattr(model, "is_loaded_in_4bit", False):
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if checkpointing:
        model.activation_checkpointing_enable()
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=modules,
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        # PEFT still asks by the old name of a switch that transformers has renamed.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        return get_peft_model(model, config)


def save(model: "PeftModel", folder: Path) -> None:
    """Write the adapter so that plain PEFT loads it; the same weights give the same bytes."""
    with store.full_disk_named(folder / WEIGHTS):
        model.save_pretrained(str(folder))
    settings = json.loads((folder / SETTINGS).read_text())
    # PEFT keeps the module names in a set, whose order changes from run to run.
    settings["target_modules"] = sorted(settings["target_modules"])
    store.write_atomically(folder / SETTINGS, (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode())
    store.sync_tree(folder)


def load(model: "PreTrainedModel", folder: Path) -> "PeftModel":
    """Put a saved adapter on its base; ``with model.disable_adapter()`` gives the base again."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        return PeftModel.from_pretrained(model, str(folder)).eval()
