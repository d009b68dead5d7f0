"""A vLLM is started for the adapters that it gets: their rank, their layers, and memory for no more."""

import json

import pytest
import torch
from safetensors.torch import save_file

from weakspot.deployment import vllm_command
from weakspot.models import adapter_files
from weakspot.models.loading import Base

ATTENTION = ["k_proj", "o_proj", "q_proj", "v_proj"]


@pytest.fixture
def adapter(tmp_path):
    """Make the folder of an adapter of this rank with these layers."""

    def made(name, rank, *layers):
        folder = tmp_path / name
        folder.mkdir()
        (folder / adapter_files.SETTINGS).write_text(json.dumps({"r": rank}))
        tensors = {f"base_model.model.{one}.lora_{side}.weight": torch.zeros(1) for one in layers for side in "AB"}
        save_file(tensors, folder / adapter_files.WEIGHTS)
        return folder

    return made


def test_the_rank_is_the_next_that_vllm_takes(adapter):
    assert vllm_command.fit_rank([adapter("a", 16, "x"), adapter("b", 33, "x")]) == 64


def test_the_names_are_those_of_every_adapters_tensors(adapter):
    attention = adapter("attention", 8, *(f"model.layers.{n}.self_attn.{one}" for n in range(2) for one in ATTENTION))
    experts = adapter("experts", 8, "model.layers.0.mlp.experts.3.up_proj", "model.layers.0.mlp.shared_expert.up_proj")
    stacked = adapter("stacked", 8, "model.layers.0.mlp.experts", "model.layers.0.mlp.experts.base_layer")
    wrapped = adapter("wrapped", 8, "model.language_model.layers.1.linear_attn.in_proj_qkv", "lm_head")
    assert vllm_command.lora_modules([attention]) == ATTENTION
    assert vllm_command.lora_modules([experts]) == ["experts", "up_proj"]
    assert vllm_command.lora_modules([stacked]) == ["experts"]
    assert vllm_command.lora_modules([attention, wrapped]) == sorted([*ATTENTION, "in_proj_qkv", "lm_head"])


def test_there_is_a_slot_for_each_adapter_and_for_the_next_version(adapter):
    first = adapter("first", 16, "model.layers.0.self_attn.q_proj")
    second = adapter("second", 64, "model.layers.0.mlp.down_proj")
    assert vllm_command.serve_command([first], "some/base", "local") == (
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve some/base --served-model-name local --enable-lora "
        "--max-lora-rank 16 --max-loras 2 --lora-target-modules q_proj"
    )
    both = vllm_command.serve_command([first, second], "some/base")
    assert both.endswith(
        "some/base --enable-lora --max-lora-rank 64 --max-loras 3 --lora-target-modules down_proj q_proj"
    )


MODELS = {
    "Qwen3-Coder-Next": ("qwen3_next", {}),
    "Qwen3-30B-A3B": ("qwen3_moe", {"num_hidden_layers": 48, "head_dim": 128}),
    "gpt-oss-120b": ("gpt_oss", {}),
}


@pytest.fixture(scope="session")
def big(made_once):
    """Give the base of a model's size, without weights: the default configuration of transformers, or near it."""
    from transformers import AutoConfig

    def made(name):
        kind, changed = MODELS[name]
        folder = made_once(name, lambda folder: AutoConfig.for_model(kind, **changed).save_pretrained(folder))
        return Base(name, str(folder), None)

    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rank", "modules", "gigabytes"),
    [
        ("Qwen3-Coder-Next", 16, ["experts"], 6.04),
        ("Qwen3-Coder-Next", 64, ["experts"], 24.16),
        ("Qwen3-30B-A3B", 16, ["experts"], 1.66),
        ("gpt-oss-120b", 64, ["experts"], 8.49),
    ],
)
def test_room_for_routed_experts_is_what_vllm_reserves(big, name, rank, modules, gigabytes):
    assert vllm_command.slot_bytes(big(name), rank, modules) / 1e9 == pytest.approx(gigabytes, abs=0.01)


@pytest.mark.slow
def test_layers_that_are_computed_as_one_have_room_together(big):
    base = big("Qwen3-30B-A3B")
    assert vllm_command.slot_bytes(base, 16, ["q_proj"]) == vllm_command.slot_bytes(base, 16, ["k_proj", "v_proj"])
    # 48 layers of hidden size 2048: q is 4096 wide, k and v 512, o reads 4096.
    assert vllm_command.slot_bytes(base, 16, ATTENTION) == 2 * 48 * 16 * (3 * 2048 + 4096 + 2 * 512 + 4096 + 2048)
