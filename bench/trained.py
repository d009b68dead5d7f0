"""One adapter on a base, trained as ``weakspot train`` trains it and loaded as a server loads it."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from weakspot.models import adapter_files, loading
from weakspot.models.loading import Base
from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora, Train
from weakspot.training import adapter_export, loop, lora_layers
from weakspot.training.adapter_trainer import TrainingRun

if TYPE_CHECKING:
    from peft import PeftModel

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj"]
BUDGET = 1024
"""Tokens in a forward pass: more is no faster on a CPU."""


def trained(base: Base, data: Sequence[Tokens], settings: Train) -> "tuple[PeftModel, float]":
    """Return the base with an adapter of the default shape, and the seconds that its training took."""
    model = loading.load_model(base, torch.float32)
    adapters = lora_layers.attach(model, TARGETS)
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun("adapter", data, [], settings, Lora(), Path(folder) / "state", "")
        started = time.monotonic()
        loop.train(model, adapters, [run], budget=BUDGET)
        seconds = time.monotonic() - started
        adapter_export.save(adapters, 0, Path(folder) / "adapter", base.location)
        return adapter_files.load(loading.load_model(base, torch.float32), Path(folder) / "adapter"), seconds
