"""A consultation is stored with its domain; a file of them is imported once, bad lines by number."""

import json

import pytest

from weakspot.config import Config, load
from weakspot.data import journal
from weakspot.parsing import parse_interaction
from weakspot.stages.collect import collect, import_file, new_id, stored
from zddc.errors import UserError

TEXTS = {"query": "Why this error in the console?", "local": "No idea.", "expert": "The name is not defined."}


def lines(workspace) -> list[bytes]:
    return [line.data for line in journal.read_lines(workspace.raw)]


@pytest.fixture
def source(tmp_path):
    """Write a file to import: records as objects, or lines as bytes."""

    def write(*entries: object, end: bytes = b"\n", start: bytes = b""):
        file = tmp_path / "import.jsonl"
        data = [entry if isinstance(entry, bytes) else json.dumps(entry).encode() for entry in entries]
        file.write_bytes(start + end.join(data) + end)
        return file

    return write


def test_what_was_collected_is_a_line_of_the_raw_file(workspace, config):
    found = collect(workspace, config, **TEXTS)
    (line,) = lines(workspace)
    assert parse_interaction(line) == found.interaction
    value = json.loads(line)
    assert [(turn["role"], turn["content"]) for turn in value["messages"]] == [
        ("user", TEXTS["query"]),
        ("assistant", TEXTS["local"]),
        ("user", "consult Sonnet"),
        ("assistant", TEXTS["expert"]),
    ]
    assert list(value["metadata"]) == ["domain", "adapter", "timestamp", "interaction_id", "source"]
    assert value["metadata"]["source"] == "manual-expert-consultation"


def test_the_domain_is_found_and_the_adapter_that_will_learn_it_is_named(workspace, config):
    found = collect(workspace, config, **TEXTS)
    assert found.interaction.domain == "coding-debugging"
    assert found.hits == {"coding-debugging": {"query": ["error", "console"], "answers": []}}
    assert found.adapter == found.interaction.metadata.adapter == "lora-v1-coding_debugging"


def test_a_domain_that_was_given_is_not_looked_for(workspace, config):
    found = collect(workspace, config, **TEXTS, domain="cooking")
    assert (found.interaction.domain, found.hits) == ("cooking", {})


def test_the_escalation_is_the_one_given_else_the_configured_one(workspace, tmp_path):
    configured = load(tmp_path / "none.toml", ["collect.escalation=ask Opus"])
    assert collect(workspace, configured, **TEXTS).interaction.messages[2].text == "ask Opus"
    given = collect(workspace, configured, **TEXTS, escalation="consult Haiku")
    assert given.interaction.messages[2].text == "consult Haiku"


def test_an_empty_local_answer_may_be_collected(workspace, config):
    assert collect(workspace, config, **{**TEXTS, "local": ""}).interaction.local.text == ""


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"query": " \n"}, "interaction: the query has no text; nothing was stored, give another text"),
        (
            {"expert": ""},
            "interaction: the expert's answer has no text; nothing was stored, give another text",
        ),
        (
            {"query": "\udcff"},
            "interaction: a text holds a lone surrogate, which is no character; nothing was",
        ),
        ({"domain": "../x"}, "--domain: '../x' is not a domain name"),
        ({"domain": "all"}, "--domain: 'all' is a reserved name"),
    ],
)
def test_a_text_that_teaches_nothing_is_refused_and_nothing_is_stored(workspace, config, change, line):
    with pytest.raises(UserError) as caught:
        collect(workspace, config, **{**TEXTS, **change})
    assert str(caught.value).startswith(line)
    assert lines(workspace) == []


def test_a_record_that_is_too_large_is_refused_with_the_setting_that_says_so(workspace, tmp_path):
    small = load(tmp_path / "none.toml", ["collect.max_record_bytes=1000"])
    with pytest.raises(UserError, match=r"more than the 1,000 of \[collect\] max_record_bytes"):
        collect(workspace, small, **{**TEXTS, "expert": "x" * 1000})


def test_ids_tell_apart_what_is_collected_in_the_same_millisecond(workspace, config):
    found = [collect(workspace, config, **TEXTS).interaction for _ in range(20)]
    assert len({one.id for one in found}) == 20


def test_an_id_has_its_moment_and_six_characters():
    from datetime import UTC, datetime

    moment = datetime(2025, 10, 31, 14, 30, tzinfo=UTC)
    assert new_id(moment).startswith("int_1761921000000_")
    assert len(new_id(moment)) == len("int_1761921000000_abc123")


def test_a_file_in_the_raw_format_is_imported_as_it_is(workspace, config, source, interaction):
    records = [
        interaction("one", source="elsewhere"),
        interaction("two", source="elsewhere", teacher={"name": "S"}, domain="spam"),
    ]
    done = import_file(workspace, config, source(*(json.loads(one.to_json()) for one in records)))
    assert (done.added, done.already_there, done.bad) == (2, 0, [])
    assert list(stored(workspace)) == records


def test_an_import_is_skipped_the_second_time(workspace, config, source, interaction):
    file = source(*(json.loads(interaction(text).to_json()) for text in ("one", "two")), TEXTS)
    import_file(workspace, config, file)
    before = workspace.raw.read_bytes()
    done = import_file(workspace, config, file)
    assert (done.added, done.already_there, done.bad) == (0, 3, [])
    assert workspace.raw.read_bytes() == before


def test_what_is_twice_in_a_file_is_imported_once(workspace, config, source):
    done = import_file(workspace, config, source(TEXTS, TEXTS, {**TEXTS, "query": TEXTS["query"] + " "}))
    assert (done.added, done.already_there) == (1, 2)


def test_query_local_and_expert_are_enough(workspace, config, source):
    import_file(workspace, config, source(TEXTS, {**TEXTS, "query": "q", "domain": "cooking"}))
    first, second = stored(workspace)
    assert first.metadata.domain is None
    assert second.domain == "cooking"
    assert [turn.role for turn in first.messages] == ["user", "assistant", "user", "assistant"]
    assert first.metadata.source == "import"
    assert first.messages[2].text == config.collect.escalation


def test_a_record_without_metadata_gets_an_id_and_a_timestamp(workspace, config, source, interaction):
    done = import_file(workspace, config, source({"messages": json.loads(interaction().to_json())["messages"]}))
    assert done.added == 1
    (found,) = stored(workspace)
    assert found.id.startswith("int_")


def test_more_than_a_thousand_lines_are_imported(workspace, config, source):
    done = import_file(workspace, config, source(*({**TEXTS, "query": f"q{n}"} for n in range(1001))))
    assert (done.added, len(lines(workspace))) == (1001, 1001)


@pytest.mark.parametrize(("start", "end"), [(b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n"), (b"\n\n", b"\n\n")])
def test_a_byte_order_mark_crlf_and_blank_lines_are_no_mistake(workspace, config, source, start, end):
    done = import_file(workspace, config, source(TEXTS, {**TEXTS, "query": "q"}, start=start, end=end))
    assert (done.added, done.bad) == (2, [])
    assert b"\r" not in workspace.raw.read_bytes()


FLAT_ERROR = "neither the raw format nor query, local, expert[, domain]"


@pytest.mark.parametrize(
    ("entry", "reason", "detail"),
    [
        (b'{"query": "half a li', "not-json", "Unterminated string"),
        (b"\0\0\0", "not-json", "Expecting value"),
        (b"\xff", "not-json", "not UTF-8 at byte 0"),
        (rb'{"query": "\ud800", "local": "", "expert": ""}', "not-json", "a lone surrogate"),
        (b'{"query": NaN}', "not-json", "NaN is not JSON"),
        (b"[" * 100_000, "not-json", "nested too deeply"),
        (b"[]", "not-json", "a JSON list, not an object"),
        ({}, "bad-schema", f"no expert, local, query: {FLAT_ERROR}"),
        ({"query": "q", "local": "l"}, "bad-schema", f"no expert: {FLAT_ERROR}"),
        ({**TEXTS, "answer": "a"}, "bad-schema", f"unknown answer: {FLAT_ERROR}"),
        ({**TEXTS, "expert": 7}, "bad-schema", "query, local and expert are texts"),
        ({**TEXTS, "domain": "../../x"}, "bad-schema", "metadata.domain: '../../x' is not a domain name"),
        ({**TEXTS, "domain": 7}, "bad-schema", "metadata.domain: "),
        ({**TEXTS, "expert": " "}, "empty-expert", "the expert's answer has no text"),
        ({**TEXTS, "query": ""}, "empty-query", "the query has no text"),
        ({"messages": [], "metadata": []}, "bad-schema", "metadata: not an object"),
        (
            {"messages": [{"role": "user", "content": "q"}] * 4},
            "wrong-roles",
            "the last four turns are user, user",
        ),
        ({**TEXTS, "expert": "x" * 10_000_000}, "too-large", "10,000,"),
    ],
)
def test_a_bad_line_has_its_number_and_reason_and_stops_nothing(workspace, config, source, entry, reason, detail):
    done = import_file(workspace, config, source(TEXTS, b"", entry, {**TEXTS, "query": "after"}))
    assert [(bad.line, bad.reason) for bad in done.bad] == [(3, reason)]
    assert done.bad[0].detail.startswith(detail)
    assert done.added == len(list(stored(workspace))) == 2


def test_an_id_that_is_there_with_other_messages_is_a_bad_line(workspace, config, source, interaction):
    one = interaction("one", interaction_id="int_1")
    other = interaction("two", interaction_id="int_1")
    done = import_file(workspace, config, source(*(json.loads(record.to_json()) for record in (one, other))))
    assert [(bad.line, bad.reason, bad.detail) for bad in done.bad] == [
        (2, "duplicate-id", "int_1 is there already with other messages")
    ]


def test_a_file_that_is_not_there_is_a_users_mistake(workspace, config, tmp_path):
    with pytest.raises(UserError, match=r"none.jsonl: no such file; give a JSONL file"):
        import_file(workspace, config, tmp_path / "none.jsonl")


def test_all_real_interactions_are_imported_byte_for_byte(workspace, real_interactions):
    done = import_file(workspace, Config(), real_interactions)
    assert (done.added, done.already_there, done.bad) == (605, 0, [])
    assert [json.loads(line) for line in lines(workspace)] == [
        json.loads(line) for line in real_interactions.read_bytes().splitlines()
    ]
