"""Ranking: what is about the same comes first, whatever was added or removed meanwhile, in bounded time."""

import random
import string

from hypothesis import given
from hypothesis import strategies as st

from weakspot.dataset import bm25
from weakspot.dataset.bm25 import Ranking, head_and_tail, terms


def ranking(*texts: str) -> Ranking:
    found = Ranking()
    for text in texts:
        found.add(text)
    return found


def test_the_text_about_the_same_comes_first():
    one = ranking("How do I sort a list?", "How do I read a file?", "How do I sort a dictionary by its values?")
    assert one.best("sort a list in reverse", 3)[0] == 0
    assert one.best("the values of a dictionary", 3)[0] == 2


def test_a_rare_word_counts_more_than_a_common_one():
    one = ranking(*["please fix the common build"] * 9, "please look at quaternions")
    assert one.best("please fix quaternions", 1) == [9]


def test_of_two_texts_with_the_same_words_the_shorter_comes_first():
    one = ranking("merge sort " + "with many other words that say something else " * 3, "merge sort")
    assert one.best("merge sort", 2) == [1, 0]


def test_what_shares_nothing_is_not_found():
    assert ranking("alpha", "beta").best("zzzzzz", 5) == []
    assert Ranking().best("anything", 5) == []


def test_scripts_without_spaces_are_found_by_their_characters():
    assert ranking("如何对列表进行排序", "如何读取文件").best("列表排序", 1) == [0]


def test_case_does_not_matter():
    assert terms("STRASSE und Sort") == terms("straße UND sort")


def test_a_removed_text_is_not_found_and_the_numbers_stay():
    one = ranking("sort a list", "sort a tuple")
    one.remove(0)
    assert one.best("sort a list", 5) == [1]
    assert one.add("sort a set") == 2
    assert set(one.best("sort a list", 5)) == {1, 2}


def test_of_a_long_text_its_beginning_and_its_end_count():
    log = "Why does the linker fail? " + "0123456789 " * 100_000 + " undefined reference to frobnicate"
    assert len(head_and_tail(log)) == 2001
    assert {"linker", "frobnicate"} <= terms(log)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=12), st.text(max_size=40), st.integers(1, 5))
def test_any_texts_are_ranked_without_doubles(texts, query, count):
    found = ranking(*texts).best(query, count)
    assert len(found) == len(set(found)) <= count
    assert all(terms(texts[number]) & terms(query) for number in found)


@given(st.lists(st.text(alphabet="abcdef ", min_size=1, max_size=30), min_size=1, max_size=12), st.data())
def test_a_text_is_among_the_best_for_itself(texts, data):
    own = data.draw(st.sampled_from(texts))
    best = ranking(*texts).best(own, len(texts))
    assert texts.index(own) in best


class Counted(list):
    """Numbers of texts; the class counts how many are looked at."""

    looked_at = 0

    def __iter__(self):
        Counted.looked_at += len(self)
        return super().__iter__()


def test_of_ten_thousand_texts_only_those_that_share_rare_terms_are_looked_at():
    chance = random.Random(3)
    words = ["".join(chance.choices(string.ascii_lowercase, k=6)) for _ in range(2000)]
    one = ranking(*(f"please look at {' '.join(chance.choices(words, k=2))}" for _ in range(10_000)))
    one._postings.update({term: Counted(numbers) for term, numbers in one._postings.items()})
    for _ in range(20):
        query = f"please look at {' '.join(chance.choices(words, k=6))}"
        Counted.looked_at = 0
        assert len(one.best(query, 20)) == 20
        assert 0 < Counted.looked_at <= bm25._MOST_POSTINGS
        assert sum(len(one._postings.get(term, ())) for term in terms(query)) > 10 * bm25._MOST_POSTINGS
