"""The grammar of wishes is made of the words of the settings."""

import pytest

from weakspot.capture.speech import parse_speech
from weakspot.capture.wish_grammar import wish_grammar
from weakspot.config import Config, load

GRAMMAR = wish_grammar(Config())


def wished(text: str, grammar=GRAMMAR) -> tuple[str, str] | None:
    """The teacher, and what is left behind the wish."""
    line = parse_speech(text, grammar.names).line
    wish = grammar.parse_wish(line, 0)
    return wish and (wish.teacher, line[wish.end :])


@pytest.mark.parametrize(
    ("text", "teacher", "rest"),
    [
        ("ask opus", "opus", ""),
        ("ok, could you please just ask the new Opus 5.5 about this one, thanks", "opus", ""),
        ("hand this over to opus", "opus", ""),
        ("get a second opinion from the expert", "sonnet", ""),
        ("I'd like Opus's opinion on that", "opus", ""),
        ("let Sonnet have a look at it: now", "sonnet", ": now "),
        ("ask opus to fix it", "opus", "to fix it "),
        ("bitte frag doch mal den Experten", "sonnet", ""),
        ("bitte Opus um Rat", "opus", ""),
        ("kannst du Opus fragen", "opus", ""),
        ("@opus, what is it", "opus", ", what is it "),
        ("hey @opus take a look", "opus", ""),
    ],
)
def test_a_phrase_is_found_with_what_people_add(text, teacher, rest):
    assert wished(text) == (teacher, rest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ask",
        "opus",
        "ask the opus",
        "ask opus codecs",
        "ask an expert in SQL",
        "not ask opus",
        "use opus",
        "@opus is",
    ],
)
def test_other_words_are_no_phrase(text):
    assert wished(text) is None


def test_every_default_phrase_is_found(tmp_path):
    for language in Config().escalation.languages.values():
        for phrase in language.phrases:
            text = " ".join(word.split("/")[0] for word in phrase.split())
            text = text.replace("{this}", language.this[0]).replace("{teacher}", "Opus")
            assert wished(text) == ("opus", ""), phrase


def test_two_teachers_of_a_family_are_told_by_their_versions_and_else_the_first_is_meant(tmp_path):
    settings = load(
        tmp_path / "none.toml",
        [
            'teachers.small={kind="openai", model="big-model-1"}',
            'teachers.large={kind="openai", model="big-model-2"}',
        ],
    )
    grammar = wish_grammar(settings)
    found = [wished(f"ask {name}", grammar) for name in ("big-model-1", "big-model-2", "big model", "big-model-9")]
    assert found == [("small", ""), ("large", ""), ("small", ""), ("small", "")]


def test_claude_is_the_default_teacher_only_if_it_is_anthropics(tmp_path):
    other = load(
        tmp_path / "none.toml", ['teachers.coder={kind="openai", model="m"}', "escalation.default_teacher=coder"]
    )
    assert (wished("ask claude"), wished("ask claude", wish_grammar(other))) == (("sonnet", ""), None)
    assert wished("ask the expert", wish_grammar(other)) == ("coder", "")
