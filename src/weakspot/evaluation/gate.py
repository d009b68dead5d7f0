"""The gate: decides by statistical tests whether an adapter helps, harms, or needs more evidence."""

import math
from collections.abc import Sequence

from weakspot.records import Comparison, ComparisonOutcome, Scorecard, ScoredExample, Verdict
from weakspot.settings import Evaluate

LOSS, EXACT, PREFERENCE = "loss per token", "exact match", "preference accuracy"
TOOLS = "whole tool calls"
_POWER_Z = 0.8416  # the normal quantile of 80 % power
_SEED = 42
# Below this standard deviation all differences are equal up to rounding, and no interval can be bootstrapped.
_NO_SPREAD = 1e-12


def compare_losses(metric: str, base: Sequence[float], adapter: Sequence[float], significance: float) -> Comparison:
    """Compare paired losses by the Wilcoxon signed-rank test and a bootstrap interval of the mean difference.

    Lower is better. The outcome is better or worse only if p is at most ``significance`` and the interval excludes
    zero; otherwise it is undecided.
    """
    import numpy
    from scipy import stats

    differences = numpy.subtract(adapter, base)
    n, mean = len(differences), float(differences.mean())
    low = high = mean
    p = 1.0
    if n > 1 and differences.any():
        # SciPy's p is exact for up to 50 pairs. With fewer than six pairs, p cannot be 0.05 or less.
        p = float(stats.wilcoxon(differences).pvalue)
        if float(differences.std()) > _NO_SPREAD:
            interval = stats.bootstrap(
                (differences,), numpy.mean, confidence_level=1 - significance, rng=numpy.random.default_rng(_SEED)
            ).confidence_interval
            low, high = float(interval.low), float(interval.high)
    outcome: ComparisonOutcome = "undecided"
    if p <= significance and not low <= 0 <= high:
        outcome = "better" if mean < 0 else "worse"
    spread = float(differences.std(ddof=1)) if n > 1 else 0.0
    needed = _sample_size_for_mean(mean, spread, significance) if outcome == "undecided" and n > 1 else None
    return Comparison(
        metric=metric,
        n=n,
        base=float(numpy.mean(base)),
        adapter=float(numpy.mean(adapter)),
        difference=mean,
        low=low if n > 1 else None,
        high=high if n > 1 else None,
        p=p if n > 1 else None,
        outcome=outcome,
        needed=needed,
    )


def compare_outcomes(metric: str, base: Sequence[bool], adapter: Sequence[bool], significance: float) -> Comparison:
    """Compare paired successes by the exact sign test on the pairs that differ (McNemar). More is better.

    The interval is that of the difference between the two success rates, bootstrapped over the examples.
    """
    import numpy
    from scipy import stats

    differences = numpy.subtract(numpy.asarray(adapter, float), numpy.asarray(base, float))
    n = len(differences)
    won, lost = int((differences > 0).sum()), int((differences < 0).sum())
    p = float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0
    low = high = float(differences.mean())
    if n > 1 and float(differences.std()) > 0:
        interval = stats.bootstrap(
            (differences,),
            numpy.mean,
            confidence_level=1 - significance,
            method="percentile",
            rng=numpy.random.default_rng(_SEED),
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    outcome: ComparisonOutcome = "undecided"
    if p <= significance:
        outcome = "better" if won > lost else "worse"
    return Comparison(
        metric=metric,
        n=n,
        base=float(numpy.mean(base)),
        adapter=float(numpy.mean(adapter)),
        difference=float(differences.mean()),
        low=low if n > 1 else None,
        high=high if n > 1 else None,
        p=p if n > 1 else None,
        outcome=outcome,
        needed=_sample_size_for_signs(n, won, lost, significance) if outcome == "undecided" else None,
    )


def _sample_size_for_mean(mean: float, spread: float, significance: float) -> int | None:
    """Return how many pairs give 80 % power at this mean and spread, None if the mean is zero.

    Normal approximation; the factor 1.05 accounts for the efficiency of the Wilcoxon test.
    """
    if mean == 0:
        return None
    return max(6, math.ceil(1.05 * ((_significance_z(significance) + _POWER_Z) * spread / mean) ** 2))


def _sample_size_for_signs(n: int, won: int, lost: int, significance: float) -> int | None:
    """Return how many pairs give 80 % power in the sign test, None if wins equal losses (Noether 1987).

    It assumes that pairs go on to differ at the present rate.
    """
    if won == lost:
        return None
    share = max(won, lost) / (won + lost)
    differing = max(6, (_significance_z(significance) + _POWER_Z) ** 2 / (4 * (share - 0.5) ** 2))
    return math.ceil(differing * n / (won + lost))


def _significance_z(significance: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - significance / 2)


def comparisons(rows: Sequence[ScoredExample], significance: float) -> list[Comparison]:
    """Return the comparisons on the adapter's own test examples, the deciding metric first.

    Exact match decides if at least half of the expert's answers are JSON; otherwise the loss decides.
    """
    losses = compare_losses(LOSS, [r.base_loss for r in rows], [r.adapter_loss for r in rows], significance)
    preferences = compare_outcomes(
        PREFERENCE, [r.base_margin > 0 for r in rows], [r.adapter_margin > 0 for r in rows], significance
    )
    checked = [row for row in rows if row.base_exact is not None]
    if not checked:
        return [losses, preferences]
    exact = compare_outcomes(
        EXACT, [bool(r.base_exact) for r in checked], [bool(r.adapter_exact) for r in checked], significance
    )
    return [exact, losses, preferences] if 2 * len(checked) >= len(rows) else [losses, exact, preferences]


def compare_tool_calls(rows: Sequence[ScoredExample], significance: float) -> list[Comparison]:
    """Compare the shares of answers without a broken tool call, on prompts that have tools; empty if there is none."""
    pairs = [(row.base_tool_fault, row.adapter_tool_fault) for row in rows if row.base_tool_fault is not None]
    base, adapter = ([not pair[side] for pair in pairs] for side in (0, 1))
    return [compare_outcomes(TOOLS, base, adapter, significance)] if pairs else []


def harm(rows: Sequence[ScoredExample], significance: float) -> list[Comparison]:
    """Return loss comparisons on the other domains' test examples: first all of them together, then each domain."""
    found = []
    domains = sorted({row.domain for row in rows})
    groups = {"all other domains": list(rows), **{d: [r for r in rows if r.domain == d] for d in domains}}
    for domain, part in groups.items():
        if part:
            found.append(
                compare_losses(domain, [r.base_loss for r in part], [r.adapter_loss for r in part], significance)
            )
    return found


def compare_with_live(rows: Sequence[ScoredExample], served: Scorecard, significance: float) -> list[Comparison]:
    """Compare the adapter with the one in service, by the deciding metric and on the test examples that both have.

    The scores of the adapter in service take the place of the base's. The list is empty if they share no example.
    """
    of_served = {(row.interaction_id, row.expert): row for row in served.rows}
    pairs = [
        row.model_copy(
            update={
                "base_loss": other.adapter_loss,
                "base_margin": other.adapter_margin,
                "base_exact": other.adapter_exact,
            }
        )
        for row in rows
        if (other := of_served.get((row.interaction_id, row.expert))) is not None
    ]
    if not pairs:
        return []
    first = comparisons(pairs, significance)[0]
    return [first.model_copy(update={"metric": f"{first.metric} against {served.adapter}"})]


def format_p(p: float | None) -> str:
    """Return p in brackets with a space before it, to stand behind figures; empty where there is none."""
    return "" if p is None else f" (p = {p:.2g})"


def decide_verdict(
    own: Sequence[Comparison], others: Sequence[Comparison], settings: Evaluate, served: Sequence[Comparison] = ()
) -> tuple[Verdict, list[str]]:
    """Return the verdict and the sentences that explain it.

    Reject if, beyond chance, the deciding metric or preference accuracy is worse, more tool calls are broken, the
    deciding metric is worse than that of the adapter in service, or the loss of another domain rose by more than
    ``max_harm``. Accept if the
    deciding metric is better and nothing rejects. Otherwise there is not enough evidence.
    """
    against = [
        f"{c.metric} {'rose' if c.difference > 0 else 'fell'} from {c.base:.3f} to {c.adapter:.3f}{format_p(c.p)}"
        for c in (*own, *served)
        if c.outcome == "worse" and (c is own[0] or c.metric in (PREFERENCE, TOOLS) or c in served)
    ]
    against += [
        f"{c.metric}: the loss rose by {c.difference:.3f} nats a token, more than {settings.max_harm}{format_p(c.p)}"
        for c in others
        if c.outcome == "worse" and c.difference > settings.max_harm
    ]
    if against:
        return "reject", against
    first = own[0]
    examples = "1 example" if first.n == 1 else f"{first.n} examples"
    change = f"{first.metric}: base {first.base:.3f}, adapter {first.adapter:.3f} on {examples}{format_p(first.p)}"
    if first.outcome == "better":
        return "accept", [change]
    more = "how many test examples would decide cannot be estimated yet"
    if first.needed:
        more = f"about {first.needed} test examples would decide"
    return "not enough evidence", [change, more]
