"""A consultation is a trigger phrase behind an attempt, or a question that a teacher's model answered as well."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weakspot.config import Config
from weakspot.importers.conversation_tree import Conversation, Turn
from weakspot.importers.extraction import consultations
from weakspot.importers.messages import LoggedCall, answer, messages_of, result, text_message
from weakspot.records import Interaction
from weakspot.records.parsing import RecordError, parse_interaction_object

QWEN, OPUS, SONNET = "qwen2.5-coder:7b", "anthropic/claude-opus-5-5", "claude-sonnet-5-5"
WHY = "Why does the build fail?"


def user(identity: str, text: str, parent: str | None = None) -> Turn:
    return Turn(identity, parent, (text_message("user", text),))


def model(identity: str, parent: str, text: str, name: str | None = QWEN, **more) -> Turn:
    return Turn(identity, parent, answer(text), name, **more)


def found(config: Config, *turns: Turn, **more) -> list[Interaction | RecordError]:
    return list(consultations(config, Conversation("session", 1, list(turns), **more), "import:test"))


def texts(one: Interaction) -> list[tuple[str, str | None]]:
    return [(message.role, message.content) for message in one.messages]


ASKED = (user("q", WHY), model("a", "q", "No idea."), user("e", "Consult Opus!", "a"))
CONSULTED = (*ASKED, model("x", "e", "A comma is missing.", OPUS))


def test_what_follows_a_trigger_phrase_is_the_experts(config):
    (one,) = found(config, *CONSULTED)
    assert texts(one) == [
        ("user", WHY),
        ("assistant", "No idea."),
        ("user", "Consult Opus!"),
        ("assistant", "A comma is missing."),
    ]
    assert one.metadata.consultation.teacher == "opus"


def test_what_went_before_the_question_is_the_context(config):
    before = (
        Turn("s", None, (text_message("system", "Be brief."),)),
        user("h", "Hello.", "s"),
        model("hi", "h", "Hi."),
    )
    first = Turn("q", "hi", ASKED[0].messages)
    (one,) = found(config, *before, first, *CONSULTED[1:])
    assert [role for role, _ in texts(one)][:3] == ["system", "user", "assistant"]
    assert one.query.content == WHY


def test_a_record_tells_where_it_is_from_and_what_it_cost(config):
    end = datetime(2025, 10, 31, 14, 30, tzinfo=UTC)
    expert = model("x", "e", "A comma.", OPUS, moment=end, input_tokens=1000, output_tokens=500, stop="stop")
    (one,) = found(config, *ASKED, expert, tools=[{"type": "function"}])
    metadata = one.metadata.model_dump(exclude_unset=True)
    identity = metadata.pop("interaction_id")
    assert identity.startswith("imp_")
    assert len(identity) == 28
    assert metadata == {
        "timestamp": "2025-10-31T14:30:00.000Z",
        "source": "import:test",
        "conversation_id": "session",
        "attempt": "sent",
        "local_model": QWEN,
        "tools": [{"type": "function"}],
        "consultation": {
            "teacher": "opus",
            "model": OPUS,
            "policy": "ask",
            "terms": config.teachers["opus"].terms,
            "input_tokens": 1000,
            "output_tokens": 500,
            "cost_usd": (1000 * 4 + 500 * 20) / 1e6,
            "stop_reason": "stop",
        },
    }


def test_the_id_is_that_of_question_and_answer_whatever_else_is_said(config):
    (one,) = found(config, *CONSULTED)
    (same,) = found(config, *CONSULTED, user("q2", "Thanks.", "x"), model("b", "q2", "Gladly."))
    (other,) = found(config, *ASKED, model("y", "e", "A comma is missing.", OPUS))
    assert one.id == same.id != other.id


def test_a_model_that_is_logged_under_the_local_ones_name_is_the_teachers(config):
    (one,) = found(config, *ASKED, model("x", "e", "A comma.", QWEN))
    assert (one.metadata.consultation.teacher, one.metadata.consultation.model) == ("opus", "claude-opus-5-5")


def test_who_really_answered_is_the_teacher(config):
    (one,) = found(config, *ASKED, model("x", "e", "A comma.", SONNET))
    assert (one.metadata.consultation.teacher, one.metadata.consultation.model) == ("sonnet", SONNET)


def test_of_several_answers_the_last_of_a_teacher_counts(config):
    answers = [model(name, "e", name, who) for name, who in (("x", OPUS), ("y", OPUS), ("z", QWEN))]
    (one,) = found(config, *ASKED, *answers)
    assert one.expert.content == "y"


def test_a_second_opinion_is_on_the_question_and_not_on_the_first(config):
    first, second = found(config, *CONSULTED, user("f", "ask sonnet", "x"), model("y", "f", "A brace.", SONNET))
    assert first.expert.content == "A comma is missing."
    assert texts(second) == [
        ("user", WHY),
        ("assistant", "No idea."),
        ("user", "ask sonnet"),
        ("assistant", "A brace."),
    ]


def test_a_phrase_that_nobody_answered_is_counted(config):
    (one,) = found(config, *ASKED)
    assert isinstance(one, RecordError)
    assert (one.reason, one.detail) == ("empty-expert", "nobody answered")


@pytest.mark.parametrize(
    "turns",
    [
        (user("e", "consult opus"), model("x", "e", "About what?", OPUS)),
        (user("q", WHY), user("e", "consult opus", "q"), model("x", "e", "A comma.", OPUS)),
        (user("q", WHY), model("a", "q", "No idea."), user("n", "Why not?", "a"), model("b", "n", "Sorry.")),
    ],
)
def test_without_a_question_an_attempt_and_a_phrase_there_is_none(config, turns):
    assert found(config, *turns) == []


def test_an_answer_regenerated_by_a_teachers_model_is_a_consultation(config):
    turns = (user("q", WHY), model("a", "q", "No idea."), model("b", "q", "Sorry."), model("x", "q", "A comma.", OPUS))
    (one,) = found(config, *turns)
    assert texts(one) == [
        ("user", WHY),
        ("assistant", "Sorry."),
        ("user", "consult Opus"),
        ("assistant", "A comma."),
    ]


def test_so_is_a_question_sent_again_from_the_same_place(config):
    turns = (
        *(user("h", "Hello."), model("hi", "h", "Hi."), user("q", WHY, "hi"), model("a", "q", "No idea.")),
        *(user("r", f" {WHY}\n", "hi"), model("x", "r", "A comma.", OPUS)),
    )
    (one,) = found(config, *turns)
    assert [text for _, text in texts(one)] == ["Hello.", "Hi.", f" {WHY}\n", "No idea.", "consult Opus", "A comma."]


def test_and_one_sent_again_as_the_next_thing_said(config):
    note = Turn("n", "a")
    (one,) = found(
        config, *ASKED[:2], note, user("r", "Why does  the build fail?", "n"), model("x", "r", "Oh.", SONNET)
    )
    assert texts(one) == [("user", WHY), ("assistant", "No idea."), ("user", "consult Sonnet"), ("assistant", "Oh.")]


@pytest.mark.parametrize("word", ["continue", "yes", "go on, please"])
def test_a_word_that_is_said_twice_is_no_question_asked_again(config, word):
    turns = (user("q", word), model("a", "q", "Done."), user("r", word, "a"), model("x", "r", "Done as well.", OPUS))
    assert found(config, *turns) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [(OPUS, OPUS), (SONNET, OPUS), (QWEN, "llama3"), (None, OPUS), (QWEN, None)],
)
def test_without_a_switch_from_a_local_model_to_a_teachers_there_is_none(config, first, second):
    again = (user("r", WHY, "a"), model("x", "r", "A comma.", second))
    assert found(config, user("q", WHY), model("a", "q", "No idea.", first), *again) == []
    assert found(config, user("q", WHY), model("a", "q", "No idea.", first), model("x", "q", "Oh.", second)) == []


def test_an_answer_that_two_models_gave_together_is_nobodys(config):
    mixed = (model("x", "q", "I look.", QWEN), model("y", "x", "A comma.", OPUS))
    assert found(config, *ASKED[:2], *mixed) == []


def test_an_answer_that_a_teachers_model_had_a_part_in_is_no_attempt_of_a_local_one(config):
    mixed = (model("a", "q", "I look.", QWEN), model("b", "a", "A brace.", OPUS))
    assert found(config, user("q", WHY), *mixed, model("x", "q", "A comma.", OPUS)) == []


def test_the_experts_calls_stand_in_front_of_its_answer_and_count_to_its_cost(config):
    first = Turn(
        "x", "e", answer("I look.", [LoggedCall("c", "read", {"path": "a"})]), OPUS, input_tokens=10, output_tokens=1
    )
    last = model("y", "r", "A comma.", OPUS, input_tokens=20, output_tokens=2)
    (one,) = found(config, *ASKED, first, Turn("r", "x", (result("c", "hello"),)), last)
    assert [role for role, _ in texts(one)][-4:] == ["user", "assistant", "tool", "assistant"]
    assert one.messages[-2].model_extra == {"tool_call_id": "c"}
    assert (one.metadata.consultation.input_tokens, one.metadata.consultation.output_tokens) == (30, 3)


def test_the_pieces_of_one_message_are_one_with_every_result_behind_it(config):
    def piece(identity: str, parent: str, **block) -> Turn:
        said = tuple(messages_of({"role": "assistant", "content": [block]}))
        return Turn(identity, parent, said, OPUS, input_tokens=5, output_tokens=3, reply="msg")

    def call(name: str) -> dict:
        return {"type": "tool_use", "id": name, "name": "read", "input": {"path": name}}

    turns = (
        piece("1", "e", type="text", text="I look at both."),
        piece("2", "1", **call("A")),
        piece("3", "2", **call("B")),
        Turn("ra", "2", (result("A", "a"),)),
        Turn("rb", "3", (result("B", "b"),)),
        model("x", "rb", "A comma.", OPUS, input_tokens=7, output_tokens=4),
    )
    (one,) = found(config, *ASKED, *turns)
    assert texts(one)[3:] == [
        ("assistant", "I look at both."),
        ("tool", "a"),
        ("tool", "b"),
        ("assistant", "A comma."),
    ]
    assert [dict(called.model_extra)["id"] for called in one.messages[3].tool_calls] == ["A", "B"]
    assert one.metadata.consultation.input_tokens == 12


def test_an_answer_may_end_with_a_call(config):
    call = Turn("x", "e", answer("", [LoggedCall("c", "write", {"path": "a"})]), OPUS, stop="tool_calls")
    (one,) = found(config, *ASKED, call)
    assert one.metadata.incomplete is None
    (one,) = found(config, *ASKED, call, Turn("r", "x", (result("c", "rejected"),)), Turn("i", "r", broken_off=True))
    assert one.messages[-1].tool_calls
    assert one.metadata.incomplete


@pytest.mark.parametrize("change", [{"stop": "length"}, {"stop": "refused"}, {"broken_off": True}])
def test_a_cut_answer_is_kept_as_incomplete(config, change):
    (one,) = found(config, *ASKED, model("x", "e", "A com", OPUS, **change))
    assert one.metadata.incomplete
    with pytest.raises(RecordError, match="incomplete"):
        parse_interaction_object(one.model_dump(exclude_unset=True))


def test_a_step_that_went_wrong_before_the_end_does_not_matter(config):
    step = model("x", "e", "I will", OPUS, stop="length")
    (one,) = found(config, *ASKED, step, model("y", "x", "A comma.", OPUS, stop="stop"))
    assert one.metadata.incomplete is None


def test_a_question_without_words_is_counted(config):
    (one,) = found(config, user("q", " "), *CONSULTED[1:])
    assert isinstance(one, RecordError)
    assert one.reason == "empty-query"


@st.composite
def trees(draw) -> list[Turn]:
    """Make conversations that mostly go to and fro, with anything in between and at the wrong place."""
    turns: list[Turn] = []
    words = st.sampled_from([WHY, WHY, "consult opus", "ask the expert", "Hello there, my model", "continue", " ", ""])
    calls = st.lists(st.sampled_from("abc"), max_size=1)
    for number in range(draw(st.integers(4, 14))):
        before = str(number - 1)
        parent = draw(st.sampled_from([before] * 20 + [str(max(0, number - 2))] * 2 + [None, "gone", str(number + 1)]))
        usual = "assistant" if number % 2 else "user"
        kind = draw(st.sampled_from([usual] * 20 + ["user", "assistant", "tool", "nothing", "system", "both"]))
        messages = {
            "user": lambda: (text_message("user", draw(words)),),
            "assistant": lambda: answer(draw(words), [LoggedCall(c, "f", {}) for c in draw(calls)]),
            "tool": lambda: (result(draw(st.sampled_from("abc")), draw(words)),),
            "nothing": tuple,
            "system": lambda: (text_message("system", draw(words)),),
            "both": lambda: (*answer("I look.", [LoggedCall("a", "f", {})]), result("a", "found")),
        }[kind]()
        name = draw(st.sampled_from([QWEN, OPUS, QWEN, OPUS, SONNET, None]))
        reply = draw(st.sampled_from(["", "", "", "one"]))
        turns.append(Turn(str(number), parent, messages, name, broken_off=draw(st.booleans()), reply=reply))
    return turns


@settings(max_examples=3 * settings.default.max_examples)
@given(trees())
def test_whatever_the_tree_what_is_found_is_an_interaction(turns):
    config = Config()
    for one in found(config, *turns):
        if isinstance(one, RecordError):
            continue
        assert parse_interaction_object(one.model_dump(exclude_unset=True), whole=False) == one
        assert one.metadata.consultation.teacher in config.teachers


def test_an_answer_in_several_steps_ends_with_the_last_of_them(config):
    began = datetime(2025, 10, 31, 14, 30, tzinfo=UTC)
    steps = [
        model("x", "e", "I look into it.", OPUS, moment=began, stop="tool_calls"),
        model("y", "x", "A comma is missing.", OPUS, moment=began.replace(minute=31), stop="stop"),
    ]
    (one,) = found(config, *ASKED, *steps)
    assert one.expert.content == "A comma is missing."
    assert one.metadata.consultation.stop_reason == "stop"
    assert one.metadata.timestamp == "2025-10-31T14:31:00.000Z"


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (0, "redacted-by-litellm"),
        (1, "redacted-by-litellm"),
        (3, "redacted-by-litellm"),
        (0, "[REDACTED]"),
        (3, "<redacted>"),
    ],
)
def test_what_was_redacted_is_no_consultation(config, place, text):
    turns = [*CONSULTED]
    turns[place] = user("q", text) if place == 0 else model(turns[place].id, turns[place].parent, text, OPUS)
    (one,) = found(config, *turns)
    assert isinstance(one, RecordError)
    assert one.reason == "redacted"


@pytest.mark.parametrize(
    "text",
    [
        "A comma... (litellm_truncated skipped 900 chars) ... here.",
        "A comma is… [truncated]",
        "A... (truncated 12 characters)",
    ],
)
def test_what_was_cut_when_it_was_logged_is_incomplete(config, text):
    for turns in ((*ASKED, model("x", "e", text, OPUS)), (user("q", text), *CONSULTED[1:])):
        (one,) = found(config, *turns)
        assert one.metadata.incomplete
        assert one.metadata.model_extra["odd"][0] == "a text was cut when it was logged"


@pytest.mark.parametrize(
    "text", ["The log was truncated at 80 lines.", "It says [REDACTED] there.", "Truncated: see..."]
)
def test_who_only_speaks_of_it_is_whole(config, text):
    (one,) = found(config, *ASKED, model("x", "e", text, OPUS))
    assert one.metadata.incomplete is None


def test_what_a_log_names_as_the_local_models_waits_for_a_person(config):
    (one,) = found(config, *ASKED, model("x", "e", "A comma.", QWEN, moment=datetime(2025, 10, 31, tzinfo=UTC)))
    assert one.metadata.policy == "ask"
    assert one.metadata.model_extra["odd"] == [f"that opus answered is assumed: the log names {QWEN}"]


def test_a_time_that_is_missing_is_another_of_the_answer_or_said_to_be_missing(config):
    moment = datetime(2025, 10, 31, 14, 30, tzinfo=UTC)
    (one,) = found(config, Turn("q", None, ASKED[0].messages, moment=moment), *CONSULTED[1:])
    assert one.metadata.timestamp == "2025-10-31T14:30:00.000Z"
    (one,) = found(config, *CONSULTED)
    assert one.metadata.timestamp == "1970-01-01T00:00:00.000Z"
    assert "no time in it can be read: stored as of 1970" in one.metadata.model_extra["odd"]


def test_of_a_teachers_answers_one_with_a_thumbs_down_does_not_count(config):
    answers = (model("x", "q", "A comma.", OPUS), model("y", "q", "A brace.", SONNET, rating=-1))
    (one,) = found(config, *ASKED[:2], *answers)
    assert one.expert.content == "A comma."
