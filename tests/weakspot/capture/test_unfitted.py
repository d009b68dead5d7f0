"""What was answered is always stored, and becomes an interaction as soon as it can be one."""

import json

import pytest

from weakspot.capture import consultation, unfitted
from weakspot.capture.consultation import parse_consultation_request, store_consultation
from weakspot.capture.conversation import Conversation
from weakspot.capture.decisions import decide
from weakspot.capture.recorder import iter_interactions
from weakspot.capture.redact_stored import rescrub
from weakspot.capture.unfitted import collect_unfitted, read_unfitted
from weakspot.config import Config
from weakspot.pipeline.forget import forget
from weakspot.protocols.parts import Answer, Finished, Text

KEY = "sk-ant-api03-8Jq2Vx71LmZw45TbNc8Jq2Vx71LmZw45TbNc8Jq2Vx71LmZw45TbNc"
STRANGE = [
    {"role": "user", "content": f"Which is newer? My key is {KEY}."},
    {"role": "narrator", "content": "It was a-key-of-no-known-form-7Gh2Kp."},
    {"role": "assistant", "content": "A."},
    {"role": "user", "content": "consult Sonnet"},
]


def store(workspace, messages=STRANGE, secrets=()):
    one = parse_consultation_request(Config(), Conversation.of(messages), None)
    answer = Answer.of([Text("B."), Finished("stop", "m", 1, 1)])
    more = {"seconds": 1.0, "cost_usd": None, "source": "test", "conversation": messages, "secrets": secrets}
    return store_consultation(workspace, Config(), one, answer, **more)


def test_it_is_kept_with_its_reason_and_without_secrets(workspace):
    stored = store(workspace, secrets=["a-key-of-no-known-form-7Gh2Kp"])
    assert (stored.reason, stored.file) == ("bad-schema", workspace.unfitted)
    assert not workspace.raw.exists()
    text = workspace.unfitted.read_text()
    assert KEY not in text
    assert "no-known-form" not in text
    [one] = read_unfitted(workspace)
    assert (one.id, one.answer["content"]) == (stored.interaction_id, "B.")
    assert one.conversation[1]["role"] == "narrator"


def test_it_becomes_an_interaction_after_an_update_and_only_once(workspace, monkeypatch):
    stored = store(workspace)
    done = collect_unfitted(workspace, Config())
    assert (done.added, list(done.left)) == ([], [stored.interaction_id])
    plain = consultation.message_for_record
    monkeypatch.setattr(
        consultation,
        "message_for_record",
        lambda one: plain({**one, "role": "assistant" if one["role"] == "narrator" else one["role"]}),
    )
    assert collect_unfitted(workspace, Config()).added == [stored.interaction_id]
    [record] = iter_interactions(workspace)
    assert (record.id, record.expert.content, record.escalation.content) == (
        stored.interaction_id,
        "B.",
        "consult Sonnet",
    )
    assert read_unfitted(workspace) == []
    assert collect_unfitted(workspace, Config()).added == []


def test_half_a_character_does_not_cost_it(workspace):
    stored = store(workspace, [*STRANGE[:2], {"role": "assistant", "content": "A \ud83d"}, STRANGE[3]])
    assert [one.id for one in read_unfitted(workspace)] == [stored.interaction_id]


def test_a_bug_of_ours_does_not_cost_it(workspace, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(consultation.recorder, "store_interaction", fail)
    stored = store(workspace, [one for one in STRANGE if one["role"] != "narrator"])
    assert stored.reason == "bug"
    assert len(read_unfitted(workspace)) == 1


def test_a_full_disk_is_no_misfit(workspace, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(consultation.recorder, "store_interaction", fail)
    with pytest.raises(OSError, match="No space"):
        store(workspace, [one for one in STRANGE if one["role"] != "narrator"])


def test_a_line_that_a_killed_gateway_left_is_passed_over(workspace):
    store(workspace)
    with workspace.unfitted.open("a") as file:
        file.write('{"reason": "bad-sch')
    assert len(read_unfitted(workspace)) == 1


def test_it_can_be_forgotten(workspace):
    stored = store(workspace)
    assert forget(workspace, Config(), stored.interaction_id).lines == 1
    assert "newer" not in workspace.unfitted.read_text()
    assert read_unfitted(workspace) == []


def test_what_was_to_be_forgotten_stays_so_if_its_erasure_was_interrupted(workspace):
    stored = store(workspace)
    decide(workspace, Config(), [(stored.interaction_id, "forget", None)])
    assert read_unfitted(workspace) == []


def test_secrets_that_a_new_rule_knows_are_replaced_in_it(workspace, monkeypatch):
    monkeypatch.setattr(
        consultation.recorder, "scrub", lambda value, _: type("Plain", (), {"value": value, "counts": {}})
    )
    store(workspace)
    assert KEY in workspace.unfitted.read_text()
    assert rescrub(workspace, Config(), dry_run=True).found[0].counts == {"api-key": 1}
    rescrub(workspace, Config(), dry_run=False)
    assert KEY not in workspace.unfitted.read_text()
    assert json.loads(workspace.unfitted.read_text().strip().splitlines()[-1])["conversation"][1]["role"] == "narrator"
    assert unfitted.read_unfitted(workspace)[0].reason == "bad-schema"
