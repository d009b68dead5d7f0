"""What a user says is told from code and quotations, and names of teachers are found in any spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.capture.speech import family, misspellings, names_scanner, parse_speech, without_quotes

NAMES = names_scanner({"opus": "opus", "claude opus": "opus", "expert": ""}, {"cosult": "consult", "opsu": "⟨opus⟩"})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Ask Opus.", "ask ⟨opus⟩ . "),
        ("ask claude-opus-5-5", "ask ⟨opus⟩ # "),
        ("ask Claude 3.5 Opus!", "ask ⟨opus⟩ # ! "),
        ("Opus’s and opus' view", "⟨opus⟩ 's and ⟨opus⟩ 's view "),
        ("the expert, an Expert", "the ⟨⟩ , an ⟨⟩ "),
        ("cosult opsu 👍", "consult ⟨opus⟩ "),
        (
            "opus.js libopus opus-tools opus/ @opus ./opus opus()",
            "opus.js libopus opus-tools opus/ @ ⟨opus⟩ . / opus opus() ",
        ),
        ("experts", "experts "),
        ("say `opus` or `ask opus`", "say ⟨opus⟩ or § "),
        ('say “ask opus” and "this"', "say § and § "),
        ("don't say 'ask opus' ‘x’", "don't say § § "),
        ("**ask** __Opus__ _now_", "ask ⟨opus⟩ now "),
        ("a\n\n> ask\n\n    code\nb", "a ¶ § ¶ § ¶ b "),
        ("a\n```sh\nask opus\n```\nb", "a ¶ § ¶ b "),
        ("a\n```\nask opus", "a ¶ § "),
        ("x:\n- ask\n2. ask", "x : ¶ • ask ¶ • ask "),
        ("- ask opus", "ask ⟨opus⟩ "),
        ("/ask opus", "ask ⟨opus⟩ "),
        ("⟨a⟩ # • ¶ §", "· a · · · · · "),
        ("", ""),
    ],
)
def test_a_message_is_a_line_of_tokens(text, line):
    assert parse_speech(text, NAMES).line == line


@given(st.text(st.sampled_from("ask Opus.,\n>`\"'*_-@’İ👍⟨\x00"), max_size=80))
def test_every_token_has_its_place_in_the_text(text):
    speech = parse_speech(text, NAMES)
    assert speech.line.count(" ") == len(speech.starts) - 1
    assert list(speech.starts) == sorted(speech.starts)
    places = [place + 1 for place, sign in enumerate(speech.line) if sign == " "]
    assert all(speech.until(place) + speech.since(place) == speech.text for place in places)


def test_of_a_long_message_the_start_and_the_end_are_looked_at():
    speech = parse_speech("start " + "x " * 5000 + "end", NAMES)
    assert speech.line.startswith("start x ")
    assert speech.line.endswith("x end ")
    assert speech.line.count(" ") < 2100
    assert speech.since(speech.line.index("end")) == "end"


def test_a_code_block_that_begins_in_the_middle_goes_on_in_the_end():
    text = "start\n" + "x\n" * 3000 + "```\n" + "ask opus\n" * 1000
    assert "opus" not in parse_speech(text, NAMES).line
    assert parse_speech(text + "```\nask opus", NAMES).line.endswith("§ ¶ ask ⟨opus⟩ ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (' "ask opus" ', "ask opus"),
        ("“ask opus”", "ask opus"),
        ("`ask opus`", "ask opus"),
        ('ask "opus"', 'ask "opus"'),
        ('"ask opus" or "ask me"', '"ask opus" or "ask me"'),
        ("'don't'", "don't"),
        ("```\nask opus\n```", "```\nask opus\n```"),
        ("", ""),
        ('"', ""),
    ],
)
def test_quotes_around_a_whole_text_are_taken_off(text, said):
    assert without_quotes(text) == said


def test_the_family_of_a_name_has_no_version():
    names = ["claude-opus-5-5", "Claude  3.5 Opus", "opus", "Big/Coder-480B", "gpt-5", "5"]
    assert [family(name) for name in names] == ["claude opus", "claude opus", "opus", "big/coder 480b", "gpt", ""]


def test_slips_of_the_fingers_are_near_the_word():
    assert {"aks", "sak", "aask", "askk"} <= {*misspellings("ask")}
    assert {"cosult", "consutl", "connsult"} <= {*misspellings("consult")}
    # A letter that is another, or missing in a short word, is often another word: export, ops.
    assert not {"export", "xpert"} & {*misspellings("expert")}
    assert "ops" not in {*misspellings("opus")}
