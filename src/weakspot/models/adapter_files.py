"""Adapters on disk, in PEFT's own format: saved as trained, loaded again on their base."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"


def load(model: "PreTrainedModel", folder: Path) -> "PeftModel":
    """Put a saved adapter on its base; ``with model.disable_adapter()`` gives the base again."""
    from peft import PeftModel

    with warnings.catch_warnings():
        # PEFT still asks by the old name of a switch that transformers has renamed.
        warnings.filterwarnings("ignore", message=".*_pattern keys did not match", category=RuntimeWarning)
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        return PeftModel.from_pretrained(model, str(folder)).eval()
