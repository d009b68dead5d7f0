"""Adapted experts are what experts with changed weights are, for every adapter on its own tokens only."""

import pytest
import torch

from weakspot.models import packed_attention
from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora
from weakspot.training import logprobs, lora_layers
from weakspot.training.lora_moe import LoraRoutedExperts
from weakspot.training.packing import PackedBatch, PackedItem

pytestmark = pytest.mark.slow

TARGETS = ["q_proj", "v_proj", "experts"]


def mixture(layers_=2):
    """A mixture of four experts with random weights: those of experts too, which transformers leaves as they were."""
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    torch.manual_seed(1)
    settings = Qwen3MoeConfig(
        vocab_size=300, hidden_size=32, intermediate_size=48, moe_intermediate_size=12, num_hidden_layers=layers_,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, num_experts=4, num_experts_per_tok=2,
    )  # fmt: skip
    model = Qwen3MoeForCausalLM(settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.15)
    packed_attention.install(model)
    return model


def adapt(model, count):
    adapters = lora_layers.attach(model, TARGETS)
    for slot in range(count):
        adapters.add(slot, Lora(rank=4, alpha=8, dropout=0.1), slot)
        torch.manual_seed(20 + slot)
        with torch.no_grad():
            for name, parameter in adapters.parameters(slot).items():
                if "lora_B" in name:
                    parameter.normal_(std=0.2)
    return adapters


def drawn(count):
    torch.manual_seed(9)
    return [Tokens(str(n), tuple(torch.randint(300, (12 + n,)).tolist()), 4) for n in range(count)]


def experts_of(adapters) -> dict[str, LoraRoutedExperts]:
    return {name: layer for name, layer in adapters.layers.items() if isinstance(layer, LoraRoutedExperts)}


def changed(layer, slot):
    """Return the weights of a block's experts with an adapter's products added, as a function of its pairs."""
    pairs = layer.trainable_parameters(slot)
    delta = {part: 2 * pairs[f"{part}.lora_B.weight"] @ pairs[f"{part}.lora_A.weight"] for part in layer._matrices()}
    frozen = layer.experts
    gate_up = frozen.gate_up_proj + torch.cat([delta["gate_proj"], delta["up_proj"]], dim=1)
    return gate_up, frozen.down_proj + delta["down_proj"]


@pytest.mark.parametrize("grouped", [False, True], ids=["slices", "grouped"])
def test_outputs_and_gradients_are_those_of_experts_with_changed_weights(grouped):
    """Against transformers' own experts, called with W + s B A."""
    adapters = adapt(mixture(1), 3)
    (layer,) = experts_of(adapters).values()
    adapters.layout.grouped = grouped
    spans = [(0, 0, 9), (2, 9, 11), (1, 11, 30)]
    pieces = [PackedItem(Tokens("", (0,) * (stop - start), 1), slot) for slot, start, stop in spans]
    row = PackedBatch.of(pieces, "cpu")
    adapters.layout.set(row, dropout=True)
    hidden = torch.randn(30, 32, requires_grad=True)
    chosen = torch.stack([torch.randperm(4)[:2] for _ in range(30)])
    weights = torch.rand(30, 2, requires_grad=True)
    upstream = torch.randn(30, 32)
    parameters = [value for slot in range(3) for value in layer.trainable_parameters(slot).values()]
    found = layer(hidden, chosen, weights)
    slopes = torch.autograd.grad((found * upstream).sum(), [hidden, weights, *parameters])
    parts = []
    for slot, start, stop in row.spans:
        names = ("gate_up_proj", "down_proj")
        merged = dict(zip(names, changed(layer, slot), strict=True))
        given = (hidden[start:stop], chosen[start:stop], weights[start:stop])
        parts.append(torch.func.functional_call(layer.experts, merged, given))
    wanted = torch.cat(parts)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    expected = torch.autograd.grad((wanted * upstream).sum(), [hidden, weights, *parameters])
    for one, other in zip(slopes, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        assert other.abs().sum() > 0


def losses(model, adapters, pieces):
    row = PackedBatch.of(pieces, "cpu")
    adapters.layout.set(row, dropout=False)
    with torch.no_grad():
        found = logprobs.answer_losses(model, row)
    adapters.layout.set(None, dropout=False)
    return {piece.tokens.id: one for piece, one in zip(row.pieces, found, strict=True)}


def test_each_sequence_of_a_row_is_scored_as_it_is_alone():
    model = mixture()
    adapters = adapt(model, 2)
    pieces = [PackedItem(one, (None, 0, 1)[n % 3]) for n, one in enumerate(drawn(6))]
    together = losses(model, adapters, pieces)
    for piece in pieces:
        torch.testing.assert_close(
            losses(model, adapters, [piece])[piece.tokens.id], together[piece.tokens.id], rtol=1e-4, atol=1e-5
        )


def test_an_adapter_changes_something_only_once_it_has_learned():
    (tokens,) = drawn(1)
    model = mixture()
    with torch.no_grad():
        (base,) = logprobs.answer_losses(model, PackedBatch.of([PackedItem(tokens)], "cpu"))
    adapters = lora_layers.attach(model, TARGETS)
    adapters.add(0, Lora(rank=4), 1)
    torch.testing.assert_close(losses(model, adapters, [PackedItem(tokens, 0)])["0"], base)
    with torch.no_grad():
        for layer in experts_of(adapters).values():
            for name, value in layer.trainable_parameters(0).items():
                value.normal_(std=0.2) if "lora_B" in name else None
    assert not torch.allclose(losses(model, adapters, [PackedItem(tokens, 0)])["0"], base, rtol=1e-3)
    torch.testing.assert_close(losses(model, adapters, [PackedItem(tokens)])["0"], base)


def test_every_matrix_of_every_expert_has_its_own_name_on_disk():
    adapters = adapt(mixture(), 1)
    assert adapters.mixture
    stored = adapters.tensors(0)
    own = {
        f"base_model.model.model.layers.{n}.mlp.experts.{expert}.{part}_proj.lora_{side}.weight"
        for n in range(2)
        for expert in range(4)
        for part in ("gate", "up", "down")
        for side in "AB"
    }
    assert {name for name in stored if ".experts." in name} == own
    assert all(value.dim() == 2 and not value.requires_grad for value in stored.values())
    assert sum(value.numel() for value in stored.values()) == sum(v.numel() for v in adapters.parameters(0).values())


def test_the_same_seed_gives_the_same_weights_and_every_expert_its_own():
    adapters = adapt(mixture(1), 2)
    adapters.add(2, Lora(rank=4), 0)
    (layer,) = experts_of(adapters).values()
    first, other, again = (layer.trainable_parameters(slot)["up_proj.lora_A.weight"] for slot in range(3))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])
    assert float(first.detach().abs().max()) <= 1 / 32**0.5


def test_a_mixture_is_planned_for_without_its_weights():
    """What goes through experts depends on values, of which there are none: one of them is given everything."""
    from weakspot.training import memory_plan
    from weakspot.training.memory_plan import Machine, Workload

    model = mixture().to("meta")
    work = Workload(TARGETS, [Lora(rank=4)] * 2, tokens=512, longest=64, supervised=0.5)
    plan = memory_plan.plan_memory(model, torch.float32, work, Machine("x", "cuda", 1 << 40, 0))
    assert plan.fits
    experts = 2 * 4 * 4 * (3 * (32 + 12))
    attention_ = 2 * 4 * ((32 + 32) + (32 + 16))
    assert plan.adapters == 2 * 16 * (experts + attention_)
    # At least the input of each product of two experts for each token, kept for the way back.
    assert plan.activations > 4 * 512 * 2 * 2 * (32 + 12)
