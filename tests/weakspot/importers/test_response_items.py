"""Items of the Responses API become messages, whoever stores them."""

import pytest

from weakspot.importers.response_items import are_items, messages_of_answer, messages_of_input

TEXT = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
CALL = {"type": "function_call", "call_id": "c", "name": "read", "arguments": '{"path": "a"}'}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "hello"}
SHELL = {"type": "local_shell_call", "call_id": "s", "action": {"type": "exec", "command": ["ls"]}}


def kept(messages) -> list[tuple]:
    return [(one.role, one.content, [call.function.name for call in one.tool_calls or ()]) for one in messages]


def test_words_and_calls_are_one_message_until_a_result_comes():
    after = {**TEXT, "content": [{"type": "output_text", "text": "Done."}]}
    assert kept(messages_of_answer([{"type": "reasoning"}, TEXT, CALL, RESULT, after])) == [
        ("assistant", "I look.", ["read"]),
        ("tool", "hello", []),
        ("assistant", "Done.", []),
    ]


def test_an_input_is_a_text_or_items_in_which_the_user_speaks():
    assert kept(messages_of_input("Why?")) == [("user", "Why?", [])]
    asked = {"role": "user", "content": [{"type": "input_text", "text": "And now?"}]}
    said = {"role": "assistant", "content": "I look."}
    assert kept(messages_of_input([asked, said, CALL, RESULT, {"role": "developer", "content": "Be brief."}])) == [
        ("user", "And now?", []),
        ("assistant", "I look.", ["read"]),
        ("tool", "hello", []),
        ("system", "Be brief.", []),
    ]


@pytest.mark.parametrize(
    ("item", "arguments"),
    [
        ({"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin"}, {"input": "*** Begin"}),
        (SHELL, {"type": "exec", "command": ["ls"]}),
    ],
)
def test_other_tools_are_calls_as_well(item, arguments):
    (message,) = messages_of_answer([item])
    assert message.tool_calls[0].function.arguments == arguments


def test_a_result_may_be_an_object():
    (message,) = messages_of_answer([{**RESULT, "output": {"content": "hello", "success": True}}])
    assert message.content == "hello"


@pytest.mark.parametrize("value", [None, "x", [], ["x"], [{"type": "reasoning"}], [{"type": []}]])
def test_other_lists_hold_no_answer(value):
    assert not are_items(value)
