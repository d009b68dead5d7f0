"""Trigger words are found as whole words and phrases, and the domain with the most of them wins."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.config import Config
from weakspot.dataset.domains import Detection, detect

TRIGGERS = Config().triggers


def found(query: str, *answers: str, triggers=TRIGGERS, query_weight: int = 3) -> Detection:
    return detect(query, answers, triggers, default="general-coding", query_weight=query_weight)


@pytest.mark.parametrize(
    ("query", "domain"),
    [
        ("What does ZDDC mean?", "zddc-naming"),
        ("Which status code comes next?", "zddc-naming"),
        ("Parse this trackingNumber", "zddc-naming"),
        ("Is this a single-file page?", "html-architecture"),
        ("an ES module, please", "html-architecture"),
        ("What goes into build.sh?", "build-system"),
        ("Where is dist/app.js?", "build-system"),
        ("./dist/ is empty", "build-system"),
        ("Why this error?", "coding-debugging"),
        ("'fix' it", "coding-debugging"),
        ("(console)", "coding-debugging"),
        ("Analyze: is it good design?", "reasoning-architecture"),
        ("How do I sort a list?", "general-coding"),
    ],
)
def test_a_trigger_tells_the_domain(query, domain):
    assert found(query).domain == domain


@pytest.mark.parametrize(
    "query",
    [
        "prefix and suffix",
        "fixed",
        "a space between",
        "a spa_x",
        "building a system",
        "rebuild.shed",
        "the distance",
        "districts",
        "errors",
        "designer",
        "reasonable",
        "statuscode",
        "status codes",
        "vanilla json",
        "my_console",
        "xhtml",
        "",
    ],
)
def test_a_part_of_a_word_is_no_trigger(query):
    assert found(query) == Detection("general-coding", {})


@pytest.mark.parametrize("gap", [" ", "\n", "\r\n", "\t", "   ", " \n  ", "\u00a0"])
def test_a_phrase_is_found_across_any_white_space(gap):
    assert found(f"the status{gap}code").hits == {"zddc-naming": {"query": ["status code"], "answers": []}}


def test_one_trigger_in_the_query_outweighs_two_in_the_answers():
    detection = found("Where is dist/?", "Look at the console for an error.")
    assert detection.domain == "build-system"
    assert detection.hits["coding-debugging"] == {"query": [], "answers": ["error", "console"]}


def test_enough_triggers_in_the_answers_outweigh_one_in_the_query():
    answer = "debug the error, fix it, console"
    assert found("Where is dist/?", answer).domain == "coding-debugging"
    assert found("Where is dist/?", answer, query_weight=5).domain == "build-system"


def test_distinct_triggers_count_and_not_how_often_one_is_there():
    assert found("fix fix fix fix or dist/ with build.sh").domain == "build-system"


def test_a_trigger_in_query_and_answers_counts_once_as_in_the_query():
    assert found("fix", "fix", "fix").hits == {"coding-debugging": {"query": ["fix"], "answers": []}}


def test_of_equals_the_one_that_stands_first_in_the_table_wins():
    query = "fix the design"
    assert found(query).domain == "coding-debugging"
    assert found(query, triggers=dict(reversed(TRIGGERS.items()))).domain == "reasoning-architecture"


def test_every_domain_with_a_hit_is_shown():
    assert list(found("html revision").hits) == ["zddc-naming", "html-architecture"]


@pytest.mark.parametrize("trigger", [" fix", "fix ", " fix "])
def test_blanks_around_a_trigger_do_not_make_it_a_part_of_words(trigger):
    triggers = {"spam": [trigger]}
    assert found("prefix fixed", triggers=triggers).domain == "general-coding"
    assert found("fix", triggers=triggers).domain == "spam"


@pytest.mark.parametrize("trigger", ["c++", "a.b", "(x)", "[", "\\d", "a|b", "$"])
def test_a_trigger_is_text_and_not_a_pattern(trigger):
    assert found(f"use {trigger} here", triggers={"spam": [trigger]}).domain == "spam"
    assert found("use a-b 7 here", triggers={"spam": [trigger]}).domain == "general-coding"


def test_triggers_may_be_of_any_script():
    assert found("这个 错误 是什么", triggers={"spam": ["错误"]}).domain == "spam"
    assert found("ΛΆΘΟΣ", triggers={"spam": ["λάθος"]}).domain == "spam"


words = st.sampled_from([phrase for phrases in TRIGGERS.values() for phrase in phrases] + ["prefix", "and"])
texts = st.lists(words | st.text(string.ascii_letters + " .,/", max_size=6), max_size=8).map(" ".join)


@given(query=texts, answer=texts)
def test_letter_case_does_not_matter(query, answer):
    assert found(query, answer) == found(query.upper(), answer.upper()) == found(query.swapcase(), answer)


@given(query=st.text(), answer=st.text())
def test_any_text_gives_a_domain_that_was_hit_or_else_the_default(query, answer):
    detection = found(query, answer)
    assert detection.domain in (detection.hits or {"general-coding"})
