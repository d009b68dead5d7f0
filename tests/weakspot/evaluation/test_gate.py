"""The gate accepts what helps, rejects what harms, and says when it cannot tell."""

import math
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weakspot.evaluation import gate
from weakspot.records import BaseReference, Scorecard, ScoredExample
from weakspot.settings import Evaluate

LEVEL = 0.05
SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


def row(base_loss=2.0, adapter_loss=2.0, base_margin=-1.0, adapter_margin=-1.0, exact=None, domain="d"):
    base_exact, adapter_exact = exact if exact else (None, None)
    return ScoredExample(
        interaction_id="i", domain=domain, query="q", local="l", expert="e", tokens=5,
        base_loss=base_loss, adapter_loss=adapter_loss, base_margin=base_margin, adapter_margin=adapter_margin,
        base_exact=base_exact, adapter_exact=adapter_exact,
    )  # fmt: skip


def noisy(n, gain, spread=0.1, seed=0):
    choose = random.Random(seed)
    bases = [2 + choose.gauss(0, 0.3) for _ in range(n)]
    return [row(base, base - gain + choose.gauss(0, spread)) for base in bases]


def verdict(rows, others=()):
    return gate.decide_verdict(gate.comparisons(rows, LEVEL), gate.harm(others, LEVEL), Evaluate())


def test_a_clear_gain_is_accepted():
    found, reasons = verdict(noisy(20, 0.3))
    assert found == "accept"
    assert "loss per token: base" in reasons[0]


def test_a_clear_loss_is_rejected():
    found, reasons = verdict(noisy(20, -0.3))
    assert found == "reject"
    assert "loss per token rose from" in reasons[0]


def test_five_examples_never_decide():
    found, reasons = verdict(noisy(5, 0.3, spread=0.01))
    assert found == "not enough evidence"
    assert "about 6 test examples would decide" in reasons[1]


def test_six_examples_decide_when_all_agree():
    assert verdict(noisy(6, 0.3, spread=0.01))[0] == "accept"


def test_gains_that_are_equal_but_for_rounding_are_accepted():
    assert verdict([row(2 + n / 100, 1.5 + n / 100) for n in range(12)])[0] == "accept"


def test_no_difference_at_all_is_not_enough_evidence():
    assert verdict([row() for _ in range(30)])[0] == "not enough evidence"


def test_a_small_gain_says_how_many_examples_would_decide():
    rows = noisy(20, 0.02, spread=0.1, seed=0)
    found, _ = verdict(rows)
    needed = gate.comparisons(rows, LEVEL)[0].needed
    assert found == "not enough evidence"
    assert 20 < needed < 2000


def test_about_as_many_examples_as_it_asks_for_do_decide():
    needed = math.ceil(1.05 * ((1.96 + 0.8416) * 0.1 / 0.05) ** 2)
    decided = sum(verdict(noisy(needed, 0.05, seed=seed))[0] == "accept" for seed in range(40))
    assert 26 <= decided <= 40  # 80 % power


def test_chance_alone_is_seldom_accepted_or_rejected():
    found = [verdict(noisy(20, 0.0, seed=seed))[0] for seed in range(60)]
    assert found.count("not enough evidence") >= 52


def test_exact_match_decides_where_answers_can_be_checked():
    right = [row(exact=(False, True)) for _ in range(9)]
    found, reasons = verdict([*right, row(exact=(True, False))])
    assert found == "accept"
    assert reasons[0].startswith("exact match: base 0.100, adapter 0.900 on 10 examples")
    assert verdict([*right[:8], *(row(exact=(True, False)) for _ in range(2))])[0] == "not enough evidence"


def test_a_better_loss_does_not_make_up_for_wrong_answers():
    rows = [r.model_copy(update={"base_exact": False, "adapter_exact": False}) for r in noisy(20, 0.5)]
    assert verdict(rows)[0] == "not enough evidence"


def test_preferring_the_local_answer_more_than_before_is_rejected():
    rows = [r.model_copy(update={"base_margin": 1.0, "adapter_margin": -1.0}) for r in noisy(20, 0.3)]
    found, reasons = verdict(rows)
    assert found == "reject"
    assert "preference accuracy fell from 1.000 to 0.000" in reasons[0]


def test_harm_to_other_domains_is_rejected():
    others = [row(2.0 + n / 100, 2.4 + n / 90, domain="other") for n in range(10)]
    found, reasons = verdict(noisy(20, 0.3), others)
    assert found == "reject"
    assert "the loss rose by" in reasons[0]


def test_a_rise_within_the_tolerance_is_no_harm():
    others = [row(2.0 + n / 100, 2.05 + n / 90, domain="other") for n in range(10)]
    assert gate.harm(others, LEVEL)[0].outcome == "worse"
    assert verdict(noisy(20, 0.3), others)[0] == "accept"


def scorecard(adapter, rows):
    base = BaseReference(name="b", location="b", revision=None, identity="i")
    return Scorecard(
        adapter=adapter, adapter_sha256="0", base=base, verdict="accept", reasons=[], comparisons=[], harm=[],
        rows=rows, created="2026-11-24T12:00:00+00:00",
    )  # fmt: skip


def answers(right, expert="e"):
    return [
        row(exact=(False, one)).model_copy(update={"interaction_id": f"i{number}", "expert": expert})
        for number, one in enumerate(right)
    ]


def replacing(rows, served):
    beside = gate.compare_with_live(rows, scorecard("d-lora-v1", served), LEVEL)
    return beside, gate.decide_verdict(gate.comparisons(rows, LEVEL), [], Evaluate(), beside)


def test_what_helps_less_than_what_is_in_service_does_not_replace_it():
    rows = answers([True] * 8 + [False] * 8)
    (beside,), (found, reasons) = replacing(rows, answers([True] * 16))
    assert (beside.n, beside.base, beside.adapter, beside.outcome) == (16, 1.0, 0.5, "worse")
    assert found == "reject"
    assert reasons == ["exact match against d-lora-v1 fell from 1.000 to 0.500 (p = 0.0078)"]
    assert verdict(rows)[0] == "accept"


def test_what_is_as_good_as_what_is_in_service_replaces_it():
    (beside,), (found, _) = replacing(answers([True] * 15 + [False]), answers([False] + [True] * 15))
    assert (beside.outcome, found) == ("undecided", "accept")


def test_only_test_examples_that_both_were_measured_on_count():
    rows = answers([True] * 8)
    (beside,), _ = replacing(rows, answers([True] * 3))
    assert beside.n == 3
    assert replacing(rows, answers([True] * 8, expert="corrected since"))[0] == []


def test_every_other_domain_is_looked_at():
    others = [row(2.0, 2.0, domain="a"), row(2.0, 2.5, domain="b")]
    assert [c.metric for c in gate.harm(others, LEVEL)] == ["all other domains", "a", "b"]


@settings(max_examples=30 if SOAK else 10, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)), min_size=1, max_size=12))
def test_any_losses_give_a_verdict_and_swapping_sides_swaps_it(pairs):
    forward = gate.compare_losses("x", [a for a, _ in pairs], [b for _, b in pairs], LEVEL)
    back = gate.compare_losses("x", [b for _, b in pairs], [a for a, _ in pairs], LEVEL)
    opposite = {"better": "worse", "worse": "better", "undecided": "undecided"}
    assert forward.difference == pytest.approx(-back.difference, abs=1e-12)
    # The intervals are bootstrapped: at the very edge the two may differ, never contradict.
    assert back.outcome in (opposite[forward.outcome], "undecided") or forward.outcome == "undecided"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=15))
@settings(max_examples=30, deadline=None)
def test_any_outcomes_give_a_comparison_with_a_sound_interval(pairs):
    found = gate.compare_outcomes("x", [a for a, _ in pairs], [b for _, b in pairs], LEVEL)
    if len(pairs) == 1:
        assert (found.low, found.high, found.p) == (None, None, None)
        return
    assert -1 <= found.low <= found.difference + 1e-9 <= found.high + 2e-9
    assert 0 <= found.p <= 1


def with_calls(base_fault, adapter_fault, gain=0.3):
    return row(2.0, 2.0 - gain).model_copy(update={"base_tool_fault": base_fault, "adapter_tool_fault": adapter_fault})


def verdict_on_calls(rows):
    own = [*gate.comparisons(rows, LEVEL), *gate.compare_tool_calls(rows, LEVEL)]
    return gate.decide_verdict(own, [], Evaluate())


def test_more_broken_tool_calls_than_the_base_reject_whatever_else_is_better():
    rows = [*noisy(20, 0.3), *[with_calls("", "weather lacks day")] * 6, *[with_calls("", "")] * 6]
    found, reasons = verdict_on_calls(rows)
    assert found == "reject"
    assert reasons == ["whole tool calls fell from 1.000 to 0.500 (p = 0.031)"]


@pytest.mark.parametrize(
    "calls",
    [
        [("", "broken")] * 5 + [("", "")] * 5,
        [("", "broken")] * 7 + [("broken", "")] * 3,
        [("broken", "broken")] * 9,
        [("broken", "")] * 9,
    ],
    ids=["too few to tell", "as many by chance", "both", "fewer"],
)
def test_tool_calls_that_are_no_worse_than_chance_do_not_reject(calls):
    assert verdict_on_calls([*noisy(20, 0.3), *[with_calls(*one) for one in calls]])[0] == "accept"


def test_without_tools_no_call_is_compared():
    assert gate.compare_tool_calls(noisy(5, 0.3), LEVEL) == []


def test_one_example_has_neither_an_interval_nor_a_p():
    (loss, preference) = gate.comparisons([row(2.0, 1.5)], LEVEL)
    for one in (loss, preference):
        assert (one.n, one.low, one.high, one.p, one.outcome) == (1, None, None, None, "undecided")
    reasons = gate.decide_verdict([loss, preference], [], Evaluate())[1]
    assert reasons[0] == "loss per token: base 2.000, adapter 1.500 on 1 example"
