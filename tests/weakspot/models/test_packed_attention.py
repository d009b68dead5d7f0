"""Sequences in one row do not see each other, whatever the model's attention looks at; other models get them singly."""

import random

import pytest
import torch

from weakspot.models import packed_attention
from weakspot.models.packed_attention import Segment
from weakspot.models.tokenization import Tokens
from weakspot.training import logprobs
from weakspot.training.packing import PackedBatch, PackedItem

pytestmark = pytest.mark.slow

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
HYBRID = {
    "vocab_size": 500, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16, "linear_num_value_heads": 2, "linear_num_key_heads": 2,
    "linear_key_head_dim": 16, "linear_value_head_dim": 16,
}  # fmt: skip


def drawn(count: int, length: int = 20, *, paired: bool = False) -> list[Tokens]:
    choose = random.Random(count)
    return [
        Tokens(
            str(n),
            tuple(choose.randrange(3, 500) for _ in range(length + n)),
            12,
            rejected=tuple(choose.randrange(3, 500) for _ in range(5 + n)) if paired else (),
        )
        for n in range(count)
    ]


@pytest.fixture
def mistral():
    """A model whose attention looks back six tokens."""
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(2)
    settings = MistralConfig(vocab_size=500, num_key_value_heads=2, sliding_window=6, **SHAPE)
    return MistralForCausalLM(settings).eval()


@pytest.fixture
def gemma():
    """A model in which layers that look back six tokens and layers that see everything take turns."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(2)
    kinds = ["sliding_attention", "full_attention"]
    settings = Gemma3TextConfig(
        vocab_size=500, num_key_value_heads=2, head_dim=8, sliding_window=6, layer_types=kinds, **SHAPE
    )
    return Gemma3ForCausalLM(settings).eval()


@pytest.fixture
def hybrid():
    """A model most of whose layers carry a state along the row."""
    from transformers import Qwen3NextConfig, Qwen3NextForCausalLM

    torch.manual_seed(2)
    return Qwen3NextForCausalLM(Qwen3NextConfig(**HYBRID)).eval()


@pytest.fixture(params=["llama", "mistral", "gemma"])
def windowed(request, load):
    """A model of each kind of attention that can be packed."""
    if request.param == "llama":
        return load()
    return request.getfixturevalue(request.param)


def plain_losses(model, tokens: Tokens) -> torch.Tensor:
    """The losses of an answer, from the logits of a call that has the one sequence and nothing else."""
    logits = model(input_ids=torch.tensor([tokens.ids])).logits[0].float().log_softmax(-1)
    places = range(tokens.start, len(tokens.ids))
    return torch.stack([-logits[place - 1, tokens.ids[place]] for place in places])


def test_each_sequence_of_a_row_is_scored_as_the_plain_model_scores_it_alone(windowed):
    data = drawn(4)
    with torch.no_grad():
        wanted = [plain_losses(windowed, one) for one in data]
        packed_attention.install(windowed)
        assert packed_attention.is_installed(windowed)
        found = logprobs.answer_losses(windowed, PackedBatch.of([PackedItem(one) for one in data], "cpu"))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_both_answers_of_a_pair_are_scored_as_the_plain_model_scores_them_behind_the_prompt(windowed):
    """Also where the window ends in the prompt that the two have in common."""
    pieces = [PackedItem(one, paired=True) for one in drawn(3, paired=True)]
    with torch.no_grad():
        wanted = [plain_losses(windowed, side.tokens) for piece in pieces for side in piece.sides()]
        packed_attention.install(windowed)
        found = logprobs.answer_losses(windowed, PackedBatch.of(pieces, "cpu"))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_a_window_matters(mistral):
    """The test of windows above would see it if they were left out."""
    (one,) = drawn(1)
    packed_attention.install(mistral)
    near = logprobs.answer_losses(mistral, PackedBatch.of([PackedItem(one)], "cpu"))[0]
    mistral.config.sliding_window = None
    for layer in mistral.model.layers:
        layer.self_attn.sliding_window = None
    far = logprobs.answer_losses(mistral, PackedBatch.of([PackedItem(one)], "cpu"))[0]
    assert not torch.allclose(near, far)


def test_what_stands_before_a_sequence_leaves_no_trace_in_it(windowed):
    packed_attention.install(windowed)
    one, other, third = drawn(3)
    with torch.no_grad():
        found = [
            logprobs.answer_losses(windowed, PackedBatch.of([PackedItem(first), PackedItem(third)], "cpu"))[1]
            for first in (one, other)
        ]
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-6)


def test_a_call_without_segments_is_what_it_was_before(windowed):
    """Answers are generated with the same model, padded on the left."""
    ids = torch.tensor([[2, 2, 7, 8, 9], [4, 5, 6, 7, 8]])
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    windowed.config.get_text_config()._attn_implementation = "sdpa"
    with torch.no_grad():
        before = windowed(input_ids=ids, attention_mask=mask).logits
        packed_attention.install(windowed)
        after = windowed(input_ids=ids, attention_mask=mask).logits
    assert torch.equal(before[mask.bool()], after[mask.bool()])


def test_models_that_carry_a_state_along_the_row_are_not_packed(hybrid):
    assert not packed_attention.can_pack(hybrid)
    packed_attention.install(hybrid)
    assert not packed_attention.is_installed(hybrid)
    rows = list(logprobs.pack_batches(hybrid, [PackedItem(one) for one in drawn(3)], 10_000))
    assert [len(row.pieces) for row in rows] == [1, 1, 1]


def test_a_model_that_cannot_be_packed_is_asked_for_the_two_answers_of_a_pair_one_after_the_other(hybrid):
    packed_attention.install(hybrid)
    (piece,) = (PackedItem(one, paired=True) for one in drawn(1, paired=True))
    with torch.no_grad():
        found = logprobs.answer_losses(hybrid, PackedBatch.of([piece], "cpu"))
        wanted = [plain_losses(hybrid, side.tokens) for side in piece.sides()]
    assert len(found) == 2
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["bloom", "gpt_oss", "gemma2"])
def test_a_model_whose_attention_is_more_than_torchs_is_not_packed(kind):
    """Bloom adds a bias by distance, gpt-oss has sinks, Gemma 2 caps what it adds up."""
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, num_hidden_layers=2))
    assert not packed_attention.can_pack(model)


def test_nothing_builds_the_mask_of_the_whole_row(windowed):
    """It would be of a row's length squared."""
    packed_attention.install(windowed)
    row = PackedBatch.of([PackedItem(one) for one in drawn(40)], "cpu")
    given = packed_attention.forward_arguments(row.segments, row.ids.device)
    assert given["attention_mask"].numel() == 1
    assert given["segments"] == row.segments


@pytest.mark.parametrize("window", [None, 4])
def test_a_mask_shows_a_second_answer_the_prompt_and_itself_up_to_the_window(window):
    segment = Segment(9, 12, origin=1, prefix=2)
    rows = packed_attention._segment_mask(segment, window, torch.device("cpu"))[0, 0].int().tolist()
    whole = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert rows == (whole if window is None else [*whole[:2], [0, 1, 1, 1, 1]])


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["llama", "mistral", "gemma"])
def test_one_call_for_all_segments_on_a_gpu_is_what_one_for_each_is(request, load, name):
    model = load() if name == "llama" else request.getfixturevalue(name)
    model = model.to("cuda", torch.bfloat16)
    packed_attention.install(model)
    pieces = [PackedItem(one) for one in drawn(5, 40)]
    with torch.no_grad():
        together = logprobs.answer_losses(model, PackedBatch.of(pieces, "cuda"))
        alone = [logprobs.answer_losses(model.float(), PackedBatch.of([piece], "cuda"))[0] for piece in pieces]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.05)
