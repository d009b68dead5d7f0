"""The activations of a deep model are told from one or two layers of each kind, and those of a large model at once."""

import os

import pytest
import torch

from weakspot.models import frozen_layers, packed_attention
from weakspot.settings import Lora
from weakspot.training import activation_memory, lora_layers, memory_plan
from weakspot.training.activation_memory import ActivationMemory, Workload
from weakspot.training.memory_plan import Machine
from zddc.errors import UserError

pytestmark = pytest.mark.slow
SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj", "in_proj_qkvz", "in_proj_ba", "out_proj"]
# The published sizes.
SHAPES = {
    "Qwen3-Coder-Next": ("Qwen3Next", {}),
    "Qwen3-30B-A3B": (
        "Qwen3Moe",
        {"hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4}
        | {"head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768}
        | {"vocab_size": 151936},
    ),
    "gpt-oss-120b": ("GptOss", {"num_hidden_layers": 36, "num_local_experts": 128}),
}
GIGA = 1e9


def shape(kind, settings):
    import transformers

    with torch.device("meta"):
        model = getattr(transformers, f"{kind}ForCausalLM")
        return model._from_config(getattr(transformers, f"{kind}Config")(**settings))


def planned(name, *, quantised, **options):
    """The plan for a batch of one sequence of 8,192 tokens on 96 GB."""
    model = shape(*SHAPES[name])
    if quantised:
        frozen_layers.quantise_on_meta_device(model, name)
    work = Workload(ATTENTION, [Lora(rank=16)], tokens=8192, longest=8192, supervised=0.3)
    return memory_plan.plan_memory(model, torch.bfloat16, work, Machine.parse_gpu("96GB"), **options)


def test_qwen3_coder_next_with_experts_in_nvfp4_takes_60_gigabytes_at_most_of_96():
    plan = planned("Qwen3-Coder-Next", quantised=True, recompute=True)
    assert plan.fits
    assert plan.weights == pytest.approx(48.2 * GIGA, rel=0.01)
    assert plan.peak <= 60 * GIGA


@pytest.mark.parametrize(
    ("name", "quantised", "weights", "fits"),
    [
        *([("Qwen3-Coder-Next", False, 159.3, False)] if SOAK else []),
        ("Qwen3-30B-A3B", False, 61.1, True),
        ("Qwen3-30B-A3B", True, 19.4, True),
        ("gpt-oss-120b", False, 233.7, False),
    ],
)
def test_the_plans_beside_it(name, quantised, weights, fits):
    plan = planned(name, quantised=quantised)
    assert (plan.weights / GIGA, plan.fits) == (pytest.approx(weights, rel=0.01), fits)


def test_experts_of_an_unusual_kind_have_no_such_plan():
    with pytest.raises(UserError, match="gpt-oss-120b: has no routed experts that could be quantised"):
        planned("gpt-oss-120b", quantised=True)


DEEP = {"vocab_size": 1000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 12, "head_dim": 16}
DEEP |= {"num_attention_heads": 4, "num_key_value_heads": 2}
HYBRID = DEEP | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
HYBRID |= {"linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8}
HYBRID |= {"linear_value_head_dim": 8, "shared_expert_intermediate_size": 24}


@pytest.mark.parametrize(("kind", "settings"), [("Qwen3", DEEP), ("Qwen3Next", HYBRID)], ids=["plain", "hybrid"])
def test_what_is_put_together_from_a_few_layers_is_what_all_of_them_take(kind, settings, monkeypatch):
    model = shape(kind, settings).to(torch.bfloat16)
    packed_attention.install(model)
    adapters = lora_layers.attach(model, ATTENTION)
    adapters.add(0, Lora(rank=4), 0)
    model.train()
    work = Workload(ATTENTION, [Lora(rank=4)], tokens=2048, longest=2048, supervised=0.5)
    monkeypatch.setattr("weakspot.training.chunked_cross_entropy._CHUNK_BYTES", 1 << 20)
    memory = ActivationMemory(model, adapters, work, torch.bfloat16)
    whole = {}
    for checkpointed in (0, 12):
        activation_memory.checkpoint_layers(model, 0)
        activation_memory.checkpoint_layers(model, checkpointed)
        whole[checkpointed] = activation_memory._trace_peak(model, adapters, work, 400)
    for checkpointed, traced in whole.items():  # a chunk of logits is taken to be full
        assert 0.99 * traced < memory.peak(400, checkpointed) < 1.25 * traced
    assert whole[12] < memory.peak(400, 6) < whole[0]
    if packed_attention.is_installed(model):  # else attention on the meta device is that of no GPU
        traced = activation_memory._trace_peak(model, adapters, work, 2048)
        assert 0.99 * traced < memory.peak(2048, 12) < 1.25 * traced


def test_a_model_is_as_it_was_after_it_was_traced_in_part():
    model = shape("Qwen3", DEEP)
    adapters = lora_layers.attach(model, ATTENTION)
    adapters.add(0, Lora(rank=4), 0)
    work = Workload(ATTENTION, [Lora(rank=4)], tokens=512, longest=512, supervised=0.5)
    ActivationMemory(model, adapters, work, torch.float32).peak(512, 3)
    assert all("forward" not in vars(layer) for layer in activation_memory.checkpointable_layers(model))
