"""Who is asked for is recognised in what people and their agents send, and in nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.capture.trigger_phrases import Trigger, find_teacher, parse_trigger, trigger_phrase, user_text
from weakspot.config import load


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
        ("<user_query>\nconsult sonnet\n</user_query>", "sonnet"),
        ("<task>consult sonnet</task>\n<environment_details>\n# Time\n</environment_details>", "sonnet"),
        ("<system-reminder>consult opus</system-reminder>consult sonnet", "sonnet"),
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
        "consult sonnet about this",
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
    ],
)
def test_any_other_turn_is_not(settings, text):
    assert parse_trigger(settings, text) is None


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
    ],
    ids=range(8),
)
def test_a_text_of_two_million_characters_is_read(settings, text):
    """With steps that grow as the square of the length it would take hours."""
    assert parse_trigger(settings, text) is None


@given(st.text(st.sampled_from("<>/ axt[]"), max_size=40))
def test_what_was_said_is_part_of_what_was_sent(text):
    rest = iter(text)
    assert all(character in rest for character in user_text(text))


def test_surroundings_of_any_length_are_taken_off(settings):
    reminder = f"<system-reminder>{'long ' * 100_000}</system-reminder>"
    assert parse_trigger(settings, f"{reminder}\nconsult sonnet\n{reminder}") == Trigger("sonnet")


def test_a_teacher_goes_by_key_model_and_names(settings):
    names = ["sonnet", "Claude  Sonnet", "claude-sonnet-5-5", "Big/Coder-480B", "nobody", ""]
    assert [find_teacher(settings, name) for name in names] == ["sonnet", "sonnet", "sonnet", "coder", None, None]


def test_the_phrase_that_stands_for_a_wish_is_recognised_itself(settings):
    assert trigger_phrase(settings, "sonnet") == "consult Sonnet"
    assert parse_trigger(settings, trigger_phrase(settings, "coder")) == Trigger("coder")
