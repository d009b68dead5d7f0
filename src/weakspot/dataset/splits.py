"""Splits examples 80/10/10 by group: similar examples are in the same split, and no group ever moves."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from weakspot.dataset.near_duplicates import earlier_near_duplicates
from weakspot.records import SPLITS, Assignment, Interaction, Split, normalise_text

SHARES: Mapping[Split, float] = {"train": 0.8, "val": 0.1, "test": 0.1}
_PUNCTUATION = re.compile(r"\W+")


@dataclass(frozen=True)
class Excluded:
    """An example left out because it is similar to examples of different splits, which ``detail`` names."""

    example: Interaction
    detail: str


def similarity_text(example: Interaction) -> str:
    """Return the text in which near-duplicates are detected: query and expert answer."""
    return f"{example.query.text}\n{example.expert.text}"


def exact_keys(example: Interaction) -> Iterator[str]:
    """Yield the keys that an example must not share with another split: of its conversation and of its question.

    A conversation is identified by ``metadata.conversation_id``, and by its first two turns, since clients send the
    whole history each time. A question is the query, ignoring case and punctuation, of a conversation that starts with
    it.
    """
    if example.metadata.conversation_id:
        yield f"conversation {example.metadata.conversation_id}"
    opening = [message for message in example.messages if message.role != "system"][:2]
    yield f"opening {_digest(*(normalise_text(message.text) for message in opening))}"
    if not any(message.role != "system" for message in example.context):
        question = normalise_text(example.query.text).casefold()
        yield f"question {_digest(_PUNCTUATION.sub(' ', question).strip() or question)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def assign(
    examples: Sequence[Interaction], recorded: Mapping[str, Assignment], threshold: float
) -> Iterator[Assignment | Excluded]:
    """Yield for each example, in the order of capture, its assignment or why it is left out.

    An example is linked to earlier examples if it is a near-duplicate of them or shares a conversation or question with
    them. It joins the group of the first of them; without any it starts a new group, in the split that its domain needs
    most. If a later example links two groups of one split, they stay two groups: nothing written changes, and the sizes
    stay balanced. Each decision depends on earlier examples only, so it is the same whether the data came in one batch
    or in ten, and an assignment in ``recorded`` (by interaction id) is never changed.
    """
    places: list[Assignment | None] = []
    sizes = _Sizes()
    by_key: defaultdict[str, list[int]] = defaultdict(list)
    near = earlier_near_duplicates([similarity_text(example) for example in examples], threshold)
    for number, (example, similar) in enumerate(zip(examples, near, strict=True)):
        keys = list(exact_keys(example))
        linked = [places[other] for other in sorted({*similar, *(n for key in keys for n in by_key[key])})]
        neighbours = [place for place in linked if place is not None]
        before = recorded.get(example.id)
        splits = sorted({place.split for place in neighbours} | ({before.split} if before else set()))
        if len(splits) > 1:
            places.append(None)
            yield Excluded(example, _describe_conflict(example, neighbours, before))
            continue
        if before is None:
            split = splits[0] if splits else sizes.lacking(example.domain)
            group = neighbours[0].group if neighbours else example.id
            before = Assignment(interaction_id=example.id, group=group, split=split, domain=example.domain)
        sizes.add(example.domain, before)
        places.append(before)
        for key in keys:
            by_key[key].append(number)
        yield before


def _describe_conflict(example: Interaction, neighbours: Sequence[Assignment], before: Assignment | None) -> str:
    first = {place.split: place.interaction_id for place in reversed(neighbours)}
    names = [f"{first[split]} ({split})" for split in SPLITS if split in first]
    if before:
        return f"is in {before.split} and too like {' and '.join(names)} of another split"
    return f"too like {' and '.join(names)}, which are in different splits"


class _Sizes:
    """The groups and the number of examples of each split so far, by domain."""

    def __init__(self) -> None:
        self._groups: defaultdict[str, defaultdict[Split, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._examples: defaultdict[str, Counter[Split]] = defaultdict(Counter)

    def add(self, domain: str, place: Assignment) -> None:
        self._groups[domain][place.split].add(place.group)
        self._examples[domain][place.split] += 1

    def lacking(self, domain: str) -> Split:
        """Return the split that should get the domain's next group.

        It is the one furthest below its share of the groups, with the next group counted. If no split lacks a whole
        group, it is the one that lacks the most examples, since groups differ in size.
        """
        groups = {split: len(self._groups[domain][split]) for split in SPLITS}
        total = sum(groups.values()) + 1
        lack = {split: SHARES[split] * total - groups[split] for split in SPLITS}
        due = [split for split in SPLITS if lack[split] >= 1 - 1e-9]
        if due:
            return max(due, key=lack.__getitem__)
        allowed = [split for split in SPLITS if lack[split] > 1e-9]
        counts = self._examples[domain]
        size = sum(counts.values()) + 1
        return max(allowed, key=lambda split: round(SHARES[split] * size - counts[split], 9))
