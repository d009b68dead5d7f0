"""Compares every adapter with a baseline that needs no training: retrieved examples before the question."""

from collections.abc import Sequence

from weakspot.evaluation import gate
from weakspot.records import BaselineComparison, ScoredExample

_SCORES = ("loss", "margin", "exact")


def baseline_comparisons(rows: Sequence[ScoredExample], significance: float) -> list[BaselineComparison]:
    """Return base and adapter, each without and with retrieval, on the rows where retrieval was measured.

    Metrics and tests are the gate's, the deciding metric first.
    """
    measured = [row for row in rows if row.retrieved is not None]
    if not measured:
        return []
    alone, behind, contest, added = (
        gate.comparisons([_row_for_comparison(row, left, right) for row in measured], significance)
        for left, right in (
            ("base", "adapter"),
            ("base + retrieval", "adapter + retrieval"),
            ("base + retrieval", "adapter"),
            ("adapter", "adapter + retrieval"),
        )
    )
    return [
        BaselineComparison(
            metric=one.metric,
            n=one.n,
            base=one.base,
            base_retrieval=both.base,
            adapter=one.adapter,
            adapter_retrieval=both.adapter,
            p=against.p,
            outcome=against.outcome,
            adapter_p=more.p,
            adapter_outcome=more.outcome,
        )
        for one, both, against, more in zip(alone, behind, contest, added, strict=True)
    ]


def remarks(found: Sequence[BaselineComparison], rows: Sequence[ScoredExample]) -> list[str]:
    """Return advice: whether training beats retrieval, and whether retrieval helps the adapter."""
    if not found:
        return []
    first, said = found[0], []
    if first.outcome != "better":
        claim = "training does not beat retrieval" if first.outcome == "undecided" else "retrieval beats training"
        figures = f"base + retrieval {first.base_retrieval:.3f}, adapter {first.adapter:.3f}"
        examples = "1 example" if first.n == 1 else f"{first.n} examples"
        said.append(f"{claim}: {first.metric}: {figures} on {examples}{gate.format_p(first.p)}")
    if first.adapter_outcome != "undecided":
        figures = f"{first.adapter:.3f}, with retrieval {first.adapter_retrieval:.3f}{gate.format_p(first.adapter_p)}"
        said.append(f"retrieval makes the adapter {first.adapter_outcome}: {first.metric}: {figures}")
    found_for = [bool(row.retrieved.found) for row in rows if row.retrieved is not None]
    questions = "1 question" if len(found_for) == 1 else f"{len(found_for)} questions"
    return [*said, f"retrieval found examples for {sum(found_for)} of {questions}"]


def _row_for_comparison(row: ScoredExample, left: str, right: str) -> ScoredExample:
    """Return a copy of the row with the scores of ``left`` as the base's and those of ``right`` as the adapter's."""
    scores = {}
    for place, arm in (("base", left), ("adapter", right)):
        side, _, retrieval = arm.partition(" + ")
        for score in _SCORES:
            scores[f"{place}_{score}"] = getattr(row.retrieved if retrieval else row, f"{side}_{score}")
    return row.model_copy(update=scores)
