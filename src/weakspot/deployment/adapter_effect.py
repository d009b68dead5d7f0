"""Compares the effect of an adapter at a server with its effect in the trainer, token by token.

The effect on a token of a held-out answer is the log-probability under the adapter minus the one under the base. If
the whole adapter is applied, the two effects agree but for rounding. How much the server rounds is measured on its own
base, without the adapter, so a part that is not applied shows as a smaller, larger or otherwise shaped effect.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

from weakspot.records import EffectProof
from zddc.errors import UserError

# Of the effect: what may differ even at a server that computes as the trainer does, see docs/serving.md.
_SMALLEST_LIMIT = 0.003
# How much further a served adapter may be from the trained one than the noise of its base lets expect, or than the way
# of serving may round an answer of its own.
_NOISE_TIMES, _ROUNDING_TIMES = 5.0, 3.0
# What the slope may be away from 1 beyond its interval, and how wide half of that may be: then a half shows clearly.
_SLOPE_LIMIT, _WIDEST_MARGIN = 0.1, 0.2
_FEWEST_GROUPS = 4
_NOTHING = 1e-24
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class TokenEffects:
    """Log-probabilities (nats) of the tokens of one held-out answer; ``served_base`` is None if the base is not served.

    ``base`` and ``adapter`` are the trainer's, ``served`` is the adapter's at the server.
    """

    base: Sequence[float]
    adapter: Sequence[float]
    served: Sequence[float]
    served_base: Sequence[float] | None

    @property
    def trained_effect(self) -> list[float]:
        """The adapter's effect in the trainer."""
        return [adapter - base for adapter, base in zip(self.adapter, self.base, strict=True)]

    @property
    def served_effects(self) -> list[list[float]]:
        """The adapter's effect at the server, against the trainer's base and, if it is served, the server's own."""
        bases = [self.base, *([] if self.served_base is None else [self.served_base])]
        return [[served - one for served, one in zip(self.served, base, strict=True)] for base in bases]


def compare_effects(answers: Sequence[TokenEffects], rounding: float) -> EffectProof:
    """Regress the served effect on the trained one, through the origin, over all tokens of all answers.

    ``rounding`` is the distance (nats per token) that the way of serving may cause; it counts only where the base is
    not served, because then no rounding can be measured. Of the effects against the trainer's base and against the
    server's own, that with the smaller residual is taken: its own base cancels what moves both models alike, as
    quantised weights do, and otherwise adds its noise. The interval of the slope allows for tokens of one answer that
    differ alike (errors clustered by answer, Liang and Zeger 1986); with few answers each token counts for itself.
    """
    trained = [one.trained_effect for one in answers]
    served = min(zip(*(one.served_effects for one in answers), strict=True), key=lambda one: _spread(one, trained))
    total = max(sum(x * x for x in chain(*trained)), _NOTHING)
    tokens = sum(map(len, trained))
    slope = sum(x * y for x, y in zip(chain(*trained), chain(*served), strict=True)) / total
    moments = [
        [x * (y - slope * x) for x, y in zip(xs, ys, strict=True)] for xs, ys in zip(trained, served, strict=True)
    ]
    groups = [sum(one) for one in moments] if len(moments) >= _FEWEST_GROUPS else list(chain(*moments))
    margin = _t_quantile(len(groups) - 1) * math.sqrt(sum(one * one for one in groups)) / total
    size, noise, allowed = math.sqrt(total / tokens), None, _ROUNDING_TIMES * rounding
    if all(one.served_base is not None for one in answers):
        base = [log for one in answers for log in one.base]
        noise = _distance(base, [log for one in answers for log in one.served_base or ()])
        allowed = _NOISE_TIMES * noise * _openness(log for one in answers for log in one.adapter) / _openness(base)
    apart = _distance(chain(*(one.adapter for one in answers)), chain(*(one.served for one in answers)))
    return EffectProof(
        tokens=tokens,
        size=size,
        slope=slope,
        low=slope - margin,
        high=slope + margin,
        apart=apart / size,
        noise=noise,
        limit=max(_SMALLEST_LIMIT, allowed / size),
    )


def _spread(some: Iterable[Sequence[float]], others: Iterable[Sequence[float]]) -> float:
    return _distance(chain(*some), chain(*others))


def _distance(some: Iterable[float], others: Iterable[float]) -> float:
    """Return the root mean square of the differences."""
    return math.sqrt(fmean((one - other) ** 2 for one, other in zip(some, others, strict=True)))


def _openness(logs: Iterable[float]) -> float:
    """Return the root mean square of 1 - p, by which an error of the logits moves a log-probability.

    A model that is sure of a token hardly changes its log-probability, so an adapter rounds less than its base.
    """
    return max(math.sqrt(fmean(math.expm1(log) ** 2 for log in logs)), _NOTHING)


def _t_quantile(freedom: int) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + _CONFIDENCE) / 2, freedom)) if freedom else math.inf


def require_whole_adapter(effect: EffectProof, thing: str, rounding: float) -> None:
    """Raise :class:`UserError` if the server ignores the adapter, applies a part of it, or if this cannot be told.

    ``rounding`` is the largest distance (nats per token) of the served base from the trained one.
    """
    another = effect.noise is not None and effect.noise > max(_ROUNDING_TIMES * rounding, effect.size)
    # A vLLM on a CPU answers for its base with an adapter's rows if both are asked at once: then the adapter is right.
    if another and effect.apart * effect.size > rounding:
        raise UserError(
            thing,
            "is on another base than it was trained on: without the adapter, the server is "
            f"{effect.noise:.2g} nats a token from that one",
            "serve that base; nothing changed",
        )
    if effect.high < _SLOPE_LIMIT:
        raise UserError(
            thing, "answers as the base does: the server ignores the adapter", "see the server's log; nothing changed"
        )
    if effect.high - effect.slope > _WIDEST_MARGIN:
        raise UserError(
            thing,
            f"has an effect too small to prove: {effect.size:.2g} nats a token, of which the server applies "
            f"{effect.low:.2f} … {effect.high:.2f}",
            "train longer, or serve it in a higher precision; nothing changed",
        )
    if effect.apart > effect.limit or not effect.low - _SLOPE_LIMIT <= 1 <= effect.high + _SLOPE_LIMIT:
        raise UserError(
            thing,
            f"is not applied as trained: its effect there is {effect.slope:.2f} of the trained one "
            f"({effect.low:.2f} … {effect.high:.2f}), and {effect.apart:.0%} of it is otherwise, where "
            f"{effect.limit:.0%} may be: layers are left out, scaled otherwise, or rounded too much",
            "see which layers are served, and how; nothing changed",
        )
