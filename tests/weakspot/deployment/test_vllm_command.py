"""A vLLM is started for the adapters that it gets: their rank, their layers, and memory for no more."""

import json

import pytest
import torch
from safetensors.torch import save_file
from tests.weakspot.models.test_vllm_names import asked_vllm

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
    "Qwen3-Coder-Next": ("qwen3_next", {"architectures": ["Qwen3NextForCausalLM"]}),
    "Qwen3-30B-A3B": (
        "qwen3_moe",
        {"architectures": ["Qwen3MoeForCausalLM"], "num_hidden_layers": 48, "head_dim": 128},
    ),
    "gpt-oss-120b": ("gpt_oss", {"architectures": ["GptOssForCausalLM"]}),
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


# vLLM's own models without weights, and the room that its own manager of adapters makes in each of their layers.
_ASK_VLLM = """
import json, sys, tempfile
import torch
from vllm.config import set_current_vllm_config
from vllm.distributed import init_distributed_environment, initialize_model_parallel
from vllm.engine.arg_utils import EngineArgs
from vllm.lora.model_manager import LoRAModelManager
from vllm.model_executor.model_loader.utils import initialize_model, process_weights_after_loading

def tensors(module):
    for side in ("w13_lora_a", "w13_lora_b", "w2_lora_a", "w2_lora_b") if hasattr(module, "w13_lora_a_stacked") else (
        "lora_a", "lora_b"
    ):
        found = getattr(module, side + "_stacked")
        yield from (found,) if torch.is_tensor(found) else found

answers = []
for base, rank, modules in json.load(sys.stdin):
    config = EngineArgs(model=base, skip_tokenizer_init=True, enforce_eager=True, dtype="bfloat16", max_model_len=64,
                        enable_lora=True, max_lora_rank=rank, max_loras=1,
                        lora_target_modules=modules).create_engine_config()
    with set_current_vllm_config(config):
        if not answers:
            place = "file://" + tempfile.mkdtemp() + "/rendezvous"
            init_distributed_environment(1, 0, place, 0, "gloo")
            initialize_model_parallel(1)
        with torch.device("meta"):
            model = initialize_model(config)
            process_weights_after_loading(model, config.model_config, torch.device("meta"))
            manager = LoRAModelManager(model, 4, 64, 128, config.lora_config, torch.device("cpu"), config)
        room = {}
        for name, module in manager.modules.items():
            last = name.rpartition(".")[2]
            room[last] = room.get(last, 0) + sum(one.nbytes for one in tensors(module))
        answers.append(room)
print("\\n" + json.dumps(answers))
"""


@pytest.mark.serving
@pytest.mark.timeout(900)
def test_vllm_itself_reserves_what_is_said(big):
    attention = [*ATTENTION, "in_proj_qkvz", "in_proj_ba", "out_proj"]
    asked = [(big(name), 16, modules) for name in MODELS for modules in (attention, ["experts"], None)]
    given = json.dumps([(base.location, rank, modules) for base, rank, modules in asked])
    answers = json.loads(asked_vllm(_ASK_VLLM, given=given)[-1])
    for (base, rank, modules), room in zip(asked, answers, strict=True):
        ours = vllm_command.slot_bytes(base, rank, modules)
        if modules:
            assert ours == sum(room.values()), (base, modules)
            assert ("experts" in room) == (modules == ["experts"])
        else:  # beside our layers there are embeddings, routers and convolutions
            assert ours <= sum(room.values()) <= 1.03 * ours


def test_a_vllm_that_sleeps_during_a_training_has_sleep_mode_and_leaves_room(adapter):
    first = adapter("first", 16, "model.layers.0.self_attn.q_proj")
    command = vllm_command.serve_command([first], "some/base", sleeps=True)
    assert command.startswith("VLLM_SERVER_DEV_MODE=1 VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve some/base ")
    assert command.endswith(" --lora-target-modules q_proj --enable-sleep-mode --gpu-memory-utilization 0.85")
