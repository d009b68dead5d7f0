"""Near-duplicate detection by Jaccard similarity of character n-grams, with candidates from MinHash LSH."""

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence

Grams = frozenset[str]

_PERMUTATIONS = 128
_SEED = 42
_MISS = 1e-6
# In scripts without spaces a word has one or two characters, in others about five.
_DENSE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")


def grams(text: str) -> Grams:
    """Return the set of character n-grams of a text, ignoring case, white space and compatibility forms.

    An n-gram has 2 characters if it starts with a letter of a script without spaces, else 5. The rule depends only on
    that letter, so texts that mix scripts compare well.
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
    """Return the Jaccard similarity of two sets of n-grams, 0 to 1."""
    common = len(left & right)
    return common / (len(left) + len(right) - common) if common else 0.0


def count_bands(threshold: float) -> int:
    """Return the number of LSH bands that miss a pair at ``threshold`` less than once in a million.

    A pair of similarity s is a candidate with probability 1 - (1 - s^r)^b, where b bands of r rows share
    128 permutations (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4.2).
    """
    fitting = (_PERMUTATIONS // rows for rows in (8, 4, 2) if (1 - threshold**rows) ** (_PERMUTATIONS // rows) <= _MISS)
    return next(fitting, _PERMUTATIONS)


def earlier_near_duplicates(texts: Sequence[str], threshold: float) -> Iterator[list[int]]:
    """Yield for each text the indices of the earlier texts with a similarity of at least ``threshold``."""
    from rensa import RMinHash, RMinHashLSH  # type: ignore[import-untyped]

    index = RMinHashLSH(threshold, _PERMUTATIONS, count_bands(threshold))
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
    # The small tolerance keeps a product such as 0.8 * 5 = 4.000000000000001 from being rounded up.
    return ordered[: len(own) - math.ceil(threshold * len(own) - 1e-9) + 1]
