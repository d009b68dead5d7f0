"""A raw line is a sound interaction, or it is refused with its reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.records import Assignment, Interaction, Rejection, normalise_text, parse_domain_name
from weakspot.records.parsing import RecordError, parse_interaction, parse_json_object

METADATA = {"timestamp": "2025-10-31T14:30:00.000Z", "interaction_id": "int_1"}
TURNS = [("user", "q"), ("assistant", "l"), ("user", "consult Sonnet"), ("assistant", "e")]


def record(turns=TURNS, **metadata) -> dict:
    messages = [{"role": role, "content": text} for role, text in turns]
    return {"messages": messages, "metadata": {**METADATA, **metadata}}


def refusal(value: object) -> tuple[str, str]:
    """Parse a line (or what is to be one) that is no interaction; return reason and detail."""
    line = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(RecordError) as caught:
        parse_interaction(line)
    assert "\n" not in caught.value.detail
    return caught.value.reason, caught.value.detail


def with_tool_call(arguments: object) -> dict:
    value = record()
    call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}
    value["messages"].insert(0, {"role": "assistant", "content": None, "tool_calls": [call]})
    return value


def test_the_last_four_turns_are_query_local_escalation_and_expert():
    system = {"role": "system", "content": "s"}
    value = record()
    value["messages"].insert(0, system)
    found = parse_interaction(json.dumps(value).encode())
    assert [turn.text for turn in found.context] == ["s"]
    assert (found.query.text, found.local.text, found.expert.text) == ("q", "l", "e")
    assert found.id == "int_1"


def test_what_is_written_back_is_what_was_read_unknown_keys_included():
    value = record()
    value["metadata"] = {
        "domain": "spam",
        **METADATA,
        "teacher": {"name": "S", "temperature": 0.1, "tags": [1, None, True]},
    }
    value["messages"][0]["name"] = "Ann"
    line = json.dumps(value, ensure_ascii=False)
    assert parse_interaction(line.encode()).to_json() == line


@given(
    query=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    expert=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    extra=st.dictionaries(
        st.text(alphabet=st.characters(exclude_categories=["Cs"])).filter(lambda key: key not in METADATA),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=3),
        ),
        max_size=3,
    ),
)
def test_writing_and_reading_is_the_identity_on_any_text(query, expert, extra):
    for known in ("domain", "adapter", "source", "conversation_id", "incomplete"):
        extra.pop(known, None)
    turns = [("user", query), ("assistant", ""), ("user", ""), ("assistant", expert)]
    first = parse_interaction(json.dumps(record(turns, **extra)).encode())
    line = first.to_json()
    assert "\n" not in line
    assert parse_interaction(line.encode()) == first
    assert parse_interaction(line.encode()).to_json() == line


@given(st.binary(max_size=200))
def test_any_bytes_are_an_interaction_or_a_reason(data):
    assert refusal(data)[0] in ("not-json", "bad-schema")


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b'{"messages": [', "Expecting value"),
        (b'{"messages": []}{"metadata": {}}', "Extra data"),
        (b"[1]", "a JSON list, not an object"),
        (b'"text"', "a JSON str, not an object"),
        (b"null", "a JSON NoneType, not an object"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8 at byte 0"),
        (b"\0\0\0\0", "Expecting value"),
        (b'{"a": "x\0y"}', "Invalid control character"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "Out of range float values are not JSON compliant"),
        (rb'{"a": "\ud800"}', "a lone surrogate, which is no character"),
        (rb'{"\udfff": 1}', "a lone surrogate, which is no character"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
    ],
)
def test_what_is_not_json_is_refused_as_such(line, detail):
    reason, found = refusal(line)
    assert reason == "not-json"
    assert found.startswith(detail)


def test_nesting_is_refused_at_the_same_depth_whatever_the_caller_has_on_its_stack():
    def deeper(levels: int) -> str:
        return deeper(levels - 1) if levels else parse_interaction(line).to_json()

    line = json.dumps(record(deep=json.loads("[" * 95 + "]" * 95))).encode()
    assert deeper(0) == deeper(200)


def test_a_pair_of_surrogates_is_one_character():
    assert parse_json_object(rb'{"a": "\ud83d\ude00"}') == {"a": "\N{GRINNING FACE}"}


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"messages": []}, "messages: list should have at least 4 items after validation, not 0"),
        ({"messages": "text"}, "messages: input should be a valid list"),
        ({"metadata": None}, "metadata: input should be a valid dictionary or instance of Metadata"),
        ({"more": 1}, "more: extra inputs are not permitted"),
    ],
)
def test_another_shape_is_bad_schema_and_names_the_place(change, detail):
    assert refusal({**record(), **change}) == ("bad-schema", detail)


@pytest.mark.parametrize(
    ("metadata", "place"),
    [
        ({"interaction_id": ""}, "metadata.interaction_id: "),
        ({"interaction_id": 7}, "metadata.interaction_id: "),
        ({"interaction_id": "x" * 201}, "metadata.interaction_id: "),
        ({"timestamp": "yesterday"}, "metadata.timestamp: invalid isoformat string: 'yesterday'"),
        ({"timestamp": "2025-10-31T14:30:00"}, "metadata.timestamp: the time zone is missing"),
        ({"domain": "../../etc/passwd"}, "metadata.domain: '../../etc/passwd' is not a domain name"),
        ({"domain": "a/b"}, "metadata.domain: 'a/b' is not a domain name"),
        ({"domain": "..", "x": 1}, "metadata.domain: '..' is not a domain name"),
        ({"domain": "Build"}, "metadata.domain: 'Build' is not a domain name"),
        ({"domain": "build\n"}, "metadata.domain: 'build\\n' is not a domain name"),
        ({"domain": "all"}, "metadata.domain: 'all' is a reserved name: choose another domain"),
        ({"incomplete": "yes"}, "metadata.incomplete: "),
    ],
)
def test_bad_metadata_is_bad_schema_and_names_the_key(metadata, place):
    reason, detail = refusal(record(**metadata))
    assert reason == "bad-schema"
    assert detail.startswith(place)


@pytest.mark.parametrize("name", ["multi-domain", "all", "rejections", "", "-x", "a" * 65, "a b", "é"])
def test_a_domain_name_is_one_that_can_name_a_file_beside_the_others(name):
    with pytest.raises(ValueError, match="name"):
        parse_domain_name(name)


@pytest.mark.parametrize("name", ["zddc-naming", "x", "9_lives", "a" * 64])
def test_a_good_domain_name_is_returned(name):
    assert parse_domain_name(name) == name


@pytest.mark.parametrize(
    "roles",
    [
        ["user", "assistant", "assistant", "user"],
        ["user", "user", "user", "assistant"],
        ["assistant", "user", "assistant", "user"],
        ["system", "assistant", "user", "assistant"],
    ],
)
def test_the_last_four_roles_are_those_of_a_consultation(roles):
    reason, detail = refusal(record([(role, "text") for role in roles]))
    assert reason == "wrong-roles"
    assert detail == f"the last four turns are {', '.join(roles)}, not user, assistant, user, assistant"


@pytest.mark.parametrize(("position", "reason"), [(0, "empty-query"), (3, "empty-expert")], ids=["query", "expert"])
@pytest.mark.parametrize("content", ["", " \n\t", "\u3000", None])
def test_a_query_and_an_expert_answer_have_text(position, reason, content):
    value = record()
    value["messages"][position]["content"] = content
    assert refusal(value)[0] == reason


def test_an_empty_local_answer_is_a_weakness_like_any_other():
    value = record()
    value["messages"][1]["content"] = ""
    assert parse_interaction(json.dumps(value).encode()).local.text == ""


def test_an_expert_answer_that_only_calls_a_tool_is_not_empty():
    value = record()
    value["messages"][3] = {**with_tool_call({"b": 1, "a": "é"})["messages"][0]}
    assert parse_interaction(json.dumps(value).encode()).expert.text == 'look_up {"a": "é", "b": 1}'


def test_an_answer_that_was_marked_incomplete_is_truncated():
    assert refusal(record(incomplete=True))[0] == "truncated"
    assert parse_interaction(json.dumps(record(incomplete=False)).encode()).id == "int_1"


@pytest.mark.parametrize("arguments", [{"city": "Köln"}, '{"city": "Köln"}'])
def test_tool_arguments_are_a_mapping_also_where_a_server_sent_a_json_string(arguments):
    found = parse_interaction(json.dumps(with_tool_call(arguments)).encode())
    assert found.context[0].tool_calls[0].function.arguments == {"city": "Köln"}
    again = parse_interaction(found.to_json().encode())
    assert again.to_json() == found.to_json()


def test_no_tool_arguments_at_all_are_an_empty_mapping():
    found = parse_interaction(json.dumps(with_tool_call("")).encode())
    assert found.context[0].tool_calls[0].function.arguments == {}


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ("{", "arguments are not JSON: Expecting property name"),
        ('{"a": NaN}', "arguments are not JSON: NaN is not JSON"),
        (r'{"a": "\ud800"}', "arguments are not JSON: a lone surrogate"),
        ('{"a":' + "[" * 100_000, "arguments are not JSON: nested too deeply"),
        ("[1]", "input should be a valid dictionary"),
    ],
)
def test_tool_arguments_that_cannot_be_written_back_are_bad_schema(arguments, detail):
    reason, found = refusal(with_tool_call(arguments))
    assert reason == "bad-schema"
    assert found.startswith(f"messages.0.tool_calls.0.function.arguments: {detail}")


def test_a_line_of_ten_megabytes_is_read():
    value = record([("user", "q"), ("assistant", "l"), ("user", "c"), ("assistant", "e" * 10_000_000)])
    assert len(parse_interaction(json.dumps(value).encode()).expert.text) == 10_000_000


def test_white_space_and_unicode_form_do_not_tell_two_contents_apart():
    composed = Interaction.model_validate(record([("user", "Café  au\nlait"), *TURNS[1:]]))
    decomposed = Interaction.model_validate(record([("user", " Cafe\u0301 au lait "), *TURNS[1:]]))
    other = Interaction.model_validate(record([("user", "Cafe au lait"), *TURNS[1:]]))
    assert composed.content_key() == decomposed.content_key() != other.content_key()


def test_a_word_moved_to_another_turn_is_another_content():
    one = Interaction.model_validate(record([("user", "a b"), ("assistant", "c"), *TURNS[2:]]))
    two = Interaction.model_validate(record([("user", "a"), ("assistant", "b c"), *TURNS[2:]]))
    assert one.content_key() != two.content_key()


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    assert normalise_text(normalise_text(text)) == normalise_text(text)


def test_a_label_keeps_everything_else():
    found = Interaction.model_validate(record(teacher="S", source="import"))
    named = found.with_metadata({"domain": "build-system"})
    assert named.domain == "build-system"
    assert named.messages == found.messages
    assert named.metadata.model_extra == {"teacher": "S"}
    assert named.with_metadata({"domain": "other"}).domain == "other"


def test_a_domain_that_is_not_set_is_not_made_up():
    with pytest.raises(ValueError, match="int_1: the domain is not set yet"):
        _ = Interaction.model_validate(record()).domain


def test_records_are_written_with_their_fields_in_order_and_read_back():
    place = Assignment(interaction_id="int_1", group="int_0", split="val", domain="spam")
    assert place.to_json() == ('{"interaction_id": "int_1", "group": "int_0", "split": "val", "domain": "spam"}')
    assert Assignment.from_json(place.to_json()) == place
    left_out = Rejection(line=3, reason="not-json", detail="é", interaction_id=None)
    assert Rejection.from_json(left_out.to_json()) == left_out


def test_of_several_complaints_the_first_is_told():
    with pytest.raises(RecordError) as caught:
        parse_interaction(b'{"messages": "none", "metadata": "none", "more": 1}')
    assert str(caught.value).startswith("messages: ")
