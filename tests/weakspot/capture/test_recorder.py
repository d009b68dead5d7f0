"""What is captured is scrubbed, described, checked and then appended, or not there at all."""

import pytest

from weakspot.capture.recorder import conversation, iter_interactions, store_interaction, store_thoughts
from weakspot.config import load
from weakspot.records import Interaction, Thoughts
from weakspot.records.parsing import RecordError
from weakspot.storage import append_log

TURNS = conversation("Why this error?", "No idea.", "The name is not defined.", "consult Sonnet")


def test_what_metadata_lacks_is_filled_in(workspace, config):
    found = store_interaction(workspace, config, TURNS, {"source": "a-test"})
    [line] = append_log.read_lines(workspace.raw)
    assert line.data.decode() == found.interaction.to_json()
    metadata = found.interaction.metadata
    assert (metadata.domain, metadata.adapter, metadata.source) == (
        "coding-debugging",
        "lora-v1-coding_debugging",
        "a-test",
    )
    assert metadata.interaction_id.startswith("int_")


def test_a_domain_that_is_given_stays(workspace, config):
    assert store_interaction(workspace, config, TURNS, {"domain": "mine"}).interaction.domain == "mine"


def test_a_secret_never_reaches_the_file_and_is_counted(workspace, config):
    key = "ghp_" + "a1B2" * 9
    turns = conversation(f"Is {key} safe?", "Yes.", f"No, revoke {key}.", "consult Sonnet")
    found = store_interaction(workspace, config, turns, {})
    assert key.encode() not in workspace.raw.read_bytes()
    assert sum(found.interaction.metadata.scrubbed.values()) == 1
    assert found.interaction.expert.text == found.interaction.query.text.replace("Is ", "No, revoke ").replace(
        " safe?", "."
    )


def test_an_answer_that_broke_off_is_kept_and_is_nothing_to_train_on(workspace, config):
    store_interaction(workspace, config, TURNS, {"incomplete": True})
    [line] = append_log.read_lines(workspace.raw)
    assert Interaction.from_json(line.data).metadata.incomplete
    assert list(iter_interactions(workspace)) == []


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        (conversation("", "a", "b", "consult"), "empty-query"),
        (conversation("q", "a", " ", "consult"), "empty-expert"),
        (TURNS[:3], "bad-schema"),
        (conversation("q", "a", "b" * 2000, "consult"), "too-large"),
        (conversation("q\udcff", "a", "b", "consult"), "not-json"),
    ],
)
def test_what_teaches_nothing_is_refused_with_its_reason_and_stores_nothing(workspace, tmp_path, turns, reason):
    with pytest.raises(RecordError) as caught:
        store_interaction(workspace, load(tmp_path / "none.toml", ["collect.max_record_bytes=1500"]), turns, {})
    assert caught.value.reason == reason
    assert not workspace.raw.exists()


def test_thoughts_are_kept_apart_without_secrets(workspace, config):
    key = "sk-ant-api03-8Jq2Vx71LmZw45TbNc8Jq2Vx71LmZw45TbNc8Jq2Vx71LmZw45TbNc"
    store_thoughts(workspace, config, "int_1", f"The key is {key}, or a-key-of-no-form.", ["a-key-of-no-form"])
    [line] = append_log.read_lines(workspace.thoughts)
    assert Thoughts.from_json(line.data) == Thoughts(
        interaction_id="int_1", thoughts="The key is <API_KEY_1>, or <API_KEY_2>."
    )
    assert not workspace.raw.exists()


def test_thoughts_that_cannot_be_stored_stop_nothing(workspace, config, caplog):
    workspace.raw.parent.mkdir(parents=True)
    workspace.thoughts.mkdir()
    store_thoughts(workspace, config, "int_1", "hm")
    assert "thoughts are not stored" in caplog.text
