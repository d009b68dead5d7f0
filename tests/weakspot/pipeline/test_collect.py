"""A consultation is stored with its domain, or refused where it teaches nothing."""

import json

import pytest

from weakspot.capture.recorder import new_id
from weakspot.config import load
from weakspot.pipeline.collect import collect
from weakspot.records.parsing import parse_interaction
from weakspot.storage import append_log
from zddc.errors import UserError

TEXTS = {"query": "Why this error in the console?", "local": "No idea.", "expert": "The name is not defined."}


def lines(workspace) -> list[bytes]:
    return [line.data for line in append_log.read_lines(workspace.raw)]


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
    assert value["metadata"]["source"] == "cli"


def test_the_domain_is_found_and_the_adapter_that_will_learn_it_is_named(workspace, config):
    found = collect(workspace, config, **TEXTS)
    assert found.interaction.domain == "coding-debugging"
    assert found.hits == {"coding-debugging": {"query": ["error", "console"], "answers": ["is not defined"]}}
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
        ({"domain": "../x"}, "domain: '../x' is not a domain name"),
        ({"domain": "all"}, "domain: 'all' is a reserved name"),
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
