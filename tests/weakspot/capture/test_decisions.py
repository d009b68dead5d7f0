"""What a person decides is kept for ever, and the latest word counts; forgetting is the last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from weakspot.capture.decisions import Decisions, append_decisions, decide, load_decisions, new_decision
from weakspot.records import parsing
from weakspot.records.parsing import RecordError
from zddc.errors import UserError


def consulted(interaction, policy, **more):
    """An interaction whose teacher has that policy."""
    consultation = {"teacher": "sonnet", "model": "m", "policy": policy, "terms": "of use"}
    return interaction(consultation=consultation, **more)


def reason(decisions: Decisions, example) -> str | None:
    try:
        decisions.require_permission(example)
    except RecordError as error:
        return error.reason
    return None


def test_without_decisions_only_the_policy_counts(workspace, interaction):
    found = load_decisions(workspace)
    policies = {policy: reason(found, consulted(interaction, policy)) for policy in ("allow", "ask", "refuse")}
    assert policies == {"allow": None, "ask": "policy-ask", "refuse": "policy-refuse"}
    assert reason(found, interaction()) is None


def test_a_person_may_allow_what_is_asked_about_and_refuse_anything(workspace, config, interaction):
    asked, allowed = consulted(interaction, "ask"), consulted(interaction, "allow")
    decide(workspace, config, [(asked.id, "allow", None), (allowed.id, "refuse", None)])
    found = load_decisions(workspace)
    assert reason(found, asked) is None
    assert reason(found, allowed) == "policy-refuse"


def test_a_policy_that_refuses_cannot_be_overruled(workspace, config, interaction):
    refused = consulted(interaction, "refuse")
    decide(workspace, config, [(refused.id, "allow", None)])
    assert reason(load_decisions(workspace), refused) == "policy-refuse"


def test_the_latest_decision_counts(workspace, config, interaction):
    asked = consulted(interaction, "ask")
    for action in ("allow", "refuse"):
        decide(workspace, config, [(asked.id, action, None)])
    assert reason(load_decisions(workspace), asked) == "policy-refuse"


def test_what_is_forgotten_stays_so_whatever_is_decided_later_and_under_whatever_id(workspace, config, interaction):
    gone, twin = interaction("How?", "So."), interaction("How?", "So.")
    decide(workspace, config, [(gone.id, "forget", gone.content_key())])
    decide(workspace, config, [(gone.id, "allow", None)])
    found = load_decisions(workspace)
    assert [reason(found, one) for one in (gone, twin, interaction("Else?"))] == ["forgotten", "forgotten", None]


def test_a_damaged_decision_stops_everything_since_it_may_forbid_something(workspace, config):
    decide(workspace, config, [("int_1", "allow", None)])
    with workspace.decisions.open("a") as stream:
        stream.write('{"interaction_id": "int_2", "action": "maybe", "timestamp": "2025-10-31T14:30:00.000Z"}\n')
    with pytest.raises(UserError, match=r"decisions.jsonl:2: action: .*; mend that line"):
        load_decisions(workspace)


def test_no_decision_writes_no_file(workspace, config):
    decide(workspace, config, [])
    assert not workspace.decisions.exists()


MADE = st.sampled_from(
    [
        *({"action": action} for action in ("allow", "accept", "refuse", "reject", "undo")),
        *({"action": "edit", "expert": text} for text in ("One.", "Two.")),
        *({"action": "move", "domain": name} for name in ("spam", "eggs")),
    ]
)


def folded(example, made: list[dict]) -> tuple:
    """What these decisions amount to: the judgement, the answer, the domain."""
    found = Decisions()
    for one in made:
        found.add(new_decision(example.id, **one))
    revised = found.with_edits(example)
    return found.judgement(example.id), revised.expert.text, revised.metadata.domain


@given(st.lists(MADE, max_size=12))
def test_the_latest_of_each_kind_counts_and_an_undo_takes_back_the_latest_that_stands(interaction, made):
    example, standing = interaction(expert="None."), []
    for one in made:
        if one["action"] != "undo":
            standing.append(one)
        elif standing:
            standing.pop()
    last = {"judgement": None, "expert": "None.", "domain": None}
    for one in standing:
        last |= {"edit": {"expert": one.get("expert")}, "move": {"domain": one.get("domain")}}.get(
            one["action"], {"judgement": one["action"]}
        )
    assert folded(example, made) == tuple(last.values())


def test_an_undo_concerns_one_interaction_only(workspace, config, interaction):
    one, other = interaction(), interaction()
    decide(workspace, config, [(one.id, "reject", None), (other.id, "accept", None), (one.id, "undo", None)])
    found = load_decisions(workspace)
    assert (found.judgement(one.id), found.judgement(other.id)) == (None, "accept")


def test_what_is_forgotten_cannot_be_had_back_by_an_undo(workspace, config, interaction):
    gone = interaction()
    decide(workspace, config, [(gone.id, "forget", None), (gone.id, "undo", None)])
    assert reason(load_decisions(workspace), gone) == "forgotten"


def test_accepting_is_allowing_and_rejecting_has_a_reason_of_its_own(workspace, config, interaction):
    asked, plain = consulted(interaction, "ask"), interaction()
    decide(workspace, config, [(asked.id, "accept", None), (plain.id, "reject", None)])
    found = load_decisions(workspace)
    assert (reason(found, asked), reason(found, plain)) == (None, "rejected")


def test_an_edit_changes_the_words_and_says_when_and_a_tool_call_stays(interaction):
    call = {"function": {"name": "look", "arguments": {"at": "it"}}}
    example = parsing.parse_interaction_object(
        {
            "messages": [
                {"role": "user", "content": "How?"},
                {"role": "assistant", "content": "No."},
                {"role": "user", "content": "consult Sonnet"},
                {"role": "assistant", "content": "So.", "tool_calls": [call]},
            ],
            "metadata": interaction().metadata.model_dump(exclude_unset=True),
        }
    )
    found = Decisions()
    edit = new_decision(example.id, "edit", query="How, then?", expert="Thus.")
    found.add(edit)
    revised = found.with_edits(example)
    assert (revised.id, revised.query.text, revised.local.text) == (example.id, "How, then?", "No.")
    assert (revised.expert.content, revised.expert.tool_calls) == ("Thus.", example.expert.tool_calls)
    assert revised.metadata.model_extra == {"edited": edit.timestamp}


def test_forgetting_erases_the_words_of_edits(workspace, config):
    append_decisions(
        workspace,
        config,
        [new_decision("int_1", "edit", expert="my secret"), new_decision("int_2", "edit", expert="kept")],
    )
    decide(workspace, config, [("int_1", "forget", "hash")])
    assert b"my secret" not in workspace.decisions.read_bytes()
    assert "int_1" in load_decisions(workspace).forgotten
    assert load_decisions(workspace).latest("int_2", "edit").expert == "kept"


@pytest.mark.parametrize("words", [{"expert": " \n"}, {"query": ""}, {"domain": "No Domain"}, {"domain": "all"}])
def test_words_that_cannot_stand_in_a_dataset_are_no_decision(words):
    with pytest.raises(ValidationError):
        new_decision("int_1", "edit", **words)


def test_a_thumbs_down_counts_until_a_person_decides_and_a_thumbs_up_allows_nothing(workspace, config, interaction):
    asked, plain = consulted(interaction, "ask"), interaction("How?", "So.")
    append_decisions(workspace, config, [new_decision(asked.id, "thumbs-up"), new_decision(plain.id, "thumbs-down")])
    found = load_decisions(workspace)
    assert (reason(found, asked), reason(found, plain)) == ("policy-ask", "rejected")
    decide(workspace, config, [(plain.id, "accept", None)])
    assert reason(load_decisions(workspace), plain) is None


def test_undoing_takes_back_no_thumb(workspace, config, interaction):
    one = interaction("How?", "So.")
    decide(workspace, config, [(one.id, "reject", None)])
    append_decisions(workspace, config, [new_decision(one.id, "thumbs-up", comment="good")])
    decide(workspace, config, [(one.id, "undo", None)])
    found = load_decisions(workspace)
    assert reason(found, one) is None
    assert found.thumbs[one.id].comment == "good"


def test_forgetting_erases_a_readers_words(workspace, config, interaction):
    one = interaction("How?", "So.")
    append_decisions(workspace, config, [new_decision(one.id, "thumbs-down", comment="it quotes me")])
    decide(workspace, config, [(one.id, "forget", one.content_key())])
    assert b"quotes" not in workspace.decisions.read_bytes()
