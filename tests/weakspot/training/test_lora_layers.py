"""Adapted layers are PEFT's LoRA, each adapter on its own rows, and its noise depends on nothing but its seed."""

import pytest
import torch
from torch import nn

from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora
from weakspot.training import logprobs, lora_layers
from weakspot.training.lora_layout import Layout
from weakspot.training.packing import PackedBatch, PackedItem

pytestmark = pytest.mark.slow

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def adapt(load, *adapters: Lora, targets=LINEAR, seed=5):
    """Give a fresh base some adapters that change something."""
    model = load()
    made = lora_layers.attach(model, targets)
    for slot, settings in enumerate(adapters):
        made.add(slot, settings, seed + slot)
        torch.manual_seed(seed + slot)
        with torch.no_grad():
            for name, parameter in made.parameters(slot).items():
                if "lora_B" in name:
                    parameter.normal_(std=0.1)
    return model, made


def losses_and_gradients(model, adapters, pieces, *, dropout=False, grouped=None):
    """Return each piece's losses by its id, and the gradients of each adapter by the sum of their means."""
    adapters.layout.grouped = grouped
    row = PackedBatch.of(pieces, "cpu")
    adapters.layout.set(row, dropout=dropout)
    losses = logprobs.answer_losses(model, row)
    slots = sorted({piece.slot for piece in pieces if piece.slot is not None})
    named = {(slot, name): value for slot in slots for name, value in adapters.parameters(slot).items()}
    total = torch.stack([one.mean() for one in losses]).sum()
    gradients = torch.autograd.grad(total, list(named.values()))
    adapters.layout.set(None, dropout=False)
    by_id = {piece.tokens.id: one.detach() for piece, one in zip(row.pieces, losses, strict=True)}
    return by_id, dict(zip(named, gradients, strict=True))


def differences(one, other, limit=1e-5):
    """Return by how much two dicts of tensors differ, in shares of their size, where it is more than rounding."""
    assert one.keys() == other.keys()
    shares = {key: float((one[key] - other[key]).detach().norm() / other[key].norm().clamp(min=1e-9)) for key in one}
    return {key: share for key, share in shares.items() if share > limit}


@pytest.mark.parametrize("alpha", [4, 24])
@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], LINEAR], ids=["two", "all"])
def test_outputs_and_gradients_are_those_of_pefts_own_lora(load, sequences, alpha, targets):
    from peft import LoraConfig, get_peft_model

    model, adapters = adapt(load, Lora(rank=6, alpha=alpha, dropout=0.0), targets=targets)
    peft = get_peft_model(load(), LoraConfig(r=6, lora_alpha=alpha, target_modules=targets))
    theirs = {name.replace(".default", ""): value for name, value in peft.named_parameters() if value.requires_grad}
    ours = adapters.parameters(0)
    assert theirs.keys() == ours.keys()
    with torch.no_grad():
        for name, value in theirs.items():
            value.copy_(ours[name])
    for tokens in sequences(3):
        row = PackedBatch.of([PackedItem(tokens, 0)], "cpu")
        adapters.layout.set(row, dropout=False)
        found, wanted = (one(input_ids=row.ids[None]).logits for one in (model, peft))
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        gradients = [
            dict(zip(own, torch.autograd.grad((logits**2).sum(), list(own.values())), strict=True))
            for logits, own in ((found, ours), (wanted, theirs))
        ]
        assert differences(*gradients) == {}
        assert all(one.abs().sum() > 0 for one in gradients[1].values())


def test_a_fresh_adapter_changes_nothing_and_its_first_matrix_is_drawn_as_peft_draws_it(load, sequences):
    from peft import LoraConfig, get_peft_model

    model, adapters = load(), None
    row = PackedBatch.of([PackedItem(sequences(1)[0], 0)], "cpu")
    with torch.no_grad():
        before = model(input_ids=row.ids[None]).logits
        adapters = lora_layers.attach(model, LINEAR)
        adapters.add(0, Lora(rank=16), 1)
        adapters.layout.set(row, dropout=False)
        assert torch.equal(model(input_ids=row.ids[None]).logits, before)
    peft = get_peft_model(load(), LoraConfig(r=16, target_modules=LINEAR))
    theirs = {name.replace(".default", ""): value for name, value in peft.named_parameters() if value.requires_grad}
    for name, value in adapters.parameters(0).items():
        assert value.dtype == torch.float32
        assert float(value.detach().abs().max()) == pytest.approx(float(theirs[name].detach().abs().max()), rel=0.1)
        assert float(value.detach().std()) == pytest.approx(float(theirs[name].detach().std()), rel=0.2)


def test_only_the_adapters_are_trained(load):
    model, adapters = adapt(load, Lora(rank=2), Lora(rank=3))
    trained = {id(value) for value in model.parameters() if value.requires_grad}
    assert trained == {id(value) for slot in (0, 1) for value in adapters.parameters(slot).values()}


def test_a_target_may_be_the_last_part_of_a_name_or_all_of_it(load):
    assert lora_layers.attach(load(), ["q_proj"]).layers.keys() == {
        f"model.layers.{n}.self_attn.q_proj" for n in (0, 1)
    }
    one = "model.layers.1.mlp.up_proj"
    assert lora_layers.attach(load(), [one]).layers.keys() == {one}


def test_the_same_seed_gives_the_same_weights_whatever_else_is_made(load):
    made = lora_layers.attach(load(), LINEAR)
    for slot, (rank, seed) in enumerate([(3, 7), (4, 9), (4, 8), (4, 9)]):
        made.add(slot, Lora(rank=rank), seed)
    assert list(made.slots()) == [0, 1, 2, 3]
    first, other, again = (list(made.parameters(slot).values()) for slot in (1, 2, 3))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not any(torch.equal(one, two) for one, two in zip(first, other, strict=True) if one.abs().sum() > 0)


@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize("base", [False, True], ids=["adapters", "base-too"])
def test_one_grouped_product_is_what_a_loop_over_the_adapters_is(load, sequences, dropout, base):
    settings = [Lora(rank=4, alpha=2 + n, dropout=0.1 + 0.1 * n) for n in range(3)]
    model, adapters = adapt(load, *settings)
    pieces = [PackedItem(one, n % 3, n) for n, one in enumerate(sequences(7))]
    pieces += [PackedItem(one) for one in sequences(2, seed=1)] if base else []
    looped, grouped = (
        losses_and_gradients(model, adapters, pieces, dropout=dropout, grouped=forced) for forced in (False, True)
    )
    assert differences(grouped[0], looped[0]) == {}
    assert differences(grouped[1], looped[1]) == {}
    assert all(one.abs().sum() > 0 for one in looped[1].values())


def test_adapters_of_different_ranks_stand_in_one_row(load, sequences):
    model, adapters = adapt(load, Lora(rank=2), Lora(rank=5))
    pieces = [PackedItem(one, n % 2, n) for n, one in enumerate(sequences(4))]
    together, _ = losses_and_gradients(model, adapters, pieces, grouped=True)
    for piece in pieces:
        alone, _ = losses_and_gradients(model, adapters, [piece])
        assert differences(alone, {piece.tokens.id: together[piece.tokens.id]}) == {}


@pytest.mark.parametrize("grouped", [False, True], ids=["slices", "grouped"])
def test_the_noise_of_a_sequence_does_not_depend_on_what_else_is_in_the_row(load, sequences, grouped):
    model, adapters = adapt(load, Lora(rank=4, dropout=0.3), Lora(rank=4, dropout=0.1), Lora(rank=4))
    pieces = [PackedItem(one, n % 3, 100 + n) for n, one in enumerate(sequences(6))]
    together, gradients = losses_and_gradients(model, adapters, pieces, dropout=True, grouped=grouped)
    wanted = {key: torch.zeros_like(value) for key, value in gradients.items()}
    for piece in pieces:
        alone, own = losses_and_gradients(model, adapters, [piece], dropout=True)
        assert differences(alone, {piece.tokens.id: together[piece.tokens.id]}) == {}
        for key, value in own.items():
            wanted[key] += value
    assert differences(gradients, wanted, 1e-4) == {}


def test_another_seed_is_other_noise_and_without_dropout_there_is_none(load, sequences):
    model, adapters = adapt(load, Lora(rank=4, dropout=0.3))
    (tokens,) = sequences(1)

    def losses(seed, *, dropout):
        return losses_and_gradients(model, adapters, [PackedItem(tokens, 0, seed)], dropout=dropout)[0][tokens.id]

    assert torch.equal(losses(1, dropout=True), losses(1, dropout=True))
    assert not torch.equal(losses(1, dropout=True), losses(2, dropout=True))
    assert torch.equal(losses(1, dropout=False), losses(2, dropout=False))


def test_dropout_leaves_out_its_share_of_an_adapters_input_and_makes_up_for_it(load):
    """Against the formula, written out: y = W x + alpha / rank B A (x kept / (1 - p))."""
    model, adapters = adapt(load, Lora(rank=4, alpha=12, dropout=0.25), targets=["o_proj"])
    layer = adapters.layers["model.layers.0.self_attn.o_proj"]
    row = PackedBatch.of([PackedItem(Tokens("x", tuple(range(3, 403)), 1), 0, 11)], "cpu")
    adapters.layout.set(row, dropout=True)
    x = torch.randn(1, 400, 32)
    kept = adapters.layout.dropout_mask(layer.number, x[0], 0, 0.25)
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert float(kept.mean()) == pytest.approx(0.75, abs=0.02)
    a, b = (value for name, value in adapters.parameters(0).items() if "layers.0." in name)
    wanted = x[0] @ layer.linear.weight.T + 3 * (x[0] * kept / 0.75) @ a.T @ b.T
    torch.testing.assert_close(layer(x)[0], wanted, rtol=1e-5, atol=1e-5)
    assert model is not None


def test_layers_that_share_their_input_share_its_noise_and_others_do_not(load):
    _, adapters = adapt(load, Lora())
    numbers = {name: layer.number for name, layer in adapters.layers.items()}
    attention, mlp = (f"model.layers.0.{part}" for part in ("self_attn", "mlp"))
    assert len({numbers[f"{attention}.{name}_proj"] for name in "qkv"}) == 1
    assert numbers[f"{mlp}.gate_proj"] == numbers[f"{mlp}.up_proj"]
    # q, k, v; o; gate, up; down; in each of two layers
    assert len(set(numbers.values())) == 8


def test_what_is_shared_is_drawn_once_also_by_several_adapters(sequences):
    layout = Layout()
    layout.set(PackedBatch.of([PackedItem(one, n) for n, one in enumerate(sequences(2))], "cpu"), dropout=True)

    def kept(number):
        return [
            layout.dropout_mask(number, torch.zeros(stop - start, 8), start, 0.5) for _, start, stop in layout.spans
        ]

    first, again, other = kept(0), kept(0), kept(1)
    assert all(one is two for one, two in zip(first, again, strict=True))
    assert not any(torch.equal(one, two) for one, two in zip(first, other, strict=True))


def test_the_noise_is_the_same_in_every_type(load):
    """What a run on a GPU sees is drawn there; on one machine the type of the numbers makes no difference."""
    row = PackedBatch.of([PackedItem(Tokens("x", tuple(range(50)), 1), 0, 3)], "cpu")
    layout = Layout()
    found = []
    for dtype in (torch.float32, torch.float64):
        layout.set(row, dropout=True)
        found.append(layout.dropout_mask(0, torch.zeros(50, 16, dtype=dtype), 0, 0.5).bool())
    assert torch.equal(*found)


def test_without_a_row_the_model_is_the_base(load, sequences):
    (tokens,) = sequences(1)
    ids = torch.tensor([tokens.ids])
    model, adapters = adapt(load, Lora(rank=4))
    with torch.no_grad():
        adapters.layout.set(PackedBatch.of([PackedItem(tokens, 0)], "cpu"), dropout=False)
        adapted = model(input_ids=ids).logits
        adapters.layout.set(None, dropout=False)
        assert torch.equal(model(input_ids=ids).logits, load()(input_ids=ids).logits)
        assert not torch.equal(model(input_ids=ids).logits, adapted)


def test_pieces_of_the_base_in_a_row_are_not_adapted(load, sequences):
    first, second = sequences(2)
    model, adapters = adapt(load, Lora(rank=4))
    row = PackedBatch.of([PackedItem(first), PackedItem(second, 0)], "cpu")
    adapters.layout.set(row, dropout=False)
    with torch.no_grad():
        base, adapted = logprobs.answer_losses(model, row)
        adapters.layout.set(None, dropout=False)
        alone = [logprobs.answer_losses(model, PackedBatch.of([PackedItem(one)], "cpu"))[0] for one in (first, second)]
    torch.testing.assert_close(base, alone[0], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(adapted, alone[1], rtol=1e-3)


def test_a_bias_is_added_once(sequences):
    """Qwen2's q, k and v have one."""
    torch.manual_seed(1)
    linear = nn.Linear(8, 12)
    layout = Layout()
    layer = lora_layers.LoraLinear(linear, layout, 0)
    layer.add(0, Lora(rank=4), torch.Generator().manual_seed(1))
    layer.add(1, Lora(rank=4), torch.Generator().manual_seed(2))
    row = PackedBatch.of([PackedItem(Tokens("a", (1, 2, 3), 1), 0), PackedItem(Tokens("b", (1, 2), 1), 1)], "cpu")
    for forced in (False, True):
        layout.grouped = forced
        layout.set(row, dropout=False)
        x = torch.randn(1, 5, 8)
        torch.testing.assert_close(layer(x), linear(x))


def test_recomputing_layers_gives_the_same_gradients_also_with_dropout(load, sequences):
    from weakspot.training import activation_memory

    pieces = [PackedItem(one, n % 2, n) for n, one in enumerate(sequences(5))]
    found = []
    for count in (0, 1, 2):
        model, adapters = adapt(load, Lora(rank=4, dropout=0.2), Lora(rank=4, dropout=0.2))
        activation_memory.checkpoint_layers(model, count)
        model.train()
        found.append(losses_and_gradients(model, adapters, pieces, dropout=True))
    for losses, gradients in found[1:]:
        assert differences(losses, found[0][0]) == {}
        assert differences(gradients, found[0][1]) == {}


@pytest.mark.gpu
def test_one_grouped_product_on_a_gpu_is_what_a_loop_is(load, sequences):
    model, adapters = adapt(load, *[Lora(rank=16, dropout=0.1)] * 3)
    model = model.to("cuda", torch.bfloat16)
    row = PackedBatch.of([PackedItem(one, n % 3, n) for n, one in enumerate(sequences(9))], "cuda")
    found = []
    for forced in (False, True):
        adapters.layout.grouped = forced
        adapters.layout.set(row, dropout=True)
        found.append(torch.cat(logprobs.answer_losses(model, row)))
    torch.testing.assert_close(*found, rtol=0.02, atol=0.05)


def test_four_bits_train_on_a_cpu(small_base, sequences):
    pytest.importorskip("bitsandbytes")
    from weakspot.models import loading
    from weakspot.models.loading import Base

    def load():
        return loading.load_model(Base("small", str(small_base), None), torch.float32, four_bit=True, on_cpu=True)

    def dense():
        from bitsandbytes.functional import dequantize_4bit

        model = loading.load_model(Base("small", str(small_base), None), torch.float32, on_cpu=True)
        for name, module in load().named_modules():
            if (state := getattr(getattr(module, "weight", None), "quant_state", None)) is not None:
                model.get_submodule(name).weight.data = dequantize_4bit(module.weight.data, state)
        return model

    pieces = [PackedItem(one, 0) for one in sequences(3)]
    found = [losses_and_gradients(*adapt(made, Lora(rank=4, dropout=0.0)), pieces) for made in (load, dense)]
    assert differences(found[0][0], found[1][0], 1e-4) == {}
    assert differences(found[0][1], found[1][1], 1e-3) == {}
