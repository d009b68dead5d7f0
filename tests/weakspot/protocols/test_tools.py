"""Names and ids are made such as providers take them, no two alike, and names find back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.protocols.tools import SafeNames, function_tools, tools_of_calls, with_safe_choice, with_safe_names

NAMES = st.text(st.sampled_from("abAB_-.:/ é日"), max_size=12)


@given(st.lists(NAMES, max_size=20), st.sampled_from([4, 40, 64]))
def test_every_name_is_safe_and_finds_back(given_names, longest):
    names = SafeNames(longest)
    safe = [names.safe(one) for one in given_names]
    assert all(re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{longest}}}", one) for one in safe)
    assert [names.original(one) for one in safe] == given_names


def test_a_safe_name_stays():
    names = SafeNames(64)
    assert [names.safe(one) for one in ("files_read", "files.read", "files_read")] == [
        "files_read",
        "files_read_2",
        "files_read",
    ]
    assert names.original("never_seen") == "never_seen"


def function(name: str, **more) -> dict:
    return {"type": "function", "function": {"name": name, **more}}


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (function("f"), function("f")),
        (function("f", parameters=None), function("f")),
        (function("f", parameters={"properties": {}}), function("f", parameters={"properties": {}, "type": "object"})),
        (
            function("f", parameters={"type": ["object", "null"], "anyOf": [{}]}),
            function("f", parameters={"type": "object"}),
        ),
        ({"type": "function", "name": "f", "description": "d"}, function("f", description="d")),
    ],
)
def test_functions_have_a_schema_that_providers_take(tool, expected):
    assert function_tools([tool]) == [expected]


def test_a_custom_tool_is_a_function_of_one_text():
    [tool] = function_tools([{"type": "custom", "custom": {"name": "apply_patch", "description": "d"}}])
    assert tool["function"]["name"] == "apply_patch"
    assert tool["function"]["parameters"]["required"] == ["input"]
    assert with_safe_choice({"type": "custom", "custom": {"name": "a.b"}}, SafeNames(9), [tool]) is None
    chosen = with_safe_choice({"type": "custom", "custom": {"name": "a.b"}}, SafeNames(9), [function("a_b")])
    assert chosen == function("a_b")


def test_two_tools_of_one_name_are_one():
    assert function_tools([function("f", description="a"), function("f"), function("g")]) == [
        function("f", description="a"),
        function("g"),
    ]


def test_a_history_has_the_tools_that_were_called_in_it():
    calls = [{"id": str(n), **function(name)} for n, name in enumerate("fgf")]
    history = [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "tool_calls": calls}]
    assert tools_of_calls(history) == [function("f"), function("g")]


def test_what_only_a_provider_can_run_is_left_out():
    assert function_tools([{"type": "web_search_20250305", "name": "web_search"}, {"type": "web_search"}]) == []


def test_calls_and_results_stay_together():
    def call(identity, name="a.b"):
        return {"role": "assistant", "tool_calls": [{"id": identity, "function": {"name": name, "arguments": "{}"}}]}

    def result(identity):
        return {"role": "tool", "tool_call_id": identity, "content": "r"}

    turns = [call("x:0"), result("x:0"), call("x:0"), result("x:0"), call(""), result(""), call("x_0"), result("x_0")]
    found, [tool] = with_safe_names(turns, [function("a.b")], SafeNames(64), SafeNames(40))
    ids = [one["tool_calls"][0]["id"] for one in found[::2]]
    assert ids == [one["tool_call_id"] for one in found[1::2]]
    assert len(set(ids)) == 4
    assert {one["tool_calls"][0]["function"]["name"] for one in found[::2]} == {tool["function"]["name"]} == {"a_b"}
    assert turns[0]["tool_calls"][0]["id"] == "x:0"


def test_a_call_of_a_custom_tool_is_one_of_its_function():
    call = {"id": "1", "type": "custom", "custom": {"name": "patch", "input": "ö"}}
    [message], _ = with_safe_names([{"role": "assistant", "tool_calls": [call]}], [], SafeNames(9), SafeNames(9))
    assert message["tool_calls"][0]["function"] == {"name": "patch", "arguments": '{"input": "ö"}'}
