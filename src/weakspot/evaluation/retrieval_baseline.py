"""The free competitor of every adapter: the base with retrieved examples in front of the question."""

from collections.abc import Sequence

from weakspot.evaluation import gate
from weakspot.records import Arms, Row

_SCORES = ("loss", "margin", "exact")


def arms(rows: Sequence[Row], significance: float) -> list[Arms]:
    """Return base and adapter, without and with retrieval, on the rows where retrieval was measured.

    The metrics are the gate's, the deciding one first, and so are the tests.
    """
    measured = [row for row in rows if row.retrieved is not None]
    if not measured:
        return []
    alone, behind, contest, added = (
        gate.comparisons([_pair(row, left, right) for row in measured], significance)
        for left, right in (
            ("base", "adapter"),
            ("base + retrieval", "adapter + retrieval"),
            ("base + retrieval", "adapter"),
            ("adapter", "adapter + retrieval"),
        )
    )
    return [
        Arms(
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


def remarks(found: Sequence[Arms], rows: Sequence[Row]) -> list[str]:
    """Return what a person should know before training again, and before turning retrieval on with the adapter."""
    if not found:
        return []
    first, said = found[0], []
    if first.outcome != "better":
        claim = "training does not beat retrieval" if first.outcome == "undecided" else "retrieval beats training"
        figures = f"base + retrieval {first.base_retrieval:.3f}, adapter {first.adapter:.3f}"
        said.append(f"{claim}: {first.metric}: {figures} on {first.n} examples (p = {first.p:.2g})")
    if first.adapter_outcome != "undecided":
        figures = f"{first.adapter:.3f}, with retrieval {first.adapter_retrieval:.3f} (p = {first.adapter_p:.2g})"
        said.append(f"retrieval makes the adapter {first.adapter_outcome}: {first.metric}: {figures}")
    found_for = [bool(row.retrieved.found) for row in rows if row.retrieved is not None]
    return [*said, f"retrieval found examples for {sum(found_for)} of {len(found_for)} questions"]


def _pair(row: Row, left: str, right: str) -> Row:
    """Return a row in which ``left`` stands in the base's place and ``right`` in the adapter's."""
    scores = {}
    for place, arm in (("base", left), ("adapter", right)):
        side, _, retrieval = arm.partition(" + ")
        for score in _SCORES:
            scores[f"{place}_{score}"] = getattr(row.retrieved if retrieval else row, f"{side}_{score}")
    return row.model_copy(update=scores)
