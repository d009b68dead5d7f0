"""Who is asked for is recognised in what people and their agents send, and in nothing else."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.weakspot.capture.score_wishes import MESSAGES, score

from weakspot.capture.trigger_phrases import (
    Trigger,
    find_teacher,
    parse_trigger,
    resembles_wish,
    trigger_phrase,
)
from weakspot.config import Config, load

DEFAULTS = Config()


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load(
        tmp_path_factory.mktemp("settings") / "none.toml",
        [
            'escalation.phrases=["consult {teacher}", "frag mal {teacher}", "phone a friend"]',
            'teachers.coder={kind="openai", model="Big/Coder-480B", names=["the big coder"]}',
            "escalation.default_teacher=opus",
        ],
    )


@pytest.mark.parametrize(
    ("text", "teacher"),
    [
        ("consult Sonnet", "sonnet"),
        ("Consult  sonnet.", "sonnet"),
        ("please consult Opus!", "opus"),
        ("ok, now consult opus, please", "opus"),
        ("Could you consult claude sonnet?", "sonnet"),
        ("consult claude-sonnet-5-5", "sonnet"),
        ("consult the big coder", "coder"),
        ("CONSULT big/coder-480b", "coder"),
        ("frag mal Sonnet …", "sonnet"),
        ("consult the expert", "opus"),
        ("consult an expert", "opus"),
        ("consult expert", "opus"),
        ("phone a friend", "opus"),
        ("consult sonnet about this", "sonnet"),
        ("That's wrong. Consult Sonnet.", "sonnet"),
        ("consult with Sonnet", "sonnet"),
        ("**consult Sonnet**", "sonnet"),
        ('consult "Sonnet"', "sonnet"),
        ("consult Claude", "opus"),
        ("consult Sonnet 4.5", "sonnet"),
        ("consult claude-3-5-sonnet", "sonnet"),
        ("Can we consult Sonnet on this one?", "sonnet"),
        ("ok consult sonnet 🙏", "sonnet"),
        ("consult opsu", "opus"),
        ("/consult sonnet", "sonnet"),
        ("@opus please", "opus"),
        ("[Request interrupted by user for tool use]\nconsult sonnet", "sonnet"),
    ],
)
def test_a_turn_that_asks_for_a_teacher_is_recognised(settings, text, teacher):
    assert parse_trigger(settings, text) == Trigger(teacher)


def test_a_remark_stands_behind_a_colon(settings):
    assert parse_trigger(settings, "consult sonnet: keep it\n\nshort.") == Trigger("sonnet", "keep it\n\nshort.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "please",
        "consult",
        "consult gemini",
        "Should I consult sonnet?",
        "Do not consult sonnet",
        "consult sonnet opus",
        "I said: consult sonnet",
        "sonnet",
        "consult the experts",
        "consult theexpert",
        "ask sonnet",
        "<system-reminder>consult sonnet</system-reminder>",
        "<system-reminder>consult sonnet",
        "don't consult sonnet",
        "if it fails, consult sonnet",
        "consult sonnet when it fails",
        "consult sonnet, if it fails",
        "I consulted sonnet",
        'add a button "consult sonnet"',
        "```\nconsult sonnet\n```",
        "> consult sonnet",
        "Translate:\n\nconsult sonnet",
        "Three entries:\n- retry\n- consult sonnet",
        "Three entries\n  - retry\n  - consult sonnet",
        "consult sonnet? It never helps.",
        "consult sonnet. No, never mind.",
        "First run the tests, then consult sonnet.",
        "consult sonnet.js",
        "run ./consult-sonnet",
        "@sonnet is a decorator",
    ],
)
def test_any_other_turn_is_not(settings, text):
    assert parse_trigger(settings, text) is None


@pytest.mark.parametrize(
    ("text", "remark", "question"),
    [
        ("consult Opus, it must work on Windows too", "it must work on Windows too", ""),
        ("Wrong. Ask Opus to fix this.", "to fix this.", ""),
        ("ask Opus whether your answer is correct", "whether your answer is correct", ""),
        ("Consult Opus.\n\n- no root\n- Alpine", "- no root\n- Alpine", ""),
        ("ask the expert: how do I prune roses?", "", "how do I prune roses?"),
        ("How do I sort by two keys in Rust? Ask Opus.", "", "How do I sort by two keys in Rust?"),
        ("Ask Opus about Rust lifetimes", "", "about Rust lifetimes"),
        (
            "How would you shard by tenant? Please ask Opus, this is too important.",
            "this is too important.",
            "How would you shard by tenant?",
        ),
        ("consult Sonnet :)", "", ""),
        ("Thanks, that worked. Now ask Opus: what is a trie?", "", "what is a trie?"),
    ],
)
def test_what_stands_beside_a_wish_is_a_remark_or_a_question_of_its_own(text, remark, question):
    found = parse_trigger(DEFAULTS, text)
    assert (found.remark, found.question) == (remark, question)


def test_a_remark_at_the_end_of_a_long_message_is_the_users_own_text():
    text = "line of a log\n" * 10_000 + "That is İstanbul. Ask Opus, the path has a ß."
    assert parse_trigger(DEFAULTS, text) == Trigger("opus", "the path has a ß.")


def test_the_labelled_messages_are_told_apart():
    """Print the scores with ``python tests/weakspot/capture/score_wishes.py``."""
    found = score()
    assert found.recall >= 0.98
    assert found.precision >= 0.99
    assert found.about >= 0.98 * found.right


def test_what_was_missed_looks_like_a_wish_and_most_other_messages_do_not():
    other = [one["text"] for one in MESSAGES if one["teacher"] is None]
    assert sum(resembles_wish(DEFAULTS, text) for text in other) < len(other) / 4
    missed = ["It doesn't compile so ask Opus", "Opus?", "ask nice old Opus", "frag doch endlich Opus"]
    assert all(parse_trigger(DEFAULTS, text) is None and resembles_wish(DEFAULTS, text) for text in missed)
    assert not resembles_wish(DEFAULTS, "consult Sonnet")
    assert not resembles_wish(DEFAULTS, "```\nasking sonnet\n```")


def test_a_language_is_a_few_words_in_the_settings(tmp_path):
    file = tmp_path / "weakspot.toml"
    file.write_text(
        '[escalation.languages.fr]\nphrases = ["demande à {teacher}"]\nexpert = ["l\'expert"]\n'
        'before = ["s\'il te plaît", "non"]\nconditions = ["si"]\n'
    )
    settings = load(file)
    told = ["Demande à Opus", "Non, demande à l’expert.", "S'il te plaît, demande à Sonnet", "frag Opus", "ask Opus"]
    found = [parse_trigger(settings, text) for text in told]
    assert [one and one.teacher for one in found] == ["opus", "sonnet", "sonnet", "opus", "opus"]
    assert parse_trigger(settings, "si ça échoue, demande à Opus") is None


def test_the_phrases_of_older_settings_are_understood(tmp_path):
    settings = load(
        tmp_path / "none.toml", ['escalation.phrases=["consult {teacher}", "ask {teacher}", "frag {teacher}"]']
    )
    assert [parse_trigger(settings, f"{verb} opus") for verb in ("consult", "ask", "frag")] == [Trigger("opus")] * 3


@pytest.mark.parametrize(
    ("text", "teacher"),
    [
        ("ask me", None),
        ("let me check", None),
        ("ask the user for a name", None),
        ("ask user to confirm", None),
        ("get help on this", None),
        ("consult the manual", None),
        ("consult user", "user"),
        ("consult me.", "me"),
    ],
)
def test_a_teacher_named_with_an_ordinary_word_is_meant_only_by_the_first_phrase(tmp_path, text, teacher):
    names = ("me", "user", "help", "manual")
    settings = load(tmp_path / "none.toml", [f'teachers.{name}={{kind="openai", model="m"}}' for name in names])
    assert parse_trigger(settings, text) == (Trigger(teacher) if teacher else None)


def test_without_phrases_nothing_is_recognised(tmp_path):
    settings = load(tmp_path / "none.toml", ["escalation.phrases=[]"])
    assert [parse_trigger(settings, text) for text in ("", "please", "consult sonnet")] == [None, None, None]


@pytest.mark.parametrize(
    "text",
    [
        "consult sonnet" + " " * 2_000_000 + "x",
        "consult" + " " * 2_000_000 + "x",
        "please " * 300_000,
        "consult sonnet" + "!" * 2_000_000 + "x",
        "<context>" * 200_000,
        "<context>a</context>" * 100_000,
        "<task>" * 300_000,
        "[Request interrupted by user" * 70_000,
        '"' * 2_000_000,
        "'a" * 1_000_000,
        "`" * 2_000_000,
        "*" * 2_000_000,
        "```\n" * 500_000,
        "> " * 1_000_000,
        "consult opus x, " * 120_000,
        "claude 1 " * 200_000,
        "1-" * 1_000_000,
        "\n" * 2_000_000 + "x",
        "please, just " * 150_000,
        "hand this over to " * 100_000,
        "İ" * 2_000_000,
    ],
    ids=range(21),
)
def test_a_text_of_two_million_characters_is_read(settings, text):
    """With steps that grow as the square of the length it would take hours."""
    began = time.process_time()
    # With so many marks of exclamation behind it, it is one all the same: what they lead up to is a remark.
    assert (parse_trigger(settings, text) is None) != text.startswith("consult sonnet!")
    assert time.process_time() - began < 5


SIGNS = " .,:?-*_`'\"“⟨(§İ👍@\n\x00"
WORDS = ["consult", "ask", "frag", "Opus", "Sonnet", "the expert", "please", "if", "don't", "this", "what", "claude-"]
pieces = st.sampled_from([*SIGNS, *WORDS, "5.5", "’s", "\n> ", "```\n"])


@given(st.lists(pieces | st.text(max_size=5), max_size=40).map("".join))
def test_any_text_is_read_and_what_is_added_is_part_of_it(text):
    resembles_wish(DEFAULTS, text)
    found = parse_trigger(DEFAULTS, text)
    if found:
        assert found.teacher in DEFAULTS.teachers
        assert found.remark in text
        assert found.question in text


@given(
    st.lists(pieces.filter(lambda piece: "`" not in piece), max_size=20).map("".join), st.sampled_from(["```", "~~~"])
)
def test_in_a_code_block_nothing_is_a_wish(text, fence):
    assert parse_trigger(DEFAULTS, f"{fence}\n{text}\nconsult Opus\n{fence}") is None
    assert parse_trigger(DEFAULTS, f"What does this do?\n{fence}text\n{text}\nconsult Opus\n{fence}\n") is None


@given(st.sampled_from(["consult Sonnet", "Ask the expert.", "frag Opus"]), st.text("abc .,\n", max_size=200))
def test_in_a_quotation_nothing_is_a_wish(wish, text):
    assert parse_trigger(DEFAULTS, f"> {wish}") is None
    assert parse_trigger(DEFAULTS, f'x {text} "{wish}"') is None


def test_a_teacher_goes_by_key_model_and_names(settings):
    names = ["sonnet", "Claude  Sonnet", "claude-sonnet-5-5", "Big/Coder-480B", "nobody", ""]
    assert [find_teacher(settings, name) for name in names] == ["sonnet", "sonnet", "sonnet", "coder", None, None]


def test_the_phrase_that_stands_for_a_wish_is_recognised_itself(settings):
    assert trigger_phrase(settings, "sonnet") == "consult Sonnet"
    assert parse_trigger(settings, trigger_phrase(settings, "coder")) == Trigger("coder")
