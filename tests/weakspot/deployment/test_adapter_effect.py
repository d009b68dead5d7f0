"""A part of an adapter that is not applied shows in its effect, however the server rounds."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.deployment.adapter_effect import TokenEffects, compare_effects, require_whole_adapter
from zddc.errors import UserError

ANSWERS, TOKENS = 12, 40
ROUNDING = 0.1


def measured(
    served: Callable[[float], float] = lambda effect: effect, noise: float = 0.0, size: float = 1.0, based: bool = True
) -> list[TokenEffects]:
    """Make what a server would report that applies ``served`` of each token's effect, and rounds by ``noise`` nats."""
    draw = random.Random(5)
    answers = []
    for _ in range(ANSWERS):
        base = [-20 - draw.expovariate(0.5) for _ in range(TOKENS)]  # under every adapter, too, a rare token
        effects = [draw.gauss(0.5, 1) * size for _ in base]
        at_base = [one + draw.gauss(0, noise) for one in base]
        at_server = [one + served(effect) + draw.gauss(0, noise) for one, effect in zip(base, effects, strict=True)]
        adapter = [one + effect for one, effect in zip(base, effects, strict=True)]
        answers.append(TokenEffects(base, adapter, at_server, at_base if based else None))
    return answers


def refused(answers: list[TokenEffects], rounding: float = ROUNDING) -> str:
    with pytest.raises(UserError) as told:
        require_whole_adapter(compare_effects(answers, rounding), "it", rounding)
    return told.value.problem


@pytest.mark.parametrize("noise", [0.0, 1e-6, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("based", [True, False])
def test_a_whole_adapter_passes_however_the_server_rounds(noise, based):
    effect = compare_effects(measured(noise=noise, based=based), max(noise, 1e-3))
    require_whole_adapter(effect, "it", ROUNDING)
    assert effect.low <= 1 + 1e-9
    assert effect.high >= 1 - 1e-9
    assert (effect.noise is None) == (not based)
    if based:
        assert effect.noise == pytest.approx(noise, rel=0.1)
    assert effect.tokens == ANSWERS * TOKENS


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("based", [True, False])
@pytest.mark.parametrize("part", [0.5, 0.7, 2.0, -1.0])
def test_a_part_or_another_scale_is_told(part, based, noise):
    told = refused(measured(lambda effect: part * effect, noise, based=based), max(noise, 1e-3))
    assert "is not applied as trained" in told or (part < 0 and "ignores the adapter" in told)


def test_an_effect_of_the_right_size_and_another_shape_is_told():
    draw = random.Random(1)
    told = refused(measured(lambda effect: effect + draw.gauss(0, 0.2), 0.01))
    assert told.startswith("is not applied as trained: its effect there is 1.0")
    assert "of it is otherwise, where 4% may be: layers are left out, scaled otherwise, or rounded too much" in told


def test_a_server_without_the_adapter_is_told():
    assert refused(measured(lambda effect: 0.0, 0.02)) == "answers as the base does: the server ignores the adapter"


def test_an_effect_that_rounding_hides_proves_nothing():
    told = refused(measured(noise=0.05, size=0.01))
    assert told.startswith("has an effect too small to prove: 0.01")


def test_an_effect_of_nothing_proves_nothing():
    told = refused(measured(noise=0.01, size=0.0))
    assert "too small to prove" in told or "ignores the adapter" in told


def test_another_base_is_told_by_its_distance():
    assert refused(measured(noise=3.0)).startswith("is on another base than it was trained on")


def test_a_served_base_that_is_wrong_does_not_hide_what_is_missing():
    """A vLLM on a CPU does so beside requests for an adapter."""
    draw = random.Random(2)

    def disturbed(answers):
        wrong = [[log + draw.gauss(0, 3) for log in one.served_base] for one in answers]
        return [replace(one, served_base=base) for one, base in zip(answers, wrong, strict=True)]

    require_whole_adapter(compare_effects(disturbed(measured()), ROUNDING), "it", ROUNDING)
    assert refused(disturbed(measured(lambda effect: effect / 2, 1e-3)))


def test_one_answer_counts_each_token_for_itself():
    effect = compare_effects(measured(noise=0.02)[:1], ROUNDING)
    require_whole_adapter(effect, "it", ROUNDING)
    assert 0 < effect.high - effect.low < 0.2


def test_an_adapter_that_is_sure_of_its_tokens_rounds_less_than_its_base():
    sure = [TokenEffects([-3.0, -4.0], [-0.01, -0.02], [-0.01, -0.02], [-3.1, -3.9]) for _ in range(ANSWERS)]
    unsure = [TokenEffects([-7.0, -8.0], [-4.0, -4.0], [-4.0, -4.0], [-7.1, -7.9]) for _ in range(ANSWERS)]
    assert compare_effects(sure, ROUNDING).limit == 0.003
    assert compare_effects(unsure, ROUNDING).limit == pytest.approx(
        5 * 0.1 / compare_effects(unsure, ROUNDING).size, rel=0.02
    )


@given(st.floats(0.2, 3.0), st.floats(1e-3, 10.0))
def test_the_slope_is_the_share_that_is_served_whatever_the_size(share, size):
    effect = compare_effects(measured(lambda effect: share * effect, size=size), ROUNDING)
    assert effect.slope == pytest.approx(share, abs=1e-6)
    assert effect.apart == pytest.approx(abs(1 - share), abs=1e-6)
