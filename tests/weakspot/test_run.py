"""``run`` takes a domain through every stage that is due, and only those."""

from weakspot.run import run
from weakspot.status import status, why_due


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


def test_status_of_an_empty_workspace_is_empty(workspace, config):
    found = status(workspace, config)
    assert (found.raw_lines, found.domains, found.snapshot) == (0, [], None)


def test_status_counts_what_is_not_processed_yet(taught, interaction, capture):
    workspace, config = taught
    capture(workspace, [interaction("One more?", "Yes.")])
    assert status(workspace, config).unprocessed == 1
    domains = {d.domain: d for d in status(workspace, config).domains}
    assert domains["colours"].splits == {"train": 48, "val": 6, "test": 6}
    assert domains["multi-domain"].examples == 80


def test_a_domain_is_due_after_fifty_new_or_when_it_passes_two_hundred(config):
    assert why_due(config, 49, 0) == ""
    assert why_due(config, 50, 0) == "50 new, at least 50"
    assert why_due(config, 200, 160) == "200 examples, past 200"
    assert why_due(config, 230, 200) == ""
    assert why_due(config, 250, 200) == "50 new, at least 50"
