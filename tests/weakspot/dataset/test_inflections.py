"""Words are found in their inflections, and other words are none of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.dataset.inflections import inflected


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("error", "errors errored"),
        ("fix", "fixes fixed fixing fixer"),
        ("debug", "debugs debugged debugging debugger debuging"),
        ("design", "designs designed designing designer designers"),
        ("revision", "revisions"),
        ("release", "releases released releasing"),
        ("minify", "minifies minified minifying minifier"),
        ("deploy", "deploys deployed deploying"),
        ("analyze", "analyse analyzes analyses analysed analyzing analysing analyser"),
        ("summarise", "summarize summarized summarising"),
        ("analysis", "analyses"),
        ("crash", "crashes crashed crashing"),
        ("spa", "spas"),
        ("plan", "plans planned planning"),
    ],
)
def test_a_word_is_known_in_its_forms(word, forms):
    assert {word, *forms.split()} <= inflected(word)


@pytest.mark.parametrize(
    ("word", "others"),
    [
        ("fix", "prefix suffix fixture fixs"),
        ("design", "designate designned"),
        ("reason", "reasonable"),
        ("release", "releaseing"),
        ("js", "jss jsed"),
        ("html5", "html5s"),
        ("错误", "错误s"),
    ],
)
def test_other_words_are_none(word, others):
    assert not {*others.split()} & inflected(word)


@given(st.text(max_size=12))
def test_any_word_is_a_form_of_itself(word):
    assert word in inflected(word) or "i" in word or "y" in word
