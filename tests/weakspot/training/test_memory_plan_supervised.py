"""The plan of the memory knows how many tokens are under loss: only of those are there logits."""

from dataclasses import replace

import pytest
import torch

from weakspot.settings import Lora
from weakspot.training import activation_memory, memory_plan
from weakspot.training.memory_plan import Machine, Workload

pytestmark = pytest.mark.slow

VOCABULARY = 20_000
WORK = Workload(["q_proj"], [Lora(rank=4)], tokens=1000, longest=1000, supervised=0.1)


def model():
    from transformers import Qwen2Config, Qwen2ForCausalLM

    settings = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        return Qwen2ForCausalLM(settings)


def activations(supervised: float) -> int:
    work = replace(WORK, supervised=supervised)
    return memory_plan.plan_memory(model(), torch.float32, work, Machine("x", "cuda", 1 << 40, 0)).activations


def test_more_tokens_under_loss_take_the_logits_of_so_many_more():
    few, some, many = (activations(share) for share in (0.1, 0.2, 0.4))
    row = 4 * VOCABULARY
    assert some - few >= 100 * row
    assert many - some == pytest.approx(2 * (some - few), rel=0.05)


@pytest.mark.parametrize("checkpointed", [0, 2])
def test_what_cannot_be_traced_is_guessed_to_be_about_what_it_would_take(checkpointed):
    """Three times as much at most, and a third at least: the rule is one of thumb."""
    from weakspot.models import packed_attention
    from weakspot.training import lora_layers

    traced = model()
    packed_attention.install(traced)
    adapters = lora_layers.attach(traced, WORK.targets)
    adapters.add(0, Lora(rank=4), 0)
    traced.train()
    activation_memory.checkpoint_layers(traced, checkpointed)
    for supervised in (0.1, 0.5, 1.0):
        work = replace(WORK, supervised=supervised)
        counted = activation_memory._trace_peak(traced, adapters, work, 1000)
        assert (
            counted / 3
            < activation_memory._estimate_peak(traced, torch.float32, work, 1000, checkpointed)
            < counted * 3
        )
