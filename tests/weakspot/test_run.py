"""``run`` takes a domain through every stage that is due, and only those."""

from weakspot.run import run
from weakspot.status import status


def steps(workspace, config, domain=None):
    return [(step.stage, step.domain, step.outcome) for step in run(workspace, config, domain)]


def test_a_new_workspace_goes_through_all_stages(taught):
    workspace, config = taught
    found = steps(workspace, config, "colours")
    assert [stage for stage, _, _ in found] == ["process", "validate", "train", "evaluate", "deploy"]
    assert found[0][2] == "nothing changed"
    assert found[2][2] == "colours-lora-v1 (60 new, at least 50)"
    (domain,) = [d for d in status(workspace, config).domains if d.domain == "colours"]
    assert (domain.adapter, domain.new, domain.due) == ("colours-lora-v1", 0, "")
    assert domain.verdict in ("accept", "reject", "not enough evidence")
    assert domain.deployed == (domain.verdict == "accept")


def test_what_is_not_due_is_not_trained(taught):
    workspace, config = taught
    steps(workspace, config, "colours")
    again = steps(workspace, config, "colours")
    assert "train" not in [stage for stage, _, _ in again]
    assert steps(workspace, config, "numbers")[2][2] == "numbers-lora-v1 (never trained)"
