"""Quantised bases are loaded as they are stored: nothing dense is made of what stays frozen."""

import pytest
import torch
from tests.weakspot import quantised
from tests.weakspot.architectures import ARCHITECTURES

from weakspot.models import loading
from weakspot.models.loading import Base

pytestmark = pytest.mark.slow
ROUTED = [one for one in ARCHITECTURES if one.kind in ("qwen3_moe", "qwen3_next", "glm4_moe")]


@pytest.mark.parametrize("layout", ["nvfp4-packed", "nvfp4-modelopt", "fp8-rows"])
@pytest.mark.parametrize("architecture", ROUTED, ids=lambda one: one.kind)
def test_answers_are_those_of_the_dense_copy_bit_by_bit(architecture, layout, tmp_path):
    architecture.save(tmp_path / "base")
    folders = quantised.convert(tmp_path / "base", tmp_path, layout, lambda layer: ".experts." in layer)
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        ours, theirs = (load_aligned(folder)(ids).logits for folder in folders)
    assert torch.equal(ours, theirs)


def load_aligned(folder):
    """Load a model and put its weights where memory begins: their place in a file decides the last bit of a product."""
    model = loading.load_model(Base("x", str(folder), None), torch.float32, on_cpu=True)
    for weight in model.parameters():
        weight.data = weight.data.clone()
    return model
