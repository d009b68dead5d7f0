"""``run`` takes a domain through every stage that is due, and only those."""

import pytest
from tests.weakspot.conftest import changed

from weakspot.pipeline.run import due_domains, run, training_reasons
from weakspot.pipeline.status import status
from weakspot.pipeline.train import train_together
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow


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


def test_what_is_not_due_is_not_trained(hasty):
    workspace, config = hasty
    steps(workspace, config, "colours")
    again = steps(workspace, config, "colours")
    assert "train" not in [stage for stage, _, _ in again]
    assert steps(workspace, config, "numbers")[2][2] == "numbers-lora-v1 (never trained)"


def test_what_is_due_is_trained_in_one_pass_and_then_each_is_taken_to_the_end(hasty):
    workspace, config = hasty
    found = steps(workspace, changed(config, "status", retrain_after=15))
    assert [(stage, domain) for stage, domain, _ in found if stage == "train"] == [
        ("train", "colours"), ("train", "multi-domain"), ("train", "numbers"),
    ]  # fmt: skip
    last_trained = max(n for n, (stage, _, _) in enumerate(found) if stage == "train")
    first_evaluated = min(n for n, (stage, _, _) in enumerate(found) if stage == "evaluate")
    assert last_trained < first_evaluated


def test_a_domain_whose_training_was_interrupted_is_due(taught):
    workspace, config = taught
    checkpoint = workspace.adapter_checkpoint(AdapterName("numbers", 1))
    checkpoint.mkdir(parents=True)
    entries = status(workspace, config).domains
    assert training_reasons(workspace, entries)["numbers"] == "resumed"
    assert "numbers" in due_domains(workspace, config)


def test_all_is_what_is_due_or_was_never_trained_and_all_domains_together(hasty):
    workspace, config = hasty
    assert due_domains(workspace, config) == ["colours", "multi-domain", "numbers"]
    train_together(workspace, config, ["colours", "multi-domain"])
    assert due_domains(workspace, config) == ["multi-domain", "numbers"]
    train_together(workspace, config, ["numbers"])
    with pytest.raises(UserError, match="no domain is due; name those to train again"):
        due_domains(workspace, config)
