"""What programs put around a user's words is taken off, and nothing that the user wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.capture.frames import read_frames, unframe, user_text

FRAMES = read_frames()


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame["client"])
def test_each_frame_is_what_its_example_shows(frame):
    assert user_text(frame["example"]) == frame["said"]
    assert unframe(frame["example"]).is_tool_result == (frame.get("holds") == "result")
    assert unframe(frame["example"]).is_client_request == (frame.get("holds") == "request")


def test_every_entry_says_who_writes_it_and_is_understood():
    known = {"client", "tags", "holds", "begins", "contains", "between", "after", "before", "example", "said"}
    for frame in FRAMES:
        assert frame.keys() <= known
        assert {"client", "example", "said"} <= frame.keys()
        assert ("tags" in frame) != bool({"begins", "between", "after", "before"} & frame.keys())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<user_query>\nconsult sonnet\n</user_query>", "consult sonnet"),
        ("<system-reminder>consult opus</system-reminder>consult sonnet", "consult sonnet"),
        ("[Request interrupted by user]", ""),
        ("<user_query>[Request interrupted by user]\nconsult sonnet</user_query>", "consult sonnet"),
        ("<task>a</task>\n<environment_details>\n</environment_details>\n<system-reminder>b</system-reminder>", "a"),
        ("<task><user_message>a</user_message></task>", "a"),
        ('"What is it?"', "What is it?"),
        ("<system-reminder>[a] Result:</system-reminder>[read_file for 'a'] Result:\nx", ""),
        (
            "[ask_followup_question for 'Which?'] Result:\n<answer>\nconsult Sonnet\n</answer>\n"
            "<environment_details>\n# Time\n</environment_details>",
            "consult Sonnet",
        ),
    ],
)
def test_frames_within_frames(text, said):
    assert user_text(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "What does <task> mean in this XML?",
        "Is <answer>consult Sonnet</answer> right?",
        "Why does `<context>` need a provider in React?",
        'Say "yes" or "no"',
        "```\nconsult sonnet\n```",
        "Write a summary of this file",
        "I updated the files. Why does it still fail?",
        "<system-reminder>not closed",
        "# Rules\nWhat are they?",
        "[1, 2] Result: why is it a list?",
    ],
)
def test_what_a_user_writes_stays(text):
    assert user_text(text) == text


@given(st.text(st.sampled_from("<>/ axt[]"), max_size=40))
def test_what_was_said_is_part_of_what_was_sent(text):
    rest = iter(text)
    assert all(character in rest for character in user_text(text))


@pytest.mark.parametrize(
    "text",
    [
        *("<context>" * 200_000, "<context>a</context>" * 100_000, "<task>" * 300_000),
        *("<task>" * 50_000 + "</task>" * 50_000, "<user_query>" * 100_000, "</userRequest>" * 100_000),
        *("[Request interrupted by user" * 70_000, "\n\n# " * 300_000, "[a for '" * 100_000, "\n" * 1_000_000 + "b"),
        *("### Task:\n" + "</context>" * 100_000, "Called the Read tool " * 50_000, "\n[ATTACHED_FILES]\n" * 50_000),
        *("<system-reminder>\n" * 50_000 + "</system-reminder>" * 50_000, "<" * 1_000_000, "Tool output for " * 60_000),
    ],
    ids=range(16),
)
def test_a_text_of_a_million_characters_is_read(text):
    """With steps that grow as the square of the length it would take hours."""
    user_text(text)


def test_surroundings_of_any_length_are_taken_off():
    reminder = f"<system-reminder>{'long ' * 100_000}</system-reminder>"
    assert user_text(f"{reminder}\nconsult sonnet\n{reminder}") == "consult sonnet"
