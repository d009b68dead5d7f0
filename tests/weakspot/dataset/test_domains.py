"""Trigger words are found as whole words and phrases, and the domain with the most of them wins."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.weakspot.dataset.score_domains import share_right

from weakspot.config import Config
from weakspot.dataset.domains import Detection, detect
from weakspot.settings import Domain

DOMAINS = Config().domains
# The words of the first version, each of which decides by itself.
SIMPLE = {
    name: Domain(triggers=triggers)
    for name, triggers in {
        "zddc-naming": ["zddc", "trackingnumber", "revision", "status code"],
        "html-architecture": ["html", "spa", "single-file", "es module", "vanilla js"],
        "build-system": ["build.sh", "dist/", "template.html"],
        "coding-debugging": ["debug", "error", "fix", "console"],
        "reasoning-architecture": ["reason", "analyze", "architecture", "design"],
    }.items()
}


def found(query: str, *answers: str, domains=SIMPLE, query_weight: int = 3) -> Detection:
    return detect(query, answers, domains, default="general-coding", query_weight=query_weight)


def spam(*triggers: str, **others: list[str]) -> dict[str, Domain]:
    return {"spam": Domain.model_validate({"triggers": list(triggers), **others})}


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
    assert found(query, domains=DOMAINS).domain == domain


@pytest.mark.parametrize(
    "query",
    [
        "prefix and suffix",
        "a space between",
        "a spa_x",
        "building a system",
        "rebuild.shed",
        "the distance",
        "districts",
        "reasonable",
        "statuscode",
        "vanilla json",
        "my_console",
        "xhtml",
        "fixture",
        "StringBuilder",
        "",
    ],
)
def test_a_part_of_a_word_is_no_trigger(query):
    assert found(query) == Detection("general-coding", {})


@pytest.mark.parametrize(
    ("query", "domain"),
    [
        ("my errors", "coding-debugging"),
        ("debugging it", "coding-debugging"),
        ("I debugged it", "coding-debugging"),
        ("fixes, fixed", "coding-debugging"),
        ("revisions", "zddc-naming"),
        ("status codes", "zddc-naming"),
        ("analysing it", "reasoning-architecture"),
        ("well designed", "reasoning-architecture"),
        ("two SPAs", "html-architecture"),
        ("ES modules", "html-architecture"),
        ("a single file", "html-architecture"),
    ],
)
def test_a_trigger_counts_in_its_inflections(query, domain):
    assert found(query).domain == domain


@pytest.mark.parametrize("name", DOMAINS)
def test_in_each_default_exception_no_word_of_its_domain_counts(name):
    for exception in (one for one in DOMAINS[name].except_ if not one.startswith("re:")):
        told = found(f"a {exception} b", domains={name: DOMAINS[name]})
        assert told.domain == "general-coding", (exception, told.hits)


@pytest.mark.parametrize("name", DOMAINS)
def test_each_default_exception_is_needed(name):
    """Without it one of the words in it would count."""
    known = {name: Domain(triggers=[*DOMAINS[name].triggers, *DOMAINS[name].hints])}
    idle = [one for one in DOMAINS[name].except_ if not found(one.removeprefix("re:"), domains=known).hits]
    assert idle == []


@pytest.mark.parametrize(
    "query",
    [
        "For some reason my cat only drinks from the tap",
        "What does a margin of error of 3 % mean?",
        "PlayStation console or Xbox?",
        "a spa near Munich",
        "fix me a drink",
        "how do I fix my bike's flat tyre",
        "who designed the Eiffel tower",
    ],
)
def test_everyday_subjects_are_of_the_default_domain(query):
    assert found(query, domains=DOMAINS).domain == "general-coding"


def test_an_exception_may_be_a_regular_expression():
    assert found("What does status code 404 mean?", domains=DOMAINS).domain != "zddc-naming"
    assert found("What does status code IFR mean?", domains=DOMAINS).domain == "zddc-naming"


def test_an_exception_is_for_the_words_in_it():
    domains = spam("error", **{"except": ["margin of error"]})
    assert found("The margin of error", domains=domains).domain == "general-coding"
    assert found("An error in the margin of errors", domains=domains).domain == "spam"
    assert found("a margin of my error", domains=domains).domain == "spam"


def test_a_hint_counts_only_beside_another_or_a_trigger():
    domains = spam("ham", hints=["egg", "beans"])
    assert found("eggs", domains=domains) == Detection("general-coding", {})
    assert found("eggs and beans", domains=domains).hits == {"spam": {"query": ["egg", "beans"], "answers": []}}
    assert found("ham and eggs", domains=domains).hits == {"spam": {"query": ["ham", "egg"], "answers": []}}
    assert found("", "eggs and beans", domains=domains).domain == "general-coding"
    assert found("long " * 100 + "eggs and beans", domains=domains).domain == "general-coding"


def test_a_longer_trigger_counts_more_and_covers_the_words_in_it():
    domains = {"one": Domain(triggers=["spam"]), "two": Domain(triggers=["spam and eggs", "eggs"])}
    assert found("spam and eggs", domains=domains).hits == {"two": {"query": ["spam and eggs"], "answers": []}}
    assert found("spam, spam and eggs", domains=domains).hits.keys() == {"one", "two"}


def test_a_star_is_the_beginning_of_a_word():
    assert found("a TypeError", domains=spam("*error")).domain == "spam"
    assert found("two typeErrors", domains=spam("*error")).domain == "spam"
    assert found("an error in terrorism", domains=spam("*error")).domain == "general-coding"


def test_a_trigger_may_be_a_regular_expression():
    number = r"re:\b\d{6}-[a-z]{2}-\d{4}\b"
    assert found("What is 123456-EL-2623?", domains=spam(number)).hits["spam"]["query"] == [number]
    assert found("What is 1234567-EL-2623?", domains=spam(number)).domain == "general-coding"


def test_most_labelled_questions_are_given_their_domain():
    """Print the errors with ``python tests/weakspot/dataset/score_domains.py --errors``."""
    assert share_right() >= 0.92


def test_of_a_long_text_the_start_and_the_end_are_looked_at():
    for text in ("fix" + " x" * 500_000, "x " * 500_000 + "fix"):
        assert found(text).domain == "coding-debugging"
    assert found("x " * 5000 + "fix" + " x" * 5000).domain == "general-coding"


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
    assert found(query, domains=dict(reversed(SIMPLE.items()))).domain == "reasoning-architecture"


def test_every_domain_with_a_hit_is_shown():
    assert list(found("html revision").hits) == ["zddc-naming", "html-architecture"]


@pytest.mark.parametrize("trigger", [" fix", "fix ", " fix "])
def test_blanks_around_a_trigger_do_not_make_it_a_part_of_words(trigger):
    domains = spam(trigger)
    assert found("prefix fixture", domains=domains).domain == "general-coding"
    assert found("fix", domains=domains).domain == "spam"


@pytest.mark.parametrize("trigger", ["c++", "a.b", "(x)", "[", "\\d", "a|b", "$"])
def test_a_trigger_is_text_and_not_a_pattern(trigger):
    assert found(f"use {trigger} here", domains=spam(trigger)).domain == "spam"
    assert found("use a-b 7 here", domains=spam(trigger)).domain == "general-coding"


def test_triggers_may_be_of_any_script():
    assert found("这个 错误 是什么", domains=spam("错误")).domain == "spam"
    assert found("ΛΆΘΟΣ", domains=spam("λάθος")).domain == "spam"


words = st.sampled_from([phrase for domain in SIMPLE.values() for phrase in domain.triggers] + ["prefix", "and"])
texts = st.lists(words | st.text(string.ascii_letters + " .,/", max_size=6), max_size=8).map(" ".join)


@given(query=texts, answer=texts)
def test_letter_case_does_not_matter(query, answer):
    assert found(query, answer) == found(query.upper(), answer.upper()) == found(query.swapcase(), answer)


@given(query=st.text(), answer=st.text())
def test_any_text_gives_a_domain_that_was_hit_or_else_the_default(query, answer):
    for domains in (SIMPLE, DOMAINS):
        detection = found(query, answer, domains=domains)
        assert detection.domain in (detection.hits or {"general-coding"})
