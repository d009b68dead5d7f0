"""An interaction knows its parts, also where the models used tools."""

import pytest

from weakspot.records.parsing import RecordError, parse_interaction_object


def call(name: str) -> dict:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": name, "function": {"name": name, "arguments": {}}}],
    }


def said(*turns: str | dict) -> list[dict]:
    """Messages of short notes: "u:how" is a user's, "a:so" an assistant's, "t:x" a tool's, "s:x" the system's."""
    roles = {"u": "user", "a": "assistant", "t": "tool", "s": "system"}
    return [turn if isinstance(turn, dict) else {"role": roles[turn[0]], "content": turn[2:]} for turn in turns]


def made(*turns: str | dict, **metadata):
    about = {"timestamp": "2025-10-31T14:30:00.000Z", "interaction_id": "int_1", **metadata}
    return parse_interaction_object({"messages": said(*turns), "metadata": about})


def words(messages) -> list[str]:
    return [message.text for message in messages]


def test_a_plain_record_is_asked_about_by_its_query_alone():
    found = made("s:be brief", "u:hi", "a:hello", "u:how", "a:maybe", "u:consult", "a:so")
    assert words(found.context) == ["be brief", "hi", "hello"]
    assert (found.query.text, found.local.text, found.escalation.text, found.expert.text) == (
        "how",
        "maybe",
        "consult",
        "so",
    )
    assert words(found.prompt) == ["be brief", "hi", "hello", "how"]


def test_what_the_local_models_tools_found_is_part_of_the_prompt_and_its_words_are_not():
    found = made("u:how", call("read"), "t:the file", "a:wrong", "u:consult", "a:right")
    assert words(found.attempt) == ["read {}", "the file", "wrong"]
    assert found.local.text == "wrong"
    assert words(found.prompt) == ["how", "read {}", "the file"]


def test_a_call_that_was_broken_off_is_what_the_local_model_did_and_no_part_of_the_prompt():
    found = made("u:how", call("read"), "t:the file", call("delete"), "u:consult", "a:right")
    assert found.local.text == "delete {}"
    assert words(found.prompt) == ["how", "read {}", "the file"]


def test_the_user_may_break_in_after_a_tools_result():
    found = made("u:how", call("read"), "t:the file", "u:consult", "a:right")
    assert found.local.text == "read {}"
    assert words(found.prompt) == ["how", "read {}", "the file"]


def test_the_experts_own_calls_come_before_its_answer():
    found = made("u:how", "a:wrong", "u:consult", call("look"), "t:seen", "a:right")
    assert found.expert.text == "right"
    assert words(found.prompt) == ["how", "look {}", "seen"]


@pytest.mark.parametrize(
    "turns",
    [
        ["u:how", "t:odd", "u:consult", "a:right"],
        ["u:how", "a:wrong", "u:consult", call("look"), "t:seen"],
        ["u:how", "a:wrong", "a:right", "u:consult"],
        ["u:how", "a:wrong", "s:odd", "u:consult", "a:right"],
        ["a:wrong", "u:consult", "a:right", "a:more"],
    ],
)
def test_another_order_is_no_consultation(turns):
    with pytest.raises(RecordError) as caught:
        made(*turns)
    assert caught.value.reason == "wrong-roles"


def test_metadata_that_is_set_overrides_and_the_rest_is_kept():
    found = made("u:how", "a:wrong", "u:consult", "a:right", domain="old", note="kept")
    again = found.with_metadata({"domain": "new", "adapter": "lora-v1-new"}).metadata.model_dump(exclude_unset=True)
    assert (again["domain"], again["adapter"], again["note"]) == ("new", "lora-v1-new", "kept")
    assert found.domain == "old"


def test_a_document_for_people_has_every_field():
    found = made("u:how", "a:wrong", "u:consult", "a:right")
    assert found.to_document().decode().count("\n") > 10
    assert b'"conversation_id": null' in found.to_document()
