"""How alike two texts are, and which pairs are near-duplicates: MinHash finds candidates, Jaccard decides."""

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence

Grams = frozenset[str]

_PERMUTATIONS = 128
_SEED = 42
_MISS = 1e-6
# Scripts written without spaces carry a word in one or two characters; the others in about five.
_DENSE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")


def grams(text: str) -> Grams:
    """Return the set of character n-grams of a text, ignoring case, white space and compatibility forms.

    An n-gram is 2 characters where it starts with a letter of a script written without spaces, else 5;
    the rule looks at one place only, so texts of mixed scripts compare well.
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    padded = f" {folded} "
    if folded.isascii():
        return frozenset(padded[i : i + 5] for i in range(max(1, len(padded) - 4)))
    found = (padded[i : i + (2 if _is_dense(padded[i]) else 5)] for i in range(len(padded) - 1))
    return frozenset(found)


def _is_dense(character: str) -> bool:
    return not character.isascii() and unicodedata.name(character, "").startswith(_DENSE)


def jaccard(left: Grams, right: Grams) -> float:
    """Return the share of common n-grams, 0 to 1."""
    common = len(left & right)
    return common / (len(left) + len(right) - common) if common else 0.0


def bands(threshold: float) -> int:
    """Return the number of LSH bands that misses a pair at ``threshold`` less than once in a million.

    A pair of similarity s is a candidate with probability 1 - (1 - s^r)^b, where b bands of r rows share
    128 permutations (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4.2).
    """
    fitting = (_PERMUTATIONS // rows for rows in (8, 4, 2) if (1 - threshold**rows) ** (_PERMUTATIONS // rows) <= _MISS)
    return next(fitting, _PERMUTATIONS)


def earlier_near_duplicates(texts: Sequence[str], threshold: float) -> Iterator[list[int]]:
    """Yield for each text the indices of the earlier ones whose similarity is at least ``threshold``."""
    from rensa import RMinHash, RMinHashLSH  # type: ignore[import-untyped]

    index = RMinHashLSH(threshold, _PERMUTATIONS, bands(threshold))
    sets: list[Grams] = []
    for number, text in enumerate(texts):
        own = grams(text)
        sketch = RMinHash(num_perm=_PERMUTATIONS, seed=_SEED)
        sketch.update(sorted(own))
        yield [other for other in sorted(index.query(sketch)) if jaccard(own, sets[other]) >= threshold]
        index.insert(number, sketch)
        sets.append(own)


def pairs_across(left: Sequence[str], right: Sequence[str], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Yield every pair at or above ``threshold``: index in ``left``, index in ``right``, similarity.

    Exact, not estimated: two sets with that similarity share one of their rarest n-grams (prefix filtering;
    Bayardo, Ma, Srikant 2007), so only texts that do are compared.
    """
    lefts, rights = [grams(text) for text in left], [grams(text) for text in right]
    frequency = Counter(gram for own in (*lefts, *rights) for gram in own)
    index: defaultdict[Hashable, list[int]] = defaultdict(list)
    for number, own in enumerate(rights):
        for gram in _rarest(own, frequency, threshold):
            index[gram].append(number)
    for number, own in enumerate(lefts):
        candidates = {other for gram in _rarest(own, frequency, threshold) for other in index.get(gram, ())}
        for other in sorted(candidates):
            similarity = jaccard(own, rights[other])
            if similarity >= threshold:
                yield number, other, similarity


def _rarest(own: Grams, frequency: Counter[str], threshold: float) -> list[str]:
    ordered = sorted(own, key=lambda gram: (frequency[gram], gram))
    # The tiny allowance keeps a product such as 0.8 * 5 = 4.000000000000001 from rounding up.
    return ordered[: len(own) - math.ceil(threshold * len(own) - 1e-9) + 1]
