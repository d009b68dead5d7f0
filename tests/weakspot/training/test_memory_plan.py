"""The plan of the memory: what it counts is there to the byte, and what it chooses gets less as the machine does."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora
from weakspot.training import activation_memory, lora_layers, memory_plan
from weakspot.training.lora_layout import Layout
from weakspot.training.memory_plan import Machine, Workload
from weakspot.training.packing import PackedBatch, PackedItem
from zddc.errors import UserError

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
# Hidden, intermediate, layers, heads, key-value heads, vocabulary.
SMALL = (64, 128, 4, 4, 2, 1000)
QWEN_7B, QWEN_14B = (3584, 18944, 28, 28, 4, 152064), (5120, 13824, 48, 40, 8, 152064)
WORK = Workload(ATTENTION, [Lora(rank=4)], tokens=4096, longest=256, supervised=0.5)


def qwen(hidden, intermediate, layers_, heads, groups, vocabulary):
    """A Qwen2 of this shape without content."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    settings = Qwen2Config(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers_,
        num_attention_heads=heads, num_key_value_heads=groups, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        return Qwen2ForCausalLM(settings)


def planned(capacity, work=WORK, shape=SMALL, dtype=torch.float32, device="cuda", **options):
    return memory_plan.plan_memory(qwen(*shape), dtype, work, Machine("x", device, capacity, 0), **options)


@pytest.fixture(scope="module")
def roomy():
    """The plan for a machine that has more than enough."""
    return planned(1 << 40)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "out"), [(32, 48), (64, 16)], ids=["forward", "backward"])
def test_one_adapted_layer_takes_what_can_be_counted_by_hand(width, out):
    rows, rank = 128, 4
    with torch.device("meta"):
        layer = lora_layers.LoraLinear(nn.Linear(width, out), layout := Layout(), 0)
        x = torch.empty(rows, width, requires_grad=True)
    layer.requires_grad_(False)
    layer.add(0, Lora(rank=rank, dropout=0.0), torch.Generator())
    layout.set(PackedBatch.of([PackedItem(Tokens("", (0,) * rows, 1), 0)], "meta"), dropout=True)
    with activation_memory.count_new_bytes([x, *layer.parameters()]) as counter:
        layer(x).sum().backward()
    a, b, narrow, number = 4 * rank * width, 4 * out * rank, 4 * rows * rank, 4
    forward = 4 * rows * out + narrow + number  # the output, B's input, and the sum
    backward = narrow + 2 * number + 4 * rows * width + narrow + a + b  # the slopes of x and of B's input, of A and B
    assert counter.peak == max(forward, backward)
    assert counter.now == 4 * rows * width + a + b


def test_a_tensor_that_is_gone_is_not_counted_and_a_view_is_counted_once():
    with activation_memory.count_new_bytes([]) as counter:
        kept = torch.empty(1000, device="meta")
        view = kept[10:].view(-1, 2)
        del kept
        assert (counter.now, counter.peak) == (4000, 4000)
        torch.empty(500, device="meta")
        assert (counter.now, counter.peak) == (4000, 6000)
        del view
        assert counter.now == 0


@pytest.mark.slow
def test_weights_and_adapters_are_told_from_the_shape(roomy):
    hidden, intermediate, depth, heads, groups, vocabulary = SMALL
    key = hidden // heads * groups
    layer = 2 * hidden * hidden + 2 * hidden * key + 3 * hidden * intermediate
    small = hidden + 2 * key + 2 * hidden  # the biases of q, k and v, and two norms
    assert roomy.weights == 4 * (depth * (layer + small) + 2 * vocabulary * hidden + hidden)
    trained = depth * 4 * (2 * 2 * hidden + 2 * (hidden + key))
    assert roomy.adapters == 16 * trained  # the matrices, their gradients and two moments
    assert planned(1 << 40, device="cpu").adapters == 20 * trained  # and the best so far


@pytest.mark.slow
def test_a_machine_with_room_recomputes_nothing_and_does_all_in_one_pass(roomy):
    assert (roomy.recompute, roomy.checkpointed_layers, roomy.micro_batch_tokens) == ("none", 0, 4096)
    assert roomy.fits
    assert roomy.peak == roomy.weights + roomy.adapters + roomy.activations + roomy.overhead


@pytest.mark.slow
def test_a_smaller_machine_recomputes_some_layers_then_all_then_takes_less_at_once_then_gives_up(roomy):
    fixed = roomy.weights + roomy.adapters
    some, all_, none = (planned(fixed + int(share * roomy.activations)) for share in (0.7, 0.1, 0.001))
    assert (some.recompute, all_.recompute, none.recompute) == ("selective", "full", "full")
    assert (some.fits, all_.fits, none.fits) == (True, True, False)
    assert some.micro_batch_tokens == WORK.tokens > all_.micro_batch_tokens > none.micro_batch_tokens == WORK.longest
    # What there is room for is used.
    assert all_.activations > 0.9 * (all_.capacity - fixed)
    # What does not fit has the smallest plan that can be asked for.
    assert replace(none, capacity=1 << 40) == planned(1 << 40, tokens=WORK.longest, recompute=True)


@pytest.mark.slow
@pytest.mark.parametrize(("recompute", "wanted"), [(True, "full"), (False, "none")])
def test_a_setting_is_kept_to(recompute, wanted):
    plan = planned(1 << 40, recompute=recompute, tokens=700)
    assert (plan.recompute, plan.micro_batch_tokens) == (wanted, 700)


@pytest.mark.slow
def test_fewer_tokens_than_the_longest_sequence_has_are_no_plan():
    assert planned(1 << 40, tokens=10).micro_batch_tokens == WORK.longest


@pytest.mark.slow
def test_more_adapters_take_more_of_their_own_and_hardly_more_to_pass_through(roomy):
    several = planned(1 << 40, replace(WORK, adapters=[Lora(rank=4)] * 3))
    assert several.adapters == 3 * roomy.adapters
    assert several.weights == roomy.weights
    assert several.activations == pytest.approx(roomy.activations, rel=0.02)


@pytest.mark.slow
def test_the_logits_of_all_tokens_never_exist_at_once(monkeypatch):
    """Four times the vocabulary takes little more: a chunk of them has the same size."""
    monkeypatch.setattr("weakspot.training.chunked_cross_entropy._CHUNK_BYTES", 1 << 18)
    small, large = (planned(1 << 40, shape=(*SMALL[:5], words)).activations for words in (1000, 4000))
    assert large - small < 2 << 18


@pytest.mark.slow
def test_layers_are_recomputed_from_the_first_on(roomy):
    model = qwen(*SMALL)
    activation_memory.checkpoint_layers(model, 2)
    assert [layer.gradient_checkpointing for layer in activation_memory.checkpointable_layers(model)] == [
        True,
        True,
        False,
        False,
    ]
    activation_memory.checkpoint_layers(model, 0)
    assert not any(layer.gradient_checkpointing for layer in activation_memory.checkpointable_layers(model))
    assert roomy.layers == len(activation_memory.checkpointable_layers(model)) == 4


@pytest.mark.parametrize(("text", "size"), [("24GB", 24), ("24 gb", 24), ("1.5GiB", 1.5), (" 80G ", 80)])
def test_a_machine_may_be_named_by_its_memory(text, size):
    machine = Machine.parse_gpu(text)
    assert (machine.device, machine.capacity) == ("cuda", size * (1 << 30))
    assert 0 < machine.overhead < machine.capacity


@pytest.mark.parametrize("text", ["", "24", "24MB", "0GB", "0.0 GB", "-3GB", "GB", "24GB please", "A100", "1e3GB"])
def test_what_is_no_amount_of_memory_is_one_line(text):
    with pytest.raises(UserError) as caught:
        Machine.parse_gpu(text)
    assert str(caught.value) == f"--on {text}: not an amount of memory; write --on 24GB"


def test_this_machine_has_what_is_free_and_what_is_in_use_already():
    machine = Machine.this()
    assert 0 < machine.overhead < machine.capacity
    assert machine.device == ("cuda" if torch.cuda.is_available() else "cpu")


# Each shape, whether its base is in NF4, the card that the documents say it fits on, and one that is clearly too small.
HARDWARE = {
    "7B-LoRA": (QWEN_7B, False, "24GB", "16GB"),
    "7B-QLoRA": (QWEN_7B, True, "16GB", "8GB"),
    "14B-LoRA": (QWEN_14B, False, "48GB", "28GB"),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", HARDWARE)
def test_what_is_said_of_hardware_is_what_the_plan_says(name):
    """The least that there is: every layer is recomputed, and one sequence is in a pass."""
    shape, four_bit, enough, too_little = HARDWARE[name]
    work = Workload(ATTENTION, [Lora()], tokens=8 * 2048, longest=2048, supervised=0.5, four_bit=four_bit)
    card, model = Machine.parse_gpu(enough), qwen(*shape)
    smallest = memory_plan.plan_memory(model, torch.bfloat16, work, card, tokens=work.longest, recompute=True)
    assert Machine.parse_gpu(too_little).capacity < smallest.peak < card.capacity
    assert smallest.fits


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_7b_on_24_gigabytes_recomputes_some_of_its_layers_and_is_busy():
    work = Workload(ATTENTION, [Lora()], tokens=8 * 2048, longest=2048, supervised=0.5)
    plan = memory_plan.plan_memory(qwen(*QWEN_7B), torch.bfloat16, work, Machine.parse_gpu("24GB"))
    assert (plan.fits, plan.recompute) == (True, "selective")
    assert plan.micro_batch_tokens >= 2 * 2048
    assert plan.weights == pytest.approx(2 * 7_615_616_512, rel=0.001)
