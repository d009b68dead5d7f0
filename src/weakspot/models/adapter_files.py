"""Adapter files in PEFT's format: loads a trained adapter onto its base."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"


def load(model: "PreTrainedModel", folder: Path) -> "PeftModel":
    """Load a saved adapter onto its base; inside ``with model.disable_adapter()`` the model is the base again."""
    from peft import PeftModel

    with warnings.catch_warnings():
        # PEFT reads an attribute of transformers by its former name.
        warnings.filterwarnings("ignore", message=".*_pattern keys did not match", category=RuntimeWarning)
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        return PeftModel.from_pretrained(model, str(folder)).eval()
