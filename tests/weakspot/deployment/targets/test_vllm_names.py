"""What no vLLM would load, or would pass over, is told before a server is asked."""

import json

import pytest
import torch
from safetensors.torch import save_file

from weakspot.deployment.openai_client import OpenAIClient
from weakspot.deployment.targets import vllm
from weakspot.records import BaseReference
from zddc.errors import UserError

NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def load(tmp_path):
    """Load an adapter with these tensors, on a base of this architecture, into a server that is not there."""

    def loading(architecture, *tensors, rank=4):
        (tmp_path / "config.json").write_text(json.dumps({"architectures": [architecture], "num_experts": 2}))
        (tmp_path / "adapter_config.json").write_text(json.dumps({"r": rank}))
        save_file(
            {f"base_model.model.{name}.weight": torch.zeros(1) for name in tensors},
            tmp_path / vllm.adapter_files.WEIGHTS,
        )
        base = BaseReference(name="base", location=str(tmp_path), revision=None, identity="0")
        vllm.load(OpenAIClient(NOBODY), tmp_path, "spam-lora-v1", base)

    return loading


def test_a_layer_that_vllm_does_not_have_is_named(load):
    with pytest.raises(UserError, match=r"spam-lora-v1: was not loaded: model\.layers\.0\.mlp\.w2: vLLM has no such"):
        load("Qwen2ForCausalLM", "model.layers.0.mlp.w2.lora_A", "model.layers.0.self_attn.q_proj.lora_A")


def test_experts_in_one_tensor_are_told(load):
    with pytest.raises(
        UserError, match="the routed experts are in one tensor, but vLLM needs one for each, and 1 more"
    ):
        load("Qwen3MoeForCausalLM", "model.layers.0.mlp.experts.base_layer.lora_A", "model.layers.0.mlp.experts.lora_A")


def test_a_rank_beyond_what_vllm_takes_is_told(load):
    with pytest.raises(UserError, match="is of rank 600, and vLLM takes 512 at most; train with a lower"):
        load("Qwen2ForCausalLM", "model.layers.0.self_attn.q_proj.lora_A", rank=600)


@pytest.mark.parametrize("architecture", ["Qwen2ForCausalLM", "GPT2LMHeadModel"])
def test_what_is_sound_or_not_known_is_left_to_the_server(load, architecture):
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9"):
        load(architecture, "model.layers.0.self_attn.q_proj.lora_A")
