"""Retrieval: what a person lets be taught may be shown, what was asked alike is found, and new records count."""

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.capture.conversation import Conversation
from weakspot.capture.decisions import append_decisions, decide, new_decision
from weakspot.capture.redact_stored import rescrub
from weakspot.config import Config
from weakspot.pipeline.forget import forget
from weakspot.retrieval import ExampleIndex, Examples, augment_messages, with_examples
from weakspot.settings import Retrieval
from weakspot.workspace import Workspace
from zddc.errors import UserError

SORT, READ = "How do I sort a list of numbers?", "Which call reads text line by line?"


def asked(text, *before):
    return Conversation([*before, {"role": "user", "content": text}])


def examples_of(*interactions, **settings):
    found = Examples(Retrieval(**settings))
    for one in interactions:
        found.add(one)
    return found


@pytest.fixture
def answers(workspace, config):
    """Give the answers that an index finds for a question, having looked for what is new."""
    index = ExampleIndex(workspace, config)

    def found(question):
        index.refresh()
        return [one.answer for one in index.search(asked(question))]

    return found


def test_the_answer_to_the_most_similar_question_comes_first(interaction):
    found = examples_of(
        interaction(READ, "Iterate over it."),
        interaction(SORT, "Call sorted."),
        interaction("How do I sort a list of numbers by size?", "Call sorted with a key."),
    ).search(SORT)
    assert [one.answer for one in found] == ["Call sorted.", "Call sorted with a key."]
    assert found[0].similarity == 1
    assert 0.1 <= found[1].similarity < 1


def test_what_is_too_unlike_is_not_shown(interaction):
    one = interaction(SORT, "Call sorted.")
    assert examples_of(one, min_similarity=0.6).search("How do I sort a list of words?") == []
    assert examples_of(one, min_similarity=0.3).search("How do I sort a list of words?")


def test_no_more_examples_and_characters_than_the_settings_say(interaction):
    many = [interaction(f"{SORT} And {n}?", f"{n}" * 100) for n in range(5)]
    assert len(examples_of(*many, examples=2).search(SORT)) == 2
    shown = examples_of(*many, examples=5, max_characters=300).search(SORT)
    assert len(shown) == 2
    assert sum(len(one.question) + len(one.answer) for one in shown) <= 300


def test_a_long_answer_makes_room_for_shorter_ones(interaction):
    found = examples_of(
        interaction(SORT, "x" * 300), interaction(f"{SORT} Quickly!", "Call sorted."), max_characters=200
    ).search(SORT)
    assert [one.answer for one in found] == ["Call sorted."]


def test_the_latest_answer_to_a_question_counts(interaction):
    found = examples_of(interaction(SORT, "Old."), interaction(f"  {SORT.upper()}", "New.")).search(SORT)
    assert [one.answer for one in found] == ["New."]


def test_what_an_agent_wrapped_around_the_question_does_not_count(interaction):
    reminder = "<system-reminder>Never read a text file line by line.</system-reminder>"
    found = examples_of(interaction(f"{reminder}{SORT}", "Call sorted.")).search(f"{SORT}{reminder}")
    assert [(one.question, one.similarity) for one in found] == [(SORT, 1.0)]
    assert examples_of(interaction(SORT)).search(reminder) == []


def test_a_question_that_refers_to_what_was_said_before_is_no_example(interaction):
    context = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    assert examples_of(interaction(SORT, context=context)).search(SORT) == []
    system = [{"role": "system", "content": "Be brief."}]
    assert examples_of(interaction(SORT, context=system)).search(SORT)


def test_an_answer_that_calls_tools_is_no_example(interaction):
    one = interaction(SORT)
    calls = [{"function": {"name": "ls", "arguments": {}}}]
    last = type(one.expert).model_validate({"role": "assistant", "content": "I look.", "tool_calls": calls})
    assert examples_of(one.model_copy(update={"messages": [*one.messages[:-1], last]})).search(SORT) == []


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=6), st.text(), st.integers(1, 4))
def test_any_texts_keep_to_the_budget(interaction, pairs, question, count):
    whole = [interaction(*pair) for pair in pairs if all(text.strip() for text in pair)]
    found = examples_of(*whole, examples=count, max_characters=50, min_similarity=0).search(question)
    assert len(found) <= count
    assert sum(len(one.question) + len(one.answer) for one in found) <= 50
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)


def test_the_first_captured_record_is_found(workspace, answers, interaction, capture):
    assert answers(SORT) == []
    capture(workspace, [interaction(SORT, "Call sorted.")])
    assert answers(SORT) == ["Call sorted."]


def test_what_is_captured_later_is_found_and_a_broken_line_stops_nothing(workspace, answers, interaction, capture):
    capture(workspace, [interaction(SORT, "Call sorted.")])
    assert answers(READ) == []
    with workspace.raw.open("a") as stream:
        stream.write("{half a rec\n")
    capture(workspace, [interaction(READ, "Iterate over it.")])
    assert answers(READ) == ["Iterate over it."]
    assert answers(SORT) == ["Call sorted."]


def test_only_what_is_new_is_taken_in(workspace, config, interaction, capture, monkeypatch):
    taken = []
    add = Examples.add
    monkeypatch.setattr(Examples, "add", lambda self, one: (taken.append(one.id), add(self, one)))
    index = ExampleIndex(workspace, config)
    for n in range(3):
        capture(workspace, [interaction(SORT, interaction_id=f"int_{n}")])
        index.refresh()
        index.refresh()
    assert taken == ["int_0", "int_1", "int_2"]


def test_a_raw_file_that_was_put_in_its_place_is_read_anew(workspace, answers, interaction, capture):
    capture(workspace, [interaction(SORT, "Call sorted.")])
    assert answers(SORT) == ["Call sorted."]
    workspace.raw.unlink()
    assert answers(SORT) == []
    capture(workspace, [interaction(READ, "Iterate over it.")])
    assert answers(READ) == ["Iterate over it."]
    assert answers(SORT) == []


def test_an_answer_that_may_not_be_taught_is_not_shown(workspace, config, answers, interaction, capture):
    def from_teacher(policy, **more):
        consultation = {"teacher": "sonnet", "model": "m", "policy": policy, "terms": "t"}
        return interaction(f"{SORT} {policy}", policy, consultation=consultation, **more)

    capture(workspace, [from_teacher("allow"), from_teacher("ask", interaction_id="int_ask"), from_teacher("refuse")])
    assert answers(SORT) == ["allow"]
    decide(workspace, config, [("int_ask", "allow", None)])
    assert sorted(answers(SORT)) == ["allow", "ask"]
    decide(workspace, config, [("int_ask", "reject", None)])
    assert answers(SORT) == ["allow"]


def test_what_a_person_mended_is_shown_as_mended(workspace, config, answers, interaction, capture):
    capture(workspace, [interaction(SORT, "Call sort.", interaction_id="int_1")])
    assert answers(SORT) == ["Call sort."]
    append_decisions(workspace, config, [new_decision("int_1", "edit", expert="Call sorted.")])
    assert answers(SORT) == ["Call sorted."]
    capture(workspace, [interaction(SORT, "Call sort.", interaction_id="int_copy")])
    assert answers(SORT) == ["Call sorted."]
    capture(workspace, [interaction(SORT, "Call numpy.sort.")])
    assert answers(SORT) == ["Call numpy.sort."]


def test_what_was_forgotten_is_not_shown(workspace, config, answers, interaction, capture):
    capture(workspace, [interaction(SORT, "Call sorted.", interaction_id="int_1"), interaction(READ, "Iterate.")])
    assert answers(SORT) == ["Call sorted."]
    forget(workspace, config, "int_1")
    assert answers(SORT) == []
    assert answers(READ) == ["Iterate."]


def test_what_was_scrubbed_later_is_shown_scrubbed(workspace, config, answers, interaction, capture):
    secret = "AKIA" + "QYLPMN5HFIQR7XYA"
    capture(workspace, [interaction(SORT, f"Use {secret} for it.")])
    assert secret in answers(SORT)[0]
    rescrub(workspace, config, dry_run=False)
    assert len(answers(SORT)) == 1
    assert secret not in answers(SORT)[0]


def test_an_incomplete_answer_is_not_shown(workspace, answers, interaction, capture):
    capture(workspace, [interaction(SORT, "Call so").with_metadata({"incomplete": True})])
    assert answers(SORT) == []


def test_a_damaged_decision_shows_nothing_until_it_is_mended(workspace, config, answers, interaction, capture):
    capture(workspace, [interaction(SORT, "Call sorted.")])
    workspace.decisions.write_text("no decision\n")
    for _ in range(2):
        with pytest.raises(UserError, match="mend that line"):
            answers(SORT)
    workspace.decisions.write_text("")
    assert answers(SORT) == ["Call sorted."]


@pytest.fixture
def index(workspace, config, interaction, capture):
    """An index of two questions about sorting, the second the nearer to ``SORT``."""
    capture(workspace, [interaction("How do I sort a list of words?", "w"), interaction(f"{SORT} Fast?", "n")])
    return ExampleIndex(workspace, config)


def test_pairs_stand_behind_the_systems_turn_the_most_similar_last(index):
    system, hello = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}
    said = [system, hello, {"role": "assistant", "content": "Hi"}]
    conversation = asked(SORT, *said)
    found = augment_messages(index, conversation)
    assert found[0] is system
    assert [message["content"] for message in found[1:5]] == [
        "How do I sort a list of words?",
        "w",
        f"{SORT} Fast?",
        "n",
    ]
    assert [message["role"] for message in found[1:5]] == ["user", "assistant"] * 2
    assert found[5:] == conversation.messages[1:]
    assert len(conversation.messages) == 4


def test_parts_of_a_message_are_read(index):
    parts = [{"type": "text", "text": SORT}, {"type": "image_url", "image_url": {"url": "data:"}}]
    assert len(augment_messages(index, Conversation([{"role": "user", "content": parts}]))) == 5


def test_while_an_agent_works_the_question_stays_the_users(index):
    calls = [{"id": "1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}]
    steps = [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "1", "content": "list.py"},
    ]
    found = augment_messages(index, Conversation([*asked(SORT).messages, *steps]))
    assert found[:5] == augment_messages(index, asked(SORT))
    assert found[5:] == steps


@pytest.mark.parametrize("messages", [[], [{"role": "system", "content": SORT}], [{"role": "user", "content": None}]])
def test_a_conversation_without_a_question_stays_as_it_is(index, messages):
    assert augment_messages(index, Conversation(messages)) == messages


def test_an_example_is_given_the_context_that_a_conversation_is_given(index, interaction):
    context = [{"role": "system", "content": "Be brief."}]
    example = interaction(SORT, context=context)
    index.refresh()
    shown = with_examples(example, index.search(asked(SORT)))
    prompt = [{"role": message.role, "content": message.text} for message in shown.prompt]
    assert prompt == augment_messages(index, asked(SORT, *context))
    assert (shown.query, shown.expert, shown.local) == (example.query, example.expert, example.local)


def test_threads_ask_while_records_come_in(workspace, interaction, capture):
    index, failed = ExampleIndex(workspace, Config()), []

    def ask():
        try:
            for _ in range(30):
                turns = augment_messages(index, asked(SORT))
                assert len(turns) % 2 == 1
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(20):
        capture(workspace, [interaction(f"{SORT} {n}", str(n))])
    for thread in threads:
        thread.join()
    assert not failed
    assert len(augment_messages(index, asked(SORT))) == 7


def test_the_index_says_what_process_would_train_on(new_workspace, capture, real_interactions):
    """On real records: whatever is found is the expert's answer to that very question."""
    workspace = Workspace(new_workspace().root)
    lines = real_interactions.read_text().splitlines()[:100]
    workspace.raw.parent.mkdir(parents=True)
    workspace.raw.write_text("\n".join(lines) + "\n")
    index = ExampleIndex(workspace, Config())
    index.refresh()
    known = {(one["messages"][-4]["content"].strip(), one["messages"][-1]["content"]) for one in map(json.loads, lines)}
    found = [one for line in lines for one in index.search(asked(json.loads(line)["messages"][-4]["content"]))]
    assert len(found) >= 50
    assert all((one.question, one.answer) in known for one in found)
