"""Groups go to splits 80/10/10, for ever, and nothing alike is on two sides."""

import os
from collections import defaultdict
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weakspot.dataset.splits import SHARES, Excluded, assign, exact_keys
from weakspot.records import SPLITS, Assignment, Interaction

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


def assigned(examples, recorded=None, threshold: float = 0.8) -> list[Assignment]:
    found = list(assign(examples, recorded or {}, threshold))
    assert not [place for place in found if isinstance(place, Excluded)]
    return found


def by_id(places) -> dict[str, Assignment]:
    return {place.interaction_id: place for place in places}


def test_an_example_like_none_before_it_starts_a_group_of_its_own(example):
    one, other = example(1), example(2)
    assert [place.group for place in assigned([one, other])] == [one.id, other.id]


def test_a_near_duplicate_joins_the_group_and_its_split(example):
    examples = [*(example(number) for number in range(20)), *(example(n, "please") for n in range(20))]
    places = assigned(examples)
    for first, second in zip(places[:20], places[20:], strict=True):
        assert (second.group, second.split) == (first.group, first.split)


@pytest.mark.parametrize(
    "more",
    [
        {"conversation_id": "c1"},
        {
            "context": [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": "hi, what is it?"},
            ]
        },
    ],
    ids=["by its id", "by its opening"],
)
def test_a_conversation_is_one_group(example, more):
    places = assigned([example(number, **more) for number in range(12)])
    assert len({place.group for place in places}) == 1


def test_a_system_turn_does_not_hide_the_opening(example):
    opening = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    one = example(1, context=[{"role": "system", "content": "Be brief."}, *opening])
    other = example(2, context=opening)
    assert len({place.group for place in assigned([one, other])}) == 1


def test_a_question_is_one_group_whatever_was_answered(interaction):
    queries = ["What is a tensor?", "what is a tensor", "What is a  tensor ?!"]
    examples = [interaction(query, "no word alike " * n, local=f"{n}") for n, query in enumerate(queries, 1)]
    places = assigned([one.with_metadata({"domain": "spam"}) for one in examples])
    assert len({place.group for place in places}) == 1


def test_the_same_words_late_in_two_conversations_are_not_one_question(interaction):
    examples = [
        interaction(
            "And why?",
            answer,
            domain="spam",
            context=[{"role": "user", "content": answer}, {"role": "assistant", "content": "Yes."}],
        )
        for answer in ("Because of the rain.", "Nobody knows, it is an accident.")
    ]
    assert len({place.group for place in assigned(examples)}) == 2


def test_questions_of_punctuation_alone_are_told_apart(interaction):
    keys = [[k for k in exact_keys(interaction(q)) if k.startswith("question")] for q in ("?", "??", "!")]
    assert len({key for found in keys for key in found}) == 3


@settings(max_examples=100 if SOAK else 20)
@given(st.integers(1, 120))
def test_every_split_has_its_share_within_one_group_and_train_comes_first(example, count):
    splits = [place.split for place in assigned([example(number) for number in range(count)])]
    assert splits[0] == "train"
    for total in range(1, count + 1):
        for split in SPLITS:
            assert abs(splits[:total].count(split) - SHARES[split] * total) <= 1


@given(
    sizes=st.lists(st.integers(1, 6), min_size=10, max_size=40),
    domains=st.lists(st.sampled_from(["spam", "eggs"]), min_size=40, max_size=40),
    chance=st.randoms(use_true_random=False),
)
def test_groups_of_any_size_in_any_order_keep_every_domain_within_one_group(example, sizes, domains, chance):
    examples = [
        example(number, f"v{copy}", domain=domain)
        for number, (size, domain) in enumerate(zip(sizes, domains, strict=False))
        for copy in range(size)
    ]
    chance.shuffle(examples)
    groups = defaultdict(set)
    for place in assigned(examples):
        groups[place.domain, place.split].add(place.group)
    for domain in ("spam", "eggs"):
        total = sum(len(groups[domain, split]) for split in SPLITS)
        for split in SPLITS:
            assert abs(len(groups[domain, split]) - SHARES[split] * total) <= 1


@given(
    numbers=st.lists(st.integers(0, 15), max_size=40),
    conversations=st.lists(st.sampled_from([None, None, None, "c1", "c2", "c3"]), min_size=40, max_size=40),
    cuts=st.lists(st.integers(1, 12), min_size=1, max_size=8),
)
def test_ten_batches_decide_as_one_and_never_anew(example, numbers, conversations, cuts):
    examples = [
        example(number, f"v{place}", **({"conversation_id": conversation} if conversation else {}))
        for place, (number, conversation) in enumerate(zip(numbers, conversations, strict=False))
    ]
    at_once = list(assign(examples, {}, 0.8))
    recorded: dict[str, Assignment] = {}
    for end in [*accumulate(cuts), len(examples)]:
        places = by_id(place for place in assign(examples[:end], recorded, 0.8) if isinstance(place, Assignment))
        assert {name: places[name] for name in recorded} == recorded
        recorded = places
    assert recorded == by_id(place for place in at_once if isinstance(place, Assignment))
    assert list(assign(examples, recorded, 0.8)) == at_once


@given(numbers=st.lists(st.integers(0, 12), max_size=30), conversations=st.lists(st.integers(0, 6), min_size=30))
def test_nothing_alike_is_ever_in_two_splits(example, numbers, conversations):
    examples = [
        example(number, f"v{place}", conversation_id=f"c{conversation}")
        for place, (number, conversation) in enumerate(zip(numbers, conversations, strict=False))
    ]
    places = list(assign(examples, {}, 0.8))
    splits = defaultdict(set)
    for one, place in zip(examples, places, strict=True):
        if isinstance(place, Assignment):
            splits["number", one.expert.text].add(place.split)
            splits["conversation", one.metadata.conversation_id].add(place.split)
    assert all(len(found) == 1 for found in splits.values())


def linking(example) -> tuple[list[Interaction], Interaction]:
    """Examples that fill every split, and one that ties a train group to a test group by its conversation."""
    examples = [example(number, conversation_id=f"c{number}") for number in range(20)]
    places = assigned(examples)
    train = next(n for n, place in enumerate(places) if place.split == "train")
    test = next(n for n, place in enumerate(places) if place.split == "test")
    return examples, example(train, "please", conversation_id=f"c{test}")


def test_an_example_that_ties_two_splits_together_is_kept_out_and_says_whom(example):
    examples, link = linking(example)
    *places, kept_out = assign([*examples, link], {}, 0.8)
    assert isinstance(kept_out, Excluded)
    assert kept_out.example == link
    names = by_id(places)
    train = next(one.id for one in examples if one.expert == link.expert)
    test = next(one.id for one in examples if one.metadata.conversation_id == link.metadata.conversation_id)
    assert (names[train].split, names[test].split) == ("train", "test")
    assert kept_out.detail == f"too like {train} (train) and {test} (test), which are in different splits"


def test_what_was_kept_out_ties_nothing_later(example):
    examples, link = linking(example)
    later = example(99, conversation_id="new")
    again = example(99, "please", conversation_id="new")
    found = list(assign([*examples, link, later, again], {}, 0.8))
    assert [isinstance(place, Excluded) for place in found[-3:]] == [True, False, False]


def test_two_groups_of_one_split_that_are_linked_keep_their_names(example):
    examples = [example(number, conversation_id=f"c{number}") for number in range(20)]
    places = assigned(examples)
    one, other = [n for n, place in enumerate(places) if place.split == "train"][:2]
    after = assigned([*examples, example(other, "please", conversation_id=f"c{one}")])
    assert after[:20] == places
    assert (after[20].group, after[20].split) == (places[one].group, "train")


def test_a_recorded_split_is_kept_against_the_balance(example):
    examples = [example(number) for number in range(10)]
    recorded = {
        one.id: Assignment(interaction_id=one.id, group=one.id, split="test", domain="spam") for one in examples[:5]
    }
    places = assigned(examples, recorded)
    assert [place.split for place in places[:5]] == ["test"] * 5
    assert "test" not in [place.split for place in places[5:]]


def test_a_lower_threshold_keeps_out_what_became_alike_and_moves_nothing(example):
    examples = [example(number) for number in range(10)]
    near = [example(number, "but now at more length and in other words") for number in reversed(range(10))]
    recorded = by_id(assigned([*examples, *near], threshold=1.0))
    after = list(assign([*examples, *near], recorded, 0.5))
    kept_out = [place for place in after if isinstance(place, Excluded)]
    assert kept_out
    assert all("of another split" in place.detail for place in kept_out)
    for place in after:
        if isinstance(place, Assignment):
            assert place == recorded[place.interaction_id]
