"""The pass: many adapters at once are what each would be alone; packing and resuming change nothing."""

import os

import pytest
import torch

from weakspot.settings import Train
from weakspot.training import loop

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
SETTINGS = Train(max_steps=12, batch_size=2, gradient_accumulation=2, learning_rate=1e-2, eval_steps=3, save_steps=2)


def settings(**changed) -> Train:
    return SETTINGS.model_copy(update=changed)


@pytest.fixture
def six(sequences):
    """Six domains of different sizes, schedules and seeds."""
    return [
        (
            sequences(12 + 5 * n, seed=n, paired=True),
            sequences(4, seed=90 + n, paired=True),
            settings(max_steps=4 + n, seed=n, learning_rate=2e-3 * (n + 1), batch_size=1 + n % 3),
        )
        for n in range(6)
    ]


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm().clamp(min=1e-12))


@pytest.mark.parametrize("objective", ["sft", "dpo", "orpo"])
def test_six_adapters_in_one_pass_are_what_six_solo_runs_are(train, six, tmp_path, objective):
    """Whether the products of the adapters are made one by one or grouped."""
    given = [(data, val, own.model_copy(update={"objective": objective})) for data, val, own in six]
    alone = [train(one, folder=tmp_path / f"alone-{number}", watch_gradients=True) for number, one in enumerate(given)]
    for grouped in (None, True):
        together = train(*given, folder=tmp_path / f"grouped-{grouped}", grouped=grouped, watch_gradients=True)
        for number, one in enumerate(given):
            assert len(together.steps[number]) == one[2].max_steps
            for step, wanted in zip(together.steps[number], alone[number].steps[0], strict=True):
                assert step.loss == pytest.approx(wanted.loss, rel=1e-5)
                assert step.gradient_norm == pytest.approx(wanted.gradient_norm, rel=1e-5)
                assert (step.val_loss is None) == (wanted.val_loss is None)
                assert (step.val_loss or 0) == pytest.approx(wanted.val_loss or 0, rel=1e-5)
                assert (step.preferred, step.tokens) == (wanted.preferred, wanted.tokens)
            for step, wanted in zip(together.gradients[number], alone[number].gradients[0], strict=True):
                flat, other = (torch.cat([g.reshape(-1) for g in one.values()]) for one in (step, wanted))
                assert relative(flat, other) < 1e-5
                assert other.norm() > 0


def test_what_is_in_a_pass_does_not_matter(train, sequences, tmp_path):
    """Packed against one sequence in a pass."""
    given = (sequences(20), sequences(4, seed=9), settings(max_steps=6))
    packed = train(given, folder=tmp_path / "packed", budget=500, watch_gradients=True)
    single = train(given, folder=tmp_path / "single", budget=1, watch_gradients=True)
    for step, wanted in zip(packed.steps[0], single.steps[0], strict=True):
        assert step.loss == pytest.approx(wanted.loss, rel=1e-5)
    for step, wanted in zip(packed.gradients[0], single.gradients[0], strict=True):
        assert all(relative(step[name], wanted[name]) < 1e-5 or wanted[name].norm() < 1e-7 for name in wanted)


def test_accumulation_changes_nothing(train, sequences, tmp_path):
    data = sequences(8)
    losses = []
    for batch, accumulation in ((4, 1), (2, 2), (1, 4)):
        own = Train(max_steps=3, batch_size=batch, gradient_accumulation=accumulation, learning_rate=1e-2)
        done = train((data, [], own), folder=tmp_path / str(batch))
        losses.append([step.loss for step in done.steps[0]])
    assert losses[1] == losses[0]
    assert losses[2] == losses[0]


def test_the_loss_goes_down_and_the_best_is_kept(train, sequences):
    done = train((sequences(20), sequences(4, seed=9), SETTINGS))
    (state,), (steps,) = done.states, done.steps
    assert steps[-1].loss < steps[0].loss
    measured = [step.val_loss for step in steps if step.val_loss is not None]
    assert state.best_loss == min(measured)


def test_an_interrupted_run_ends_with_the_same_bits(train, sequences, tmp_path):
    given = (sequences(20), sequences(4, seed=9), SETTINGS)
    whole = train(given, folder=tmp_path / "whole")
    for stop_after in (1, 3, 6, 8, 11):
        folder = tmp_path / str(stop_after)
        with pytest.raises(KeyboardInterrupt):
            train(given, folder=folder, stop_after=stop_after)
        resumed = train(given, folder=folder)
        assert all(torch.equal(whole.tensors[0][name], resumed.tensors[0][name]) for name in whole.tensors[0])
        assert resumed.steps == whole.steps


# In rounds 1, 3 and 4 of all four, in round 5 of three, in round 6 of two; DPO adds what the base makes of the pairs.
POINTS = (2, 9, 14, 18, 20)


@pytest.mark.parametrize(
    ("objective", "points"),
    [("sft", POINTS), ("dpo", POINTS if SOAK else POINTS[1::2])],
    ids=["sft", "dpo"],
)
def test_an_interrupted_pass_of_several_ends_with_the_same_bits(train, six, tmp_path, objective, points):
    given = [(data, val, own.model_copy(update={"objective": objective})) for data, val, own in six[:4]]
    whole = train(*given, folder=tmp_path / "whole")
    for stop_after in points:
        folder = tmp_path / str(stop_after)
        with pytest.raises(KeyboardInterrupt):
            train(*given, folder=folder, stop_after=stop_after)
        resumed = train(*given, folder=folder)
        for wanted, found in zip(whole.tensors, resumed.tensors, strict=True):
            assert all(torch.equal(wanted[name], found[name]) for name in wanted)
        assert resumed.steps == whole.steps


def test_a_run_that_was_done_leaves_and_the_others_go_on_with_the_same_bits(train, six, tmp_path):
    """As when the adapter of one domain was written already, and training was killed after that."""
    whole = train(*six[:3], folder=tmp_path / "whole")
    finished = []

    def on_done(slot, _state):
        finished.append(slot)
        if slot == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(*six[:3], folder=tmp_path / "cut", on_done=on_done)
    assert finished == [0]
    rest = train(*six[1:3], folder=tmp_path / "cut", names=["run-1", "run-2"])
    for wanted, found in zip(whole.tensors[1:], rest.tensors, strict=True):
        assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_a_checkpoint_of_another_run_is_not_gone_on_from(train, sequences, tmp_path, monkeypatch):
    given = (sequences(20), [], SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        train(given, stop_after=8)
    monkeypatch.setattr("weakspot.training.adapter_trainer.AdapterTrainer.resumable_steps", lambda _self: [])
    assert [step.step for step in train((sequences(4), [], settings(max_steps=2))).steps[0]] == [1, 2]


def test_training_stops_early_when_val_gets_no_better(train, sequences):
    own = settings(max_steps=60, learning_rate=0.5, early_stopping_patience=2)
    other = settings(max_steps=20)
    done = train((sequences(20), sequences(4, seed=9), own), (sequences(20, seed=2), [], other))
    assert done.states[0].stopped
    assert done.states[0].best_step < done.states[0].step < 60
    assert done.states[1].step == 20


def test_a_loss_that_is_no_number_stops_the_run_and_is_named(train, sequences):
    own = settings(learning_rate=1e30, max_grad_norm=1e30)
    with pytest.raises(FloatingPointError, match="run-0: step"):
        train((sequences(20), sequences(4, seed=9), own))


def test_out_of_memory_halves_the_pass_and_goes_on_with_the_same_losses(train, sequences, tmp_path, monkeypatch):
    given = (sequences(20), sequences(4, seed=9), settings(max_steps=4, batch_size=4))
    wanted = train(given, folder=tmp_path / "roomy", budget=1000)
    budgets, scored = [], loop._TrainingPass.score_batch

    def small(self, row, learners, *, dropout):
        budgets.append(self.budget)
        if len(row.ids) > 90:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return scored(self, row, learners, dropout=dropout)

    monkeypatch.setattr(loop._TrainingPass, "score_batch", small)
    found = train(given, folder=tmp_path / "small", budget=1000)
    assert min(budgets) <= 90 < max(budgets)
    for step, other in zip(found.steps[0], wanted.steps[0], strict=True):
        assert step.loss == pytest.approx(other.loss, rel=1e-5)


def test_a_sequence_that_fits_in_no_way_is_an_error(train, sequences, monkeypatch):
    def full(*_args, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop._TrainingPass, "score_batch", full)
    with pytest.raises(torch.OutOfMemoryError):
        train((sequences(20), [], SETTINGS))
