"""What a teacher's policy asks about waits until a person says yes or no."""

import pytest

from weakspot.capture.approval import list_waiting, permit
from weakspot.pipeline.process import process
from zddc.errors import UserError


@pytest.fixture
def asked(workspace, example, capture):
    """Two interactions of one teacher and one of another wait; one may be used, one never."""
    policies = {
        1: ("sonnet", "ask"),
        2: ("sonnet", "ask"),
        3: ("opus", "ask"),
        4: ("sonnet", "allow"),
        5: ("opus", "refuse"),
    }
    made = {
        number: example(number, consultation={"teacher": teacher, "model": "m", "policy": policy, "terms": "terms"})
        for number, (teacher, policy) in policies.items()
    }
    capture(workspace, made.values())
    return made


def test_what_waits_is_listed_with_its_teacher_and_terms(workspace, asked):
    found = list_waiting(workspace)
    assert [(one.interaction_id, one.teacher, one.terms) for one in found] == [
        (asked[1].id, "sonnet", "terms"),
        (asked[2].id, "sonnet", "terms"),
        (asked[3].id, "opus", "terms"),
    ]
    assert found[0].query == asked[1].query.text


def test_only_what_is_allowed_is_trained_on(workspace, config, asked):
    done = process(workspace, config)
    assert (done.examples, done.rejections) == (1, {"policy-ask": 3, "policy-refuse": 1})
    permit(workspace, config, [asked[1].id])
    done = process(workspace, config)
    assert (done.examples, done.rejections) == (2, {"policy-ask": 2, "policy-refuse": 1})
    permit(workspace, config, [], refuse=True)
    done = process(workspace, config)
    assert (done.examples, done.rejections) == (2, {"policy-refuse": 3})


def test_all_of_a_teacher_are_allowed_at_once(workspace, config, asked):
    assert permit(workspace, config, [], teacher="sonnet") == [asked[1].id, asked[2].id]
    assert [one.teacher for one in list_waiting(workspace)] == ["opus"]


def test_an_unknown_id_changes_nothing(workspace, config, asked):
    with pytest.raises(UserError, match="int_nobody: no such interaction"):
        permit(workspace, config, [asked[1].id, "int_nobody"])
    assert len(list_waiting(workspace)) == 3


def test_an_unknown_teacher_is_named(workspace, config, asked):
    with pytest.raises(UserError, match="--teacher gpt: no such teacher; there are sonnet, opus"):
        permit(workspace, config, [], teacher="gpt")


def test_what_a_policy_refuses_cannot_be_allowed(workspace, config, asked):
    with pytest.raises(UserError, match=r"the policy for opus is refuse \(terms\)"):
        permit(workspace, config, [asked[5].id])
