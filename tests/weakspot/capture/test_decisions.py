"""What a person decides is kept for ever, and the latest word counts; forgetting is the last."""

import pytest

from weakspot.capture.decisions import Decisions, decide, read_decisions
from weakspot.parsing import RecordError
from zddc.errors import UserError


def consulted(interaction, policy, **more):
    """An interaction whose teacher has that policy."""
    consultation = {"teacher": "sonnet", "model": "m", "policy": policy, "terms": "of use"}
    return interaction(consultation=consultation, **more)


def reason(decisions: Decisions, example) -> str | None:
    try:
        decisions.require_allowed(example)
    except RecordError as error:
        return error.reason
    return None


def test_without_decisions_only_the_policy_counts(workspace, interaction):
    found = read_decisions(workspace)
    policies = {policy: reason(found, consulted(interaction, policy)) for policy in ("allow", "ask", "refuse")}
    assert policies == {"allow": None, "ask": "policy-ask", "refuse": "policy-refuse"}
    assert reason(found, interaction()) is None


def test_a_person_may_allow_what_is_asked_about_and_refuse_anything(workspace, config, interaction):
    asked, allowed = consulted(interaction, "ask"), consulted(interaction, "allow")
    decide(workspace, config, [(asked.id, "allow", None), (allowed.id, "refuse", None)])
    found = read_decisions(workspace)
    assert reason(found, asked) is None
    assert reason(found, allowed) == "policy-refuse"


def test_a_policy_that_refuses_cannot_be_overruled(workspace, config, interaction):
    refused = consulted(interaction, "refuse")
    decide(workspace, config, [(refused.id, "allow", None)])
    assert reason(read_decisions(workspace), refused) == "policy-refuse"


def test_the_latest_decision_counts(workspace, config, interaction):
    asked = consulted(interaction, "ask")
    for action in ("allow", "refuse"):
        decide(workspace, config, [(asked.id, action, None)])
    assert reason(read_decisions(workspace), asked) == "policy-refuse"


def test_what_is_forgotten_stays_so_whatever_is_decided_later_and_under_whatever_id(workspace, config, interaction):
    gone, twin = interaction("How?", "So."), interaction("How?", "So.")
    decide(workspace, config, [(gone.id, "forget", gone.content_key())])
    decide(workspace, config, [(gone.id, "allow", None)])
    found = read_decisions(workspace)
    assert [reason(found, one) for one in (gone, twin, interaction("Else?"))] == ["forgotten", "forgotten", None]


def test_a_damaged_decision_stops_everything_since_it_may_forbid_something(workspace, config):
    decide(workspace, config, [("int_1", "allow", None)])
    with workspace.decisions.open("a") as stream:
        stream.write('{"interaction_id": "int_2", "action": "maybe", "timestamp": "2025-10-31T14:30:00.000Z"}\n')
    with pytest.raises(UserError, match=r"decisions.jsonl:2: action: .*; mend that line"):
        read_decisions(workspace)


def test_no_decision_writes_no_file(workspace, config):
    decide(workspace, config, [])
    assert not workspace.decisions.exists()
