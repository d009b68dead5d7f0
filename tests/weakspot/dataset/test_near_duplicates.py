"""Near-duplicates are found in every script, and none is missed: it is as if all were compared with all."""

import json
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.dataset.near_duplicates import count_bands, earlier_near_duplicates, grams, jaccard, pairs_across

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))

# A sentence, the same with a small change, and another sentence about something like it.
NEAR_DUPLICATES = {
    "English": (
        "How do I sort a list of numbers in Python without changing it?",
        "How do I sort a list of numbers in Python without changing it",
        "How do I remove the last of the words in a text without a loop?",
    ),
    "English, short": ("What is a tensor?", "what is  a tensor?", "What is a matrix?"),
    "Chinese": (
        "如何在不修改原列表的情况下对数字进行排序？",
        "如何在不修改原列表的情况下对数字进行排序",
        "怎样才能把一段文字里的最后一个词去掉？",
    ),
    "Chinese, short": ("什么是张量？", "什么是张量?", "什么是矩阵？"),
    "Japanese": (
        "元のリストを変えずに数値を並べ替える方法は？",
        "元のリストを変えずに数値を並べ替える方法は",
        "文章から最後の単語だけを取り除くには？",
    ),
    "Thai": (
        "จะเรียงลำดับตัวเลขในรายการโดยไม่เปลี่ยนรายการเดิมได้อย่างไร?",
        "จะเรียงลำดับตัวเลขในรายการโดยไม่เปลี่ยนรายการเดิมได้อย่างไร",
        "จะตัดคำสุดท้ายออกจากข้อความได้อย่างไร",
    ),
    "Korean": (
        "원래 목록을 바꾸지 않고 숫자를 정렬하려면 어떻게 하나요?",
        "원래 목록을 바꾸지 않고 숫자를 정렬하려면 어떻게 하나요",
        "글에서 마지막 단어만 지우려면 무엇을 쓰나요?",
    ),
    "Arabic": (
        "كيف أرتب قائمة من الأرقام من دون تغيير القائمة الأصلية؟",
        "كيف أرتب قائمة من الأرقام من دون تغيير القائمة الأصلية",
        "كيف أحذف الكلمة الأخيرة من نص طويل في بايثون؟",
    ),
    "emoji": (
        "🎉🎊🥳 party time 🎂🎁 tonight 🍾🥂 bring 🎈",
        "🎉🎊🥳 party time 🎂🎁 tonight 🍾🥂 bring 🎈🎈",
        "🌧️☔ stay at home 🛋️📺",
    ),
    "full width": ("ＡＢＣ １２３ ﾃｽﾄ", "ABC 123 テスト", "XYZ 789 ﾊﾝ"),
}


def near(one: str, other: str) -> bool:
    """Tell whether the second of two texts is found to be a near-duplicate of the first."""
    return list(earlier_near_duplicates([one, other], 0.8))[1] == [0]


@pytest.mark.parametrize(("text", "again", "other"), NEAR_DUPLICATES.values(), ids=NEAR_DUPLICATES)
def test_a_small_change_is_a_near_duplicate_in_every_script_and_another_sentence_is_none(text, again, other):
    assert near(text, again)
    assert not near(text, other)
    assert [pair[:2] for pair in pairs_across([text], [other, again], 0.8)] == [(0, 1)]


@pytest.mark.parametrize("text", ["", "a", "ab", "ก", "是", "🎉", " ", "\0"])
def test_a_text_of_hardly_anything_is_like_itself_only(text):
    assert near(text, text)
    assert not near(text, "something else")
    assert list(pairs_across([text], [text], 0.8)) == [(0, 0, 1.0)]


def test_case_white_space_and_compatibility_forms_do_not_count():
    assert grams("  The\n LIST ") == grams("the list")
    assert grams("ﬁx") == grams("fix")
    assert grams("e\u0301te\u0301 du monde") == grams("été du monde")


def test_a_word_of_a_script_without_spaces_is_seen_by_two_characters():
    assert {gram.strip() for gram in grams("是不是") if len(gram) == 2} >= {"是不", "不是"}


def test_jaccard_is_the_share_of_what_two_sets_have_in_common():
    assert jaccard(frozenset("abc"), frozenset("bcd")) == 0.5
    assert jaccard(frozenset("ab"), frozenset("cd")) == 0
    assert jaccard(frozenset(), frozenset()) == 0


@given(st.floats(0.5, 1))
def test_the_bands_miss_a_pair_at_the_threshold_less_than_once_in_a_million(threshold):
    count = count_bands(threshold)
    rows = 128 // count
    assert (1 - threshold**rows) ** count <= 1e-6


# A few long pieces in every order make texts of every similarity.
PIECES = [
    "sort the list",
    "数字进行排序",
    "reverse it",
    "🎉🎊",
    "without a loop",
    "คำสุดท้าย",
    "x",
    "",
    "ordenar",
]
texts = st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join) | st.text(max_size=12), max_size=14)
thresholds = st.sampled_from([0.5, 0.6, 2 / 3, 0.75, 0.8, 0.9, 1.0])


def compared_by_hand(left: list[str], right: list[str], threshold: float) -> list[tuple[int, int, float]]:
    return [
        (i, j, jaccard(grams(one), grams(other)))
        for i, one in enumerate(left)
        for j, other in enumerate(right)
        if jaccard(grams(one), grams(other)) >= threshold
    ]


@given(left=texts, right=texts, threshold=thresholds)
def test_the_pairs_are_exactly_those_of_comparing_all_with_all(left, right, threshold):
    assert list(pairs_across(left, right, threshold)) == compared_by_hand(left, right, threshold)


@given(texts=texts, threshold=thresholds)
def test_earlier_near_duplicates_are_exactly_those_of_comparing_all_with_all(texts, threshold):
    expected = [[j for _, j, _ in compared_by_hand([text], texts[:i], threshold)] for i, text in enumerate(texts)]
    assert list(earlier_near_duplicates(texts, threshold)) == expected


def test_none_is_missed_among_real_answers_and_slightly_changed_ones(real_interactions):
    chance = random.Random(3)
    count = 150 if SOAK else 60
    lines = real_interactions.read_bytes().splitlines()[:count]
    answers = [json.loads(line)["messages"][-1]["content"] for line in lines]
    changed = []
    for answer in answers:
        words = answer.split()
        for _ in range(max(1, len(words) // 25)):
            words[chance.randrange(len(words))] = "another"
        changed.append(" ".join(words))
    found = list(earlier_near_duplicates([*answers, *changed], 0.8))[len(answers) :]
    expected = list(pairs_across(changed, answers, 0.8))
    assert count / 2 < len(expected) <= count
    for number, other, _ in expected:
        assert other in found[number]
    few = 40 if SOAK else 20
    assert compared_by_hand(changed[:few], answers[:few], 0.8) == [
        pair for pair in expected if pair[0] < few and pair[1] < few
    ]
