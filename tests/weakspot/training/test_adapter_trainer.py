"""One adapter in training: each step is AdamW's at the scheduled rate, the best is kept, and the end is on time."""

import math

import pytest
import torch

from weakspot.settings import Lora, Train
from weakspot.training.adapter_trainer import AdapterTrainer, TrainingRun


@pytest.fixture
def learner(sequences, tmp_path):
    """Make a learner of one small matrix, on ten examples of which two are for val."""

    def made(**settings) -> tuple[AdapterTrainer, torch.nn.Parameter]:
        own = Train(**{"batch_size": 2, "gradient_accumulation": 1, "max_steps": 10, **settings})
        matrix = torch.nn.Parameter(torch.full((3, 2), 0.5))
        data = sequences(10, paired=True)
        return AdapterTrainer(
            TrainingRun("one", data[:8], data[8:], own, Lora(), tmp_path, ""), 0, {"matrix": matrix}
        ), matrix

    return made


def step(learner: AdapterTrainer, matrix: torch.nn.Parameter, gradient: float = 0.1):
    matrix.grad = torch.full_like(matrix, gradient)
    return learner.apply_step(learner.pieces(), loss=1.0, preferred=1.0)


def test_steps_are_those_of_adamw_at_a_rate_that_warms_up_and_falls(learner):
    one, matrix = learner(learning_rate=0.01, warmup_ratio=0.2, weight_decay=0.1, max_grad_norm=1e9)
    twin = torch.nn.Parameter(matrix.detach().clone())
    reference = torch.optim.AdamW([twin], lr=1.0, weight_decay=0.1)
    rates = [0.005, 0.01, *(0.005 * (1 + math.cos(math.pi * n / 8)) for n in range(8))]
    for number, rate in enumerate(rates):
        assert not one.done
        progress = step(one, matrix, 0.1 * (-1) ** number)
        assert progress.rate == pytest.approx(rate)
        twin.grad = torch.full_like(twin, 0.1 * (-1) ** number)
        reference.param_groups[0]["lr"] = rate
        reference.step()
        torch.testing.assert_close(matrix.detach(), twin.detach())
    assert one.done


def test_a_gradient_is_clipped_and_its_norm_told_as_it_was(learner):
    one, matrix = learner(max_grad_norm=1.0)
    assert step(one, matrix, 10.0).gradient_norm == pytest.approx(10 * math.sqrt(6))
    moment = one._optimizer.state[matrix]["exp_avg"]
    torch.testing.assert_close(moment, torch.full_like(moment, 0.1 / math.sqrt(6)))


@pytest.mark.parametrize(
    ("patience", "losses"),
    [(1, [2.0, 1.0, 1.5]), (3, [2.0, 1.0, 1.5, 0.9, 0.9, 1.0, 0.9])],  # as good is no better
    ids=["one", "three"],
)
def test_it_stops_when_so_many_val_losses_in_turn_were_no_better(learner, patience, losses):
    one, matrix = learner(early_stopping_patience=patience)
    for loss in losses:
        assert not one.done
        step(one, matrix)
        one.judge(loss)
    assert one.done


def test_without_patience_it_goes_on_to_the_last_step(learner):
    one, matrix = learner(early_stopping_patience=0)
    while not one.done:
        step(one, matrix)
        one.judge(1.0 + one.state.step)
    assert one.state.step == 10


def test_the_weights_of_the_best_val_loss_are_put_back(learner):
    one, matrix = learner(early_stopping_patience=0)
    after = {}
    for loss in (2.0, 1.0, 3.0):
        step(one, matrix)
        after[loss] = matrix.detach().clone()
        one.judge(loss)
    assert one.finish().best_step == 2
    assert torch.equal(matrix.detach(), after[1.0])


def test_without_val_the_last_weights_are_the_best(learner, sequences):
    one, matrix = learner()
    one.run = TrainingRun("one", one.run.data, [], one.run.settings, Lora(), one.run.checkpoint, "")
    one.note(step(one, matrix))
    last = matrix.detach().clone()
    assert not one.is_validation_due()
    assert one.finish().best_step == 1
    assert torch.equal(matrix.detach(), last)


def test_every_example_comes_once_an_epoch_with_noise_of_its_own(learner):
    one, matrix = learner()
    seen, seeds = [], []
    for _ in range(4):
        pieces = one.pieces()
        seen += [piece.tokens.id for piece in pieces]
        seeds += [piece.seed for piece in pieces]
        step(one, matrix)
    assert sorted(seen) == sorted(example.id for example in one.run.data)
    assert len(set(seeds)) == 8


def test_pairs_are_looked_at_as_pairs_only_where_the_objective_compares(learner):
    assert not any(piece.paired for piece in learner()[0].pieces())
    one, _ = learner(objective="dpo", batch_size=8)
    assert {piece.paired for piece in one.pieces()} == {True, False}
    assert all(piece.paired == bool(piece.tokens.rejected) for piece in one.pieces())


def test_a_gradient_that_is_no_number_is_an_error_and_moves_nothing(learner):
    one, matrix = learner()
    before = matrix.detach().clone()
    with pytest.raises(FloatingPointError, match=r"one: step 1: the loss is 1\.0, the gradient norm nan"):
        step(one, matrix, math.nan)
    assert torch.equal(matrix.detach(), before)
    assert one.state.step == 0
