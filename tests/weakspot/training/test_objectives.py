"""What is minimised is what the papers have, against their formulas written out."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakspot.models.tokenization import Tokens
from weakspot.settings import Train
from weakspot.training import objectives
from weakspot.training.objectives import ItemLosses, StepCounts
from weakspot.training.packing import PackedItem

LOSSES = st.lists(st.floats(0.01, 20), min_size=1, max_size=12)


def scored(chosen, rejected=None, references=None) -> ItemLosses:
    """Give a piece these losses of its tokens, and the base these sums."""
    paired = rejected is not None
    tokens = Tokens("x", tuple(range(len(chosen) + 1)), 1, rejected=tuple(range(len(rejected or ()))))
    sides = [None if side is None else torch.tensor(side, dtype=torch.float64) for side in (chosen, rejected)]
    return ItemLosses(PackedItem(tokens, 0, paired=paired), *sides, references)


def loss(one: ItemLosses, **settings) -> float:
    """Return the loss of a step of this one piece."""
    return float(objectives.loss(one, Train(**settings), StepCounts.of([one.piece])))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


@given(LOSSES, LOSSES)
def test_sft_is_the_mean_over_the_tokens_of_the_experts_answer(chosen, rejected):
    assert loss(scored(chosen)) == pytest.approx(sum(chosen) / len(chosen))
    assert loss(scored(chosen, rejected)) == pytest.approx(sum(chosen) / len(chosen))


@given(LOSSES, LOSSES, st.floats(0, 60), st.floats(0, 60), st.floats(0.01, 2))
def test_dpo_without_a_guard_is_the_papers(chosen, rejected, chosen_reference, rejected_reference, beta):
    """``-log sigmoid(beta log(pi(w) / ref(w)) - beta log(pi(l) / ref(l)))``, equation 7 of arXiv 2305.18290."""
    policy_w, policy_l = -sum(chosen), -sum(rejected)
    reference_w, reference_l = -chosen_reference, -rejected_reference
    inner = beta * (policy_w - reference_w) - beta * (policy_l - reference_l)
    wanted = math.log1p(math.exp(-inner)) if inner > -700 else -inner
    found = loss(
        scored(chosen, rejected, (chosen_reference, rejected_reference)),
        objective="dpo", beta=beta, sft_weight=0, length_guard=0,
    )  # fmt: skip
    assert found == pytest.approx(wanted, abs=1e-9)


@given(LOSSES, LOSSES, st.floats(0, 3))
def test_the_experts_answer_itself_counts_in_dpo_as_much_as_it_is_told_to(chosen, rejected, weight):
    one = scored(chosen, rejected, (3.0, 4.0))
    plain = loss(one, objective="dpo", sft_weight=0)
    found = loss(one, objective="dpo", sft_weight=weight)
    assert found - plain == pytest.approx(weight * sum(chosen) / len(chosen), abs=1e-9)


@given(LOSSES, LOSSES, st.floats(0.01, 2))
def test_orpo_is_the_papers(chosen, rejected, beta):
    """``L_SFT - lambda log sigmoid(log(odds(w) / odds(l)))``, equations 4 to 7 of arXiv 2403.07691."""
    p_w, p_l = (math.exp(-sum(side) / len(side)) for side in (chosen, rejected))
    ratio = math.log((p_w / (1 - p_w)) / (p_l / (1 - p_l)))
    wanted = sum(chosen) / len(chosen) - beta * math.log(sigmoid(ratio))
    assert loss(scored(chosen, rejected), objective="orpo", beta=beta) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("objective", ["dpo", "orpo"])
def test_an_example_without_a_local_answer_counts_as_in_sft(objective):
    one = scored([1.0, 2.0, 6.0])
    assert loss(one, objective=objective) == pytest.approx(3.0) == pytest.approx(loss(one))
    # In DPO its weight is that of the experts' answers, so that one without a rival is not worth more.
    assert loss(one, objective="dpo", sft_weight=0.5) == pytest.approx(1.5)


@pytest.mark.parametrize("objective", ["sft", "dpo", "orpo"])
def test_a_step_is_the_mean_over_its_tokens_and_over_its_pairs(objective):
    """However its pieces are spread over passes: what each adds does not depend on the others."""
    settings = Train(objective=objective, beta=0.3, sft_weight=0.7)
    pieces = [
        scored([1.0, 2.0], [3.0, 1.0, 1.0], (2.0, 4.0)),
        scored([0.5], [0.7, 0.1], (0.4, 0.9)),
        scored([2.0, 2.0, 2.0]),
    ]
    shares = StepCounts.of([one.piece for one in pieces])
    assert (shares.tokens, shares.pairs) == (6, 2)
    whole = sum(float(objectives.loss(one, settings, shares)) for one in pieces)
    alone = [float(objectives.loss(one, settings, StepCounts.of([one.piece]))) for one in pieces]
    plain = [settings.sft_weight if objective == "dpo" else 1] * 3
    means = [1.5, 0.5, 2.0]
    preference = [value - weight * mean for value, weight, mean in zip(alone, plain, means, strict=True)]
    wanted = plain[0] * (3 + 0.5 + 6) / 6 + sum(preference) / 2
    assert whole == pytest.approx(wanted)


@given(LOSSES, LOSSES, st.floats(0, 1))
def test_the_guard_leaves_out_its_share_of_what_is_past_the_shorter_answers_end(chosen, rejected, guard):
    common = min(len(chosen), len(rejected))
    found = objectives.length_guard_sums(torch.tensor(chosen), torch.tensor(rejected), guard)
    for side, value in zip((chosen, rejected), found, strict=True):
        assert float(value) == pytest.approx(sum(side[:common]) + (1 - guard) * sum(side[common:]), rel=1e-5)


def test_a_longer_answer_gains_nothing_by_its_length_under_the_whole_guard():
    near, far = ([1.0, 1.0, *[9.0] * more] for more in (0, 50))
    losses = [loss(scored([1.0, 2.0], side, (1.0, 1.0)), objective="dpo", length_guard=1) for side in (near, far)]
    assert losses[0] == losses[1]
    assert loss(scored([1.0, 2.0], far, (1.0, 1.0)), objective="dpo", length_guard=0) != losses[0]


def test_the_better_the_expert_stands_against_the_local_answer_the_lower_is_the_loss():
    for objective in ("dpo", "orpo"):
        found = [
            loss(scored([1.0, 1.0], [worse, worse], (2.0, 2.0)), objective=objective) for worse in (0.5, 1, 2, 4, 8)
        ]
        assert found == sorted(found, reverse=True)
        assert len(set(found)) == 5


@pytest.mark.parametrize("sides", [([1e-9], [30.0]), ([200.0], [1e-12]), ([0.0, 0.0], [0.0])])
@pytest.mark.parametrize("objective", ["dpo", "orpo"])
def test_answers_that_are_all_but_sure_or_all_but_impossible_give_numbers_and_slopes(sides, objective):
    chosen, rejected = (torch.tensor(side, dtype=torch.float32, requires_grad=True) for side in sides)
    one = scored(*sides, (1.0, 1.0))
    value = objectives.loss(
        ItemLosses(one.piece, chosen, rejected, one.references), Train(objective=objective), StepCounts(len(chosen), 1)
    )
    slopes = torch.autograd.grad(value, [chosen, rejected])
    assert value.isfinite()
    assert all(slope.isfinite().all() for slope in slopes)


def test_a_margin_without_what_the_base_makes_of_it_is_refused():
    with pytest.raises(ValueError, match="needs a pair and the base's scores of it"):
        objectives.margin(scored([1.0], [2.0]), Train(objective="dpo"))
