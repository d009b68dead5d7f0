"""Our own formats are told from other programs' logs, which look much the same."""

import json

import pytest

from weakspot.config import Config
from weakspot.importers.json_stream import JsonEntry
from weakspot.importers.native import claims_flat, claims_raw, interaction_of
from weakspot.records.parsing import RecordError

CHAT = [{"role": role, "content": text} for role, text in (("user", "q"), ("assistant", "l"), ("user", "r"))]
CONSULTED = [*CHAT[:2], {"role": "user", "content": "consult Sonnet"}, {"role": "assistant", "content": "e"}]


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        ({"messages": CHAT, "metadata": {}}, True),
        ({"messages": CONSULTED}, True),
        ({"messages": [*CONSULTED[:2], {"role": "user", "content": [{"type": "text", "text": "ask opus"}]}]}, True),
        ({"messages": [*CHAT, {"role": "assistant", "content": "e"}]}, False),
        ({"messages": CONSULTED, "model": "qwen"}, False),
        ({"messages": CHAT, "metadata": {}, "response": {}}, False),
        ({"messages": "CHAT", "metadata": {}}, False),
        ({"messages": []}, False),
    ],
)
def test_an_interaction_has_our_metadata_or_is_nothing_but_a_consultation(config, value, ours):
    assert claims_raw(config, value) == ours


def test_the_configured_escalation_is_one_as_well():
    config = Config(collect={"escalation": "help me out"})
    turns = [*CHAT[:2], {"role": "user", "content": "help me out"}, {"role": "assistant", "content": "e"}]
    assert claims_raw(config, {"messages": turns})
    assert not claims_raw(Config(), {"messages": turns})


def test_three_texts_are_known_also_where_one_is_forgotten():
    assert claims_flat({"query": "q", "local": "l"})
    assert not claims_flat({"query": "q"})
    assert not claims_flat({"query": "q", "local": "l", "messages": []})


def test_a_line_becomes_an_interaction_with_what_it_lacks_filled_in(config):
    found = interaction_of(config, JsonEntry(1, 0, b'{"query": "q", "local": "l", "expert": "e", "domain": "spam"}'))
    assert (found.query.content, found.domain, found.metadata.source) == ("q", "spam", None)
    with pytest.raises(RecordError, match="no expert"):
        interaction_of(config, JsonEntry(1, 0, b'{"query": "q", "local": "l"}'))


@pytest.mark.parametrize("identity", ["int_\x1b[2J", "int_ü", "int_\u202e", "a\nb"])
def test_an_id_is_of_printable_ascii_characters(config, identity):
    line = {"messages": CONSULTED, "metadata": {"timestamp": "2026-01-01T00:00:00Z", "interaction_id": identity}}
    with pytest.raises(RecordError, match="interaction_id: not of printable ASCII"):
        interaction_of(config, JsonEntry(1, 0, json.dumps(line).encode()))
