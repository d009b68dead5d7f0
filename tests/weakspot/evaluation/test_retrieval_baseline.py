"""The free competitor: where past answers in front of the question do as well, training is told so."""

import pytest

from weakspot.evaluation import retrieval_baseline
from weakspot.records import RetrievedScores, ScoredExample

LEVEL = 0.05


def row(base, adapter, base_retrieval=None, adapter_retrieval=None, found=("int_1",), exact=(None, None, None)):
    """Make a row of four losses; ``exact`` is of base, base with retrieval, adapter."""
    retrieved = None
    if base_retrieval is not None:
        retrieved = RetrievedScores(
            base_loss=base_retrieval, adapter_loss=adapter_retrieval or adapter, base_margin=1.0, adapter_margin=1.0,
            base_exact=exact[1], adapter_exact=exact[2], found=list(found),
        )  # fmt: skip
    return ScoredExample(
        interaction_id="i", domain="d", query="q", local="l", expert="e", tokens=5,
        base_loss=base, adapter_loss=adapter, base_margin=-1.0, adapter_margin=-1.0,
        base_exact=exact[0], adapter_exact=exact[2], retrieved=retrieved,
    )  # fmt: skip


def steps(count=8):
    """Return what makes each row another; with ties every order of that many signs is tried, one by one."""
    return [n / 100 for n in range(count)]


def test_the_four_stand_side_by_side_on_the_same_examples():
    rows = [row(2 + n, 1.2 + n, 1.5 + n, 1.1 + n) for n in steps()]
    loss, preference = retrieval_baseline.baseline_comparisons([*rows, row(9.0, 9.0)], LEVEL)
    assert (loss.metric, loss.n, preference.metric) == ("loss per token", 8, "preference accuracy")
    means = (loss.base, loss.base_retrieval, loss.adapter, loss.adapter_retrieval)
    assert means == pytest.approx([one + 0.035 for one in (2, 1.5, 1.2, 1.1)])
    assert (preference.base, preference.base_retrieval) == (0, 1)
    assert (preference.adapter, preference.adapter_retrieval) == (0, 1)


def test_an_adapter_that_beats_retrieval_is_not_remarked_upon():
    rows = [row(2 + n, 1.2 + n, 1.5 + 1.1 * n) for n in steps()]
    found = retrieval_baseline.baseline_comparisons(rows, LEVEL)
    assert found[0].outcome == "better"
    assert retrieval_baseline.remarks(found, rows) == ["retrieval found examples for 8 of 8 questions"]


def test_training_that_loses_to_retrieval_is_told_so():
    rows = [row(2 + n, 1.5 + n, 1.2 + 1.1 * n) for n in steps(12)]
    said = retrieval_baseline.remarks(retrieval_baseline.baseline_comparisons(rows, LEVEL), rows)
    assert said[0].startswith("retrieval beats training: loss per token: base + retrieval 1.2")
    assert "adapter 1.555 on 12 examples (p = 0.00049)" in said[0]


def test_a_difference_that_may_be_chance_does_not_beat_retrieval():
    rows = [row(2 + n, 1.5 + n, 1.5 + n + (0.1 if place % 2 else -0.1)) for place, n in enumerate(steps())]
    found = retrieval_baseline.baseline_comparisons(rows, LEVEL)
    assert found[0].outcome == "undecided"
    assert retrieval_baseline.remarks(found, rows)[0].startswith("training does not beat retrieval: loss per token")


def test_what_retrieval_adds_to_the_adapter_is_told():
    def said(adapter_retrieval):
        rows = [row(2 + n, 1.2 + n, 1.5 + 1.1 * n, adapter_retrieval + 1.1 * n) for n in steps()]
        return retrieval_baseline.remarks(retrieval_baseline.baseline_comparisons(rows, LEVEL), rows)[0]

    assert said(1.4).startswith("retrieval makes the adapter worse: loss per token: 1.235, with retrieval 1.43")
    assert said(0.9).startswith("retrieval makes the adapter better: loss per token: 1.235, with retrieval 0.93")


def test_exact_match_decides_where_answers_can_be_checked():
    rows = [row(2.0, 1.0, 1.5, exact=(False, True, False)) for _ in range(8)]
    found = retrieval_baseline.baseline_comparisons(rows, LEVEL)
    assert [arm.metric for arm in found] == ["exact match", "loss per token", "preference accuracy"]
    assert (found[0].base, found[0].base_retrieval, found[0].adapter) == (0, 1, 0)
    assert retrieval_baseline.remarks(found, rows)[0].startswith("retrieval beats training: exact match")


def test_questions_that_nothing_was_found_for_count_as_they_are():
    rows = [*(row(2 + n, 1.2 + n, 2 + n, found=()) for n in steps()), row(2.0, 1.2, 1.1)]
    found = retrieval_baseline.baseline_comparisons(rows, LEVEL)
    assert found[0].n == 9
    assert retrieval_baseline.remarks(found, rows)[-1] == "retrieval found examples for 1 of 9 questions"


def test_where_retrieval_was_not_measured_nothing_is_said():
    rows = [row(2.0, 1.0)]
    assert retrieval_baseline.baseline_comparisons(rows, LEVEL) == []
    assert retrieval_baseline.remarks([], rows) == []
