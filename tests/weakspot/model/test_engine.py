"""The loop: packing changes nothing, resuming changes nothing, only the answer is under loss."""

import random

import pytest
import torch

from weakspot.config import Lora, Train
from weakspot.model import bases, engine, lora, packing
from weakspot.model.bases import Base
from weakspot.model.engine import Plan
from weakspot.model.view import Tokens


def sequences(count, seed=0, shortest=8, longest=40):
    choose = random.Random(seed)
    return [
        Tokens(str(n), tuple(choose.randrange(20, 40000) for _ in range(length)), choose.randrange(2, length - 1))
        for n in range(count)
        for length in [choose.randint(shortest, longest)]
    ]


@pytest.fixture
def model(tiny_base):
    plain = bases.load_model(Base("tiny", str(tiny_base), None), torch.float32)
    adapted = lora.attach(plain, Lora(rank=4, alpha=4), ["q_proj", "v_proj"], 7, checkpointing=False)
    with torch.no_grad():
        # Fresh LoRA changes nothing (B is zero): give it something to differ by.
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return adapted


def test_a_packed_row_scores_each_sequence_as_if_it_were_alone(model):
    data = sequences(5)
    model.eval()
    together = engine.negative_log_likelihoods(model, data)
    alone = torch.cat([engine.negative_log_likelihoods(model, [one]) for one in data])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_scores_are_those_of_the_plain_model_on_the_answer_only(model):
    (one,) = sequences(1)
    model.eval()
    logits = model(input_ids=torch.tensor([one.ids])).logits[0].log_softmax(-1)
    wanted = -sum(logits[place - 1, one.ids[place]] for place in range(one.start, len(one.ids)))
    torch.testing.assert_close(engine.negative_log_likelihoods(model, [one])[0], wanted, rtol=1e-5, atol=1e-4)


def test_the_prompt_gets_no_loss(model):
    (one,) = sequences(1)
    model.eval()
    changed = Tokens(one.id, (*one.ids[:-1], 17), len(one.ids) - 1)
    only_last = engine.negative_log_likelihoods(model, [Tokens(one.id, one.ids, len(one.ids) - 1)])
    assert engine.negative_log_likelihoods(model, [changed])[0] != only_last[0]
    assert only_last[0] < engine.negative_log_likelihoods(model, [one])[0]


def test_gradients_of_a_packed_row_are_the_sum_of_those_alone(model):
    data = sequences(4)
    model.eval()
    engine.negative_log_likelihoods(model, data).sum().backward()
    packed = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
    model.zero_grad()
    for one in data:
        engine.negative_log_likelihoods(model, [one]).sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(packed[name], parameter.grad, rtol=1e-4, atol=1e-4)
            assert parameter.grad.abs().sum() > 0


def test_a_sliding_window_is_kept_in_a_packed_row(embedded, tmp_path):
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(2)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    settings = MistralConfig(vocab_size=500, num_key_value_heads=2, sliding_window=6, **shape)
    model = MistralForCausalLM(settings).eval()
    packing.install(model)
    assert packing.installed(model)
    data = [Tokens(str(n), tuple(random.Random(n).randrange(3, 500) for _ in range(20)), 5) for n in range(3)]
    together = engine.negative_log_likelihoods(model, data)
    alone = torch.cat([engine.negative_log_likelihoods(model, [one]) for one in data])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_models_that_carry_a_state_along_the_row_are_not_packed():
    from transformers import Qwen3NextConfig, Qwen3NextForCausalLM

    settings = Qwen3NextConfig(
        vocab_size=100, hidden_size=32, intermediate_size=32, num_hidden_layers=4, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, num_experts=2, num_experts_per_tok=1, moe_intermediate_size=16,
        shared_expert_intermediate_size=16, linear_num_value_heads=2, linear_num_key_heads=2,
        linear_key_head_dim=16, linear_value_head_dim=16,
    )  # fmt: skip
    with torch.device("meta"):
        assert not packing.packable(Qwen3NextForCausalLM(settings))


def test_the_schedule_warms_up_and_falls_to_nothing():
    plan = Plan.of(100, Train(epochs=2))
    assert plan.steps == 26
    rates = [plan.rate(step, 1.0) for step in range(plan.steps)]
    assert rates[:3] == [pytest.approx(1 / 3), pytest.approx(2 / 3), pytest.approx(1)]
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert 0 < rates[-1] < 0.02


def test_max_steps_overrides_epochs_both_ways():
    assert Plan.of(8, Train(max_steps=50)).steps == 50
    assert Plan.of(800, Train(max_steps=5)).steps == 5


def test_every_example_is_seen_once_an_epoch():
    assert sorted(engine.order(10, 3, 42)) == list(range(10))
    assert engine.order(10, 0, 42) != engine.order(10, 1, 42)
    assert engine.order(10, 1, 42) == engine.order(10, 1, 42)


def trained(tiny_base, folder, settings, stop_after=None):
    plain = bases.load_model(Base("tiny", str(tiny_base), None), torch.float32)
    model = lora.attach(plain, Lora(rank=4, alpha=4), ["q_proj", "v_proj"], 7, checkpointing=False)
    seen = []

    def on_step(progress):
        seen.append(progress)
        if stop_after is not None and len(seen) == stop_after:
            raise KeyboardInterrupt

    state = engine.train(model, sequences(20), sequences(4, seed=9), settings, folder, "same", on_step)
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}, state, seen


SETTINGS = Train(max_steps=12, batch_size=2, gradient_accumulation=2, learning_rate=1e-2, eval_steps=3, save_steps=2)


def test_the_loss_goes_down_and_the_best_is_kept(tiny_base, tmp_path):
    _, state, seen = trained(tiny_base, tmp_path / "a", SETTINGS)
    assert seen[-1].loss < seen[0].loss
    measured = [step["val_loss"] for step in state.metrics if step["val_loss"] is not None]
    assert state.best_loss == min(measured)


@pytest.mark.parametrize("stop_after", [1, 3, 6, 8, 11])
def test_an_interrupted_run_ends_with_the_same_bits(tiny_base, tmp_path, stop_after):
    whole, _, whole_steps = trained(tiny_base, tmp_path / "whole", SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        trained(tiny_base, tmp_path / "cut", SETTINGS, stop_after)
    resumed, _, steps = trained(tiny_base, tmp_path / "cut", SETTINGS)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert [step.loss for step in steps] == [step.loss for step in whole_steps]


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(tiny_base, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trained(tiny_base, tmp_path, SETTINGS, 8)
    plain = bases.load_model(Base("tiny", str(tiny_base), None), torch.float32)
    model = lora.attach(plain, Lora(rank=4, alpha=4), ["q_proj", "v_proj"], 7, checkpointing=False)
    seen = []
    engine.train(model, sequences(4), [], Train(max_steps=2), tmp_path, "other", seen.append)
    assert [step.step for step in seen] == [1, 2]


def test_training_stops_early_when_val_gets_no_better(tiny_base, tmp_path):
    settings = SETTINGS.model_copy(update={"max_steps": 60, "learning_rate": 0.5, "early_stopping_patience": 2})
    _, state, _ = trained(tiny_base, tmp_path, settings)
    assert state.stopped
    assert state.step < 60
    assert state.best_step < state.step


def test_accumulation_changes_nothing(tiny_base, tmp_path):
    no_dropout = Lora(rank=4, alpha=4, dropout=0.0)
    results = []
    for batch, accumulation in ((4, 1), (2, 2), (1, 4)):
        plain = bases.load_model(Base("tiny", str(tiny_base), None), torch.float32)
        model = lora.attach(plain, no_dropout, ["q_proj"], 7, checkpointing=False)
        settings = Train(max_steps=3, batch_size=batch, gradient_accumulation=accumulation, learning_rate=1e-2)
        seen = []
        engine.train(model, sequences(8), [], settings, tmp_path / str(batch), "x", seen.append)
        results.append([step.loss for step in seen])
    assert results[1] == pytest.approx(results[0], rel=1e-5)
    assert results[2] == pytest.approx(results[0], rel=1e-5)


def test_gradient_checkpointing_gives_the_same_gradients(tiny_base):
    found = []
    for checkpointing in (False, True):
        plain = bases.load_model(Base("tiny", str(tiny_base), None), torch.float32)
        model = lora.attach(plain, Lora(rank=4, alpha=4, dropout=0.0), ["q_proj"], 7, checkpointing=checkpointing)
        model.train()
        engine.negative_log_likelihoods(model, sequences(3)).sum().backward()
        found.append([p.grad for p in model.parameters() if p.requires_grad])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_a_loss_that_is_no_number_stops_the_run(tiny_base, tmp_path):
    settings = SETTINGS.model_copy(update={"learning_rate": 1e30, "max_grad_norm": 1e30})
    with pytest.raises(FloatingPointError, match="step"):
        trained(tiny_base, tmp_path, settings)
