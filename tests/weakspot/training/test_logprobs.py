"""Only the answer is under loss, each answer for itself, whatever the model does to its logits."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from weakspot.models import packed_attention
from weakspot.models.tokenization import Tokens
from weakspot.training import logprobs
from weakspot.training.packing import PackedBatch, PackedItem

pytestmark = pytest.mark.slow

SHAPE = {
    "vocab_size": 500, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip


def plain_losses(model, tokens: Tokens) -> torch.Tensor:
    """The losses of an answer from the model's own logits, all of them."""
    logits = model(input_ids=torch.tensor([tokens.ids]), use_cache=False).logits[0].float()
    return cross_entropy(logits[tokens.start - 1 : -1], torch.tensor(tokens.ids[tokens.start :]), reduction="none")


def test_a_packed_row_scores_each_sequence_as_if_it_were_alone(adapted, sequences):
    model, adapters = adapted
    data = sequences(5)
    adapters.layout.set(None, dropout=False)
    with torch.no_grad():
        together = logprobs.negative_log_likelihoods(model, data)
        alone = torch.cat([logprobs.negative_log_likelihoods(model, [one]) for one in data])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_scores_are_those_of_the_plain_model_on_the_answer_only_and_in_order(load, sequences):
    model, data = load(), sequences(6)
    with torch.no_grad():
        for budget in (1, 60, 4096):
            found = logprobs.negative_log_likelihoods(model, data, budget)
            wanted = torch.stack([plain_losses(model, one).sum() for one in data])
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-4)


def test_nothing_asked_is_nothing_found(load):
    assert logprobs.negative_log_likelihoods(load(), []).tolist() == []


def test_the_prompt_gets_no_loss(load, sequences):
    """An answer's sum is what its parts are: the prompt adds nothing to it."""
    (one,) = sequences(1)
    model, last = load(), len(one.ids) - 1
    with torch.no_grad():
        whole, first, end = logprobs.negative_log_likelihoods(
            model, [one, Tokens("first", one.ids[:last], one.start), Tokens("last", one.ids, last)]
        ).tolist()
    assert whole == pytest.approx(first + end, rel=1e-5)
    assert 0 < end < whole


def test_gradients_of_a_packed_row_are_the_sum_of_those_alone(adapted, sequences):
    model, adapters = adapted
    pieces = [PackedItem(one, 0) for one in sequences(4)]
    parameters = adapters.parameters(0)

    def gradients(part):
        row = PackedBatch.of(part, "cpu")
        adapters.layout.set(row, dropout=False)
        total = torch.cat(logprobs.answer_losses(model, row)).sum()
        return torch.autograd.grad(total, list(parameters.values()))

    alone = [sum(each) for each in zip(*(gradients([piece]) for piece in pieces), strict=True)]
    for found, wanted in zip(gradients(pieces), alone, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
        assert wanted.abs().sum() > 0


def test_rows_are_as_few_as_best_fit_finds(load, sequences):
    model, data = load(), sequences(9)
    rows = list(logprobs.pack_batches(model, [PackedItem(one) for one in data], 100))
    assert len(rows) < len(data)
    assert all(len(row.ids) <= 100 for row in rows)
    assert sorted(piece.tokens.id for row in rows for piece in row.pieces) == sorted(one.id for one in data)


# What they do to their logits beside one product, and the settings that are of their kind alone.
ODD_HEADS = {
    "phi": {"partial_rotary_factor": 0.5},  # a bias
    "granite": {"logits_scaling": 8.0},
    "cohere": {"logit_scale": 0.3},
    "falcon_h1": {"lm_head_multiplier": 0.3, "mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8},
    "recurrent_gemma": {"logits_soft_cap": 5.0, "lru_width": 32, "attention_window_size": 64},
    "gemma3_text": {"final_logit_softcapping": 5.0, "head_dim": 8},
}


@pytest.mark.parametrize("kind", ODD_HEADS)
def test_models_that_do_more_to_their_logits_are_asked_for_them(kind, sequences):
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(4)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SHAPE, **ODD_HEADS[kind])).eval()
    with torch.no_grad():
        for parameter in model.get_output_embeddings().parameters():
            parameter.normal_(std=2)
    packed_attention.install(model)
    for one in sequences(3):
        tokens = Tokens(one.id, tuple(n % 500 for n in one.ids), one.start)
        with torch.no_grad():
            (found,) = logprobs.answer_losses(model, PackedBatch.of([PackedItem(tokens)], "cpu"))
            torch.testing.assert_close(found, plain_losses(model, tokens), rtol=1e-5, atol=1e-5)


def test_logits_exist_only_where_a_token_is_under_loss(load):
    """One token under loss in four hundred: a fortieth of the vocabulary's products at most."""
    from torch.utils.flop_counter import FlopCounterMode

    model = load()
    ids = tuple(range(20, 420))
    counted = {}
    for start in (1, 399):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            logprobs.answer_losses(model, PackedBatch.of([PackedItem(Tokens("x", ids, start))], "cpu"))
        counted[start] = counter.get_total_flops()
    vocabulary, width = model.lm_head.weight.shape
    assert counted[1] - counted[399] == 2 * 398 * vocabulary * width
