"""A sweep tries each rate with each rank, lets the worse half go early, and keeps the best by the val loss."""

import json

import pytest

from weakspot.settings import Lora, Sweep, Train
from weakspot.training import sweep

pytestmark = pytest.mark.slow

RUNG_SETTINGS = Train(max_steps=20, eval_steps=2, batch_size=2, gradient_accumulation=1, early_stopping_patience=0)
# The last two are far too small to learn anything.
RATES = [3e-2, 1e-2, 1e-9, 1e-12]


def settings(rate: float, **changed) -> Train:
    return RUNG_SETTINGS.model_copy(update={"learning_rate": rate, **changed})


def test_each_rate_is_tried_with_each_rank_and_what_was_asked_for_is_among_them():
    tried = sweep.variants(
        Train(learning_rate=2e-4, seed=7), Lora(rank=8, alpha=16), Sweep(learning_rates=[1e-3, 1e-4], ranks=[4, 16])
    )
    assert [(train.learning_rate, lora.rank) for train, lora in tried] == [
        (rate, rank) for rate in (1e-4, 2e-4, 1e-3) for rank in (4, 8, 16)
    ]
    assert {train.seed for train, _ in tried} == {7}


def test_alpha_keeps_its_ratio_to_the_rank():
    tried = sweep.variants(Train(), Lora(rank=8, alpha=16), Sweep(learning_rates=[], ranks=[1, 4, 64]))
    assert {lora.rank: lora.alpha for _, lora in tried} == {1: 2, 4: 8, 8: 16, 64: 128}
    assert sweep.variants(Train(), Lora(rank=64, alpha=1), Sweep(learning_rates=[], ranks=[1]))[0][1].alpha == 1


def test_nothing_is_tried_twice():
    same = Sweep(learning_rates=[1e-4, 1e-4], ranks=[64, 64])
    assert sweep.variants(Train(learning_rate=1e-4), Lora(rank=64), same) == [(Train(learning_rate=1e-4), Lora())]


@pytest.fixture
def four(sequences):
    """The same data with four rates."""
    data, val = sequences(20), sequences(5, seed=9)
    return [(data, val, settings(rate)) for rate in RATES]


def halving(*groups):
    return lambda learners: sweep.halve(learners, groups)


def test_the_worse_half_leaves_at_a_fifth_and_half_of_the_rest_at_two_fifths(train, four):
    done = train(*four, between=halving(range(4)))
    assert sorted(state.step for state in done.states) == [4, 4, 8, 20]
    stopped = [state.step for state in done.states[2:]]
    assert stopped == [4, 4]
    assert [state.stopped for state in done.states].count(True) == 3
    best = sweep.winner({slot: state.best_loss for slot, state in enumerate(done.states)})
    assert done.states[best].step == 20


def test_the_one_that_stays_is_what_it_is_alone(train, four, tmp_path):
    together = train(*four, between=halving(range(4)), folder=tmp_path / "together")
    best = sweep.winner({slot: state.best_loss for slot, state in enumerate(together.states)})
    alone = train(four[best], folder=tmp_path / "alone")
    assert together.states[best].best_loss == pytest.approx(alone.states[0].best_loss, rel=1e-5)
    assert [step.loss for step in together.steps[best]] == pytest.approx(
        [step.loss for step in alone.steps[0]], rel=1e-5
    )


def test_each_domain_is_halved_for_itself(train, four, sequences):
    other = [(sequences(12, seed=5), sequences(4, seed=6), settings(rate)) for rate in (1e-12, 1e-2)]
    states = train(*four[:2], *other, between=halving(range(2), range(2, 4))).states
    for group in (states[:2], states[2:]):
        gone, stays = sorted(group, key=lambda state: state.step)
        assert (gone.step, stays.step) == (4, 20)
        assert gone.best_loss >= min(step["val_loss"] for step in stays.metrics[:4] if step["val_loss"])


def test_a_single_one_and_a_group_between_two_rungs_are_left_alone(train, four):
    assert train(four[3], between=halving([0])).states[0].step == 20
    late = [(data, val, settings(rate, eval_steps=15)) for (data, val, _), rate in zip(four, RATES, strict=True)]
    assert sorted(s.step for s in train(*late, names=list("abcd"), between=halving(range(4))).states) == [
        15,
        15,
        20,
        20,
    ]


def test_an_interrupted_sweep_ends_as_an_uninterrupted_one(train, four, tmp_path):
    whole = train(*four, between=halving(range(4)), folder=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(*four, between=halving(range(4)), folder=tmp_path / "cut", stop_after=21)
    resumed = train(*four, between=halving(range(4)), folder=tmp_path / "cut")
    assert [vars(state) for state in resumed.states] == [vars(state) for state in whole.states]


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [([2.0, 1.0, 3.0], 1), ([1.0, 1.0], 0), ([None, 5.0], 1), ([None, None], 0), ([float("inf"), None], 0)],
)
def test_the_lowest_val_loss_wins_and_of_equals_the_first(losses, chosen):
    assert sweep.winner(dict(enumerate(losses))) == chosen


def test_the_report_says_of_each_what_was_tried_and_what_came_of_it(train, four):
    from weakspot.training.adapter_trainer import TrainingRun

    done = train(*four[:2])
    runs = [TrainingRun(str(n), *given, Lora(rank=4, alpha=8), None, "") for n, given in enumerate(four[:2])]
    rows = json.loads(sweep.report(dict(enumerate(zip(runs, done.states, strict=True))), 1))
    assert [row["learning_rate"] for row in rows] == RATES[:2]
    assert [row["chosen"] for row in rows] == [False, True]
    assert rows[0] == {
        "learning_rate": RATES[0], "rank": 4, "alpha": 8, "steps": 20, "best_step": done.states[0].best_step,
        "val_loss": done.states[0].best_loss, "chosen": False,
    }  # fmt: skip
