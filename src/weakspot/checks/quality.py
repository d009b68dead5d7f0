"""Quality checks: no leakage between splits, enough examples, balanced splits, useful answers, fitting lengths."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations

from weakspot.checks.types import CheckInput, Problem, format_names
from weakspot.dataset import reading
from weakspot.dataset.answer_quality import is_cut_off, refuses
from weakspot.dataset.near_duplicates import pairs_across
from weakspot.dataset.splits import SHARES, exact_keys, similarity_text
from weakspot.models import loading, tokenization
from weakspot.models.rendering import UntrainableExampleError, View
from weakspot.records import SPLITS

# With this many groups every split can have its share.
MANY_GROUPS = 10


def leakage(subject: CheckInput) -> Iterator[Problem]:
    """No near-duplicate pair, conversation or question is in two splits."""
    threshold = subject.config.process.near_duplicate_threshold
    for left, right in combinations(SPLITS, 2):
        lefts, rights = subject.contents.splits[left], subject.contents.splits[right]
        pairs = pairs_across([similarity_text(e) for e in lefts], [similarity_text(e) for e in rights], threshold)
        near = [
            f"{lefts[a].id} and {rights[b].id} ({similarity:.2f})"
            for a, b, similarity in pairs
            if subject.has(lefts[a]) or subject.has(rights[b])
        ]
        if near:
            yield Problem(
                "failure", f"near-duplicates in {left} and {right}, {format_names(near)}; run 'weakspot process'"
            )
        # Examples in scope come last, so that they win if several have the same key.
        by_key = {key: example for example in sorted(lefts, key=subject.has) for key in exact_keys(example)}
        shared = {
            f"{by_key[key].id} and {example.id} ({key.split()[0]})"
            for example in rights
            for key in exact_keys(example)
            if key in by_key and (subject.has(example) or subject.has(by_key[key]))
        }
        if shared:
            yield Problem(
                "failure", f"shared by {left} and {right}, {format_names(sorted(shared))}; run 'weakspot process'"
            )


def balance(subject: CheckInput) -> Iterator[Problem]:
    """Every domain has enough examples."""
    enough = subject.config.validate_.low_examples
    counts = Counter(example.domain for example in subject.examples)
    if not counts:
        yield Problem("warning", "there are no examples", subject.workspace.all_examples)
    for domain, count in counts.items():
        if count < enough:
            yield Problem("warning", f"{domain} is LOW: {count} of {enough} examples")


def split_sizes(subject: CheckInput) -> Iterator[Problem]:
    """Every domain is split 80/10/10 within one group, and has test examples."""
    places = subject.contents.assignments
    for domain, splits in subject.domains.items():
        groups = {s: len({places[e.id].group for e in splits[s] if e.id in places}) for s in SPLITS}
        total = sum(groups.values())
        if total >= MANY_GROUPS and any(abs(groups[s] - SHARES[s] * total) > 1 + 1e-9 for s in SPLITS):
            sizes = "/".join(str(groups[split]) for split in SPLITS)
            yield Problem("warning", f"{domain}: {sizes} groups are not 80/10/10; new examples will even it out")
        if not splits["test"]:
            yield Problem("warning", f"{domain}: no test example, so no adapter can be proved on it")


def answers(subject: CheckInput) -> Iterator[Problem]:
    """Every expert answer is whole, answers the query, and differs from the local one."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for example in subject.examples:
        local, expert = example.local.text, example.expert.text
        if not local.strip():
            found["empty local answers"].append(example.id)
        if example.expert.comparable_text == example.local.comparable_text:
            found["expert answers equal to the local one"].append(example.id)
        if refuses(expert):
            found["expert answers that refuse"].append(example.id)
        if is_cut_off(expert):
            found["expert answers that stop half-way"].append(example.id)
    for what, names in found.items():
        yield Problem("warning", f"{what}, {format_names(names)}")


def token_lengths(subject: CheckInput) -> Iterator[Problem]:
    """Every example fits into [train] max_length."""
    config = subject.config
    tokenizer = loading.find_local_tokenizer(config.model, subject.workspace.root)
    if tokenizer is None:
        yield Problem("pass", f"skipped: the tokenizer of {config.model.base} is not on this machine")
        return
    view = View(config.model.thinking, config.train.no_thoughts, reading.load_local_thoughts(subject.workspace))
    found: defaultdict[str, list[str]] = defaultdict(list)
    for example in subject.examples:
        try:
            tokens = tokenization.tokenize_example(tokenizer, example, config.train.max_length, view=view)
        except UntrainableExampleError as error:
            found["examples that cannot be trained on"].append(f"{example.id} ({error})")
            continue
        if tokens.cut_tokens:
            cut = f"{tokens.cut_tokens} token{'' if tokens.cut_tokens == 1 else 's'}"
            found["expert answers that are cut"].append(f"{example.id} (by {cut})")
        elif tokens.dropped_turns:
            found["examples that lose their oldest turns"].append(example.id)
    for what, names in found.items():
        yield Problem("warning", f"{what} at max_length = {config.train.max_length}, {format_names(names)}")
