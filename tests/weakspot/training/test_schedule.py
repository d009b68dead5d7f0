"""A run's steps, its learning rate and the order of its examples are told from its settings alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.settings import Train
from weakspot.training.schedule import Schedule, example_order


def test_the_rate_warms_up_in_a_line_and_falls_to_nothing_as_a_cosine():
    plan = Schedule.of(100, Train(epochs=2))
    assert (plan.steps, plan.steps_per_epoch, plan.warmup) == (26, 13, 3)
    rates = [plan.rate(step, 2.0) for step in range(plan.steps)]
    assert rates[:3] == [pytest.approx(2 / 3), pytest.approx(4 / 3), pytest.approx(2)]
    assert rates[3:] == [pytest.approx(1 + math.cos(math.pi * n / 23)) for n in range(23)]
    assert 0 < rates[-1] < 0.02


def test_without_a_warm_up_the_first_step_has_the_whole_rate():
    assert Schedule.of(100, Train(warmup_ratio=0)).rate(0, 1.0) == 1.0


@given(st.integers(1, 500), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.floats(0, 1))
def test_a_rate_is_never_past_its_peak_and_never_below_nothing(examples, batch, accumulation, epochs, warmup):
    settings = Train(batch_size=batch, gradient_accumulation=accumulation, epochs=epochs, warmup_ratio=warmup)
    plan = Schedule.of(examples, settings)
    assert plan.steps == epochs * math.ceil(examples / (batch * accumulation))
    assert all(0 <= plan.rate(step, 1.0) <= 1 for step in range(plan.steps))
    assert 1 <= plan.eval_every <= max(1, plan.steps)


@pytest.mark.parametrize(("examples", "max_steps"), [(8, 50), (800, 5)])
def test_max_steps_overrides_epochs_both_ways(examples, max_steps):
    assert Schedule.of(examples, Train(max_steps=max_steps)).steps == max_steps


def test_val_losses_and_checkpoints_come_ten_times_a_run_unless_told_otherwise():
    assert (Schedule.of(1, Train(max_steps=95)).eval_every, Schedule.of(1, Train(max_steps=95)).save_every) == (10, 10)
    assert Schedule.of(1, Train(max_steps=3)).eval_every == 1
    told = Schedule.of(1, Train(max_steps=95, eval_steps=7))
    assert (told.eval_every, told.save_every) == (7, 7)
    told = Schedule.of(1, Train(max_steps=95, eval_steps=7, save_steps=3))
    assert (told.eval_every, told.save_every) == (7, 3)


@given(st.integers(1, 60), st.integers(0, 9), st.integers(0, 2**40))
def test_every_example_is_seen_once_an_epoch(examples, epoch, seed):
    assert sorted(example_order(examples, epoch, seed)) == list(range(examples))


def test_the_order_is_another_in_each_epoch_and_for_each_seed_and_the_same_again():
    assert example_order(10, 0, 42) != example_order(10, 1, 42)
    assert example_order(10, 0, 42) != example_order(10, 0, 43)
    assert example_order(10, 1, 42) == example_order(10, 1, 42)
