"""A real vLLM that was started in a way in which an adapter does not answer as trained: each is told, none deploys."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.weakspot.deployment.real_vllm import BASE, names, put, served

from weakspot.deployment.releases import read_releases
from zddc.errors import UserError

pytestmark = [pytest.mark.serving, pytest.mark.timeout(900)]


@pytest.fixture
def refused(demo, tmp_path):
    """Deploy the adapter to a server that must not be given it; nothing is left there, or in the workspace."""
    workspace = demo.copied(tmp_path / "training-data")

    def refused(url, words):
        with pytest.raises(UserError, match=words):
            put(workspace, demo.config, url)
        assert names(url) == {BASE}
        assert read_releases(workspace) == []

    return refused


def test_another_base_of_the_same_shape(refused, embedded, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(embedded.location, other)
    tensors = load_file(other / "model.safetensors")
    torch.manual_seed(1)
    moved = {name: one + 0.02 * torch.randn_like(one) if one.dim() == 2 else one for name, one in tensors.items()}
    save_file(moved, other / "model.safetensors", {"format": "pt"})
    with served(other) as url:
        line = (
            rf"vllm serve {embedded.location} --enable-lora --max-lora-rank 16 --max-loras 2 --lora-target-modules k_"
        )
        refused(url, rf"(another base|ignores the adapter|is not applied as trained).*start it as: .*{line}")


def test_another_chat_template(refused, embedded, tmp_path):
    template = tmp_path / "template.jinja"
    template.write_text("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:")
    with served(embedded.location, "--chat-template", template) as url:
        refused(url, "another chat template")


def test_a_layer_that_the_server_was_not_told_of(refused, embedded):
    with served(embedded.location, "--lora-target-modules", "q_proj", "k_proj", "v_proj") as url:
        refused(url, r"is not applied as trained: its effect there is 0\.9")


def test_too_high_a_rank(refused, embedded):
    with served(embedded.location, rank=8) as url:
        refused(url, r"was not loaded: .*start it as: .*--max-lora-rank 16 ")
