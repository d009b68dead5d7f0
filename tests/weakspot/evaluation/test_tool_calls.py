"""A broken tool call is told in every form that chat templates write calls in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.evaluation.tool_calls import ToolCallFormat

TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": {"required": ["city", "day"]}}},
    {"type": "function", "function": {"name": "now"}},
]
PARAMETER = "<parameter={}>\n{}\n</parameter>\n"
ARGUMENT = "<arg_key>{}</arg_key>\n<arg_value>{}</arg_value>\n"
FORMS = {
    "Hermes": '<tool_call>\n{{"name": "{}", "arguments": {{"{}": "{}", "{}": "{}"}}}}\n</tool_call>',
    "Llama": '{{"name": "{}", "parameters": {{"{}": "{}", "{}": "{}"}}}}',
    "Mistral": '[TOOL_CALLS] [{{"name": "{}", "arguments": {{"{}": "{}", "{}": "{}"}}, "id": "abcdefghi"}}]',
    "DeepSeek": '<calls_begin><call_begin>{}<sep>{{"{}": "{}", "{}": "{}"}}<call_end><calls_end>',
    "gpt-oss": '<|channel|>commentary to=functions.{} <|constrain|>json<|message|>{{"{}": "{}", "{}": "{}"}}<|call|>',
    "LFM2": '<|tool_call_start|>[{}({}="{}", {}="{}")]<|tool_call_end|>',
    "Qwen3-Coder": "<tool_call>\n<function={}>\n" + 2 * PARAMETER + "</function>\n</tool_call>",
    "GLM": "<tool_call>{}\n" + 2 * ARGUMENT + "</tool_call>",
}


@pytest.fixture(params=FORMS)
def form(request):
    """Give a form of calls as it is learned from one, and a function that writes a call in it."""
    learned = ToolCallFormat.from_example(
        FORMS[request.param].format("probe_name", "probe_first", "probe value", "probe_second", "probe value")
        + "<|end|>"
    )
    assert learned is not None
    return learned, FORMS[request.param].format


def test_a_whole_call_has_no_fault(form):
    learned, write = form
    call = write("weather", "city", "São Paulo", "day", "Monday")
    assert learned.find_fault(call, TOOLS) == ""
    assert learned.find_fault(f"\n{call}\n", TOOLS) == ""


def test_a_call_of_no_tool_is_told(form):
    learned, write = form
    assert learned.find_fault(write("wether", "city", "A", "day", "B"), TOOLS) == "calls 'wether', which is no tool"


def test_a_missing_field_is_told(form):
    learned, write = form
    assert learned.find_fault(write("weather", "city", "A", "time", "B"), TOOLS) == "weather lacks day"
    assert learned.find_fault(write("now", "city", "A", "time", "B"), TOOLS) == ""


def test_a_call_that_breaks_off_is_told(form):
    learned, write = form
    call = write("weather", "city", "São Paulo", "day", "Monday")
    assert learned.find_fault(call[: call.index("Paulo")], TOOLS).startswith("a tool call is not whole")


def test_what_is_no_call_has_no_fault(form):
    learned, _ = form
    for text in (
        "",
        "It is sunny.",
        'As JSON: {"city": "A"}',
        "<b>call</b> [1] (x=2)",
        "<|channel|>analysis<|message|>hm",
    ):
        assert learned.find_fault(text, TOOLS) == ""


def test_a_second_call_is_looked_at_too(form):
    learned, write = form
    first, second = write("now", "a", "1", "b", "2"), write("weather", "city", "A", "time", "B")
    if learned.opening:  # a call without a mark is all of an answer
        assert learned.find_fault(f"{first}\n{second}", TOOLS) == "weather lacks day"


def test_calls_in_one_list_are_looked_at_each():
    learned = ToolCallFormat.from_example(
        FORMS["Mistral"].format("probe_name", "probe_first", "probe value", "probe_second", "probe value")
    )
    both = '[TOOL_CALLS][{"name": "now", "arguments": {}}, {"name": "weather", "arguments": {"city": "A"}}]'
    assert learned.find_fault(both, TOOLS) == "weather lacks day"
    python = ToolCallFormat.from_example(
        FORMS["LFM2"].format("probe_name", "probe_first", "probe value", "probe_second", "probe value")
    )
    assert python.find_fault('<|tool_call_start|>[now(), weather(city="A")]<|tool_call_end|>', TOOLS) == (
        "weather lacks day"
    )


def test_arguments_may_be_json_in_a_text_and_must_be_an_object():
    learned = ToolCallFormat.from_example(
        FORMS["Hermes"].format("probe_name", "probe_first", "probe value", "probe_second", "probe value")
    )
    call = '<tool_call>{"name": "weather", "arguments": %s}</tool_call>'
    assert learned.find_fault(call % '"{\\"city\\": 1, \\"day\\": 2}"', TOOLS) == ""
    assert learned.find_fault(call % '"city, day"', TOOLS) == "the arguments of weather are no JSON object"
    assert learned.find_fault(call % "[1]", TOOLS) == "the arguments of weather are no JSON object"


def test_a_template_that_writes_no_call_has_no_form():
    assert ToolCallFormat.from_example("<|im_end|>\n") is None
    assert ToolCallFormat.from_example("probe_name was called") is None


@given(st.sampled_from(sorted(FORMS)), st.text(alphabet='<>[]{}()="tool_calweathr,| \n:', max_size=60))
def test_no_text_breaks_the_reader(name, text):
    learned = ToolCallFormat.from_example(
        FORMS[name].format("probe_name", "probe_first", "probe value", "probe_second", "probe value")
    )
    assert isinstance(learned.find_fault(learned.opening + text, TOOLS), str)
