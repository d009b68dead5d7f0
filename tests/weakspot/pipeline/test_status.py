"""Where each domain stands, and when it is due."""

import json

import pytest

from weakspot.pipeline.process import process
from weakspot.pipeline.status import status, why_due
from weakspot.records import UnheardWish
from weakspot.storage import append_log
from weakspot.storage.ledger import Ledger, Limits
from weakspot.workspace import AdapterName
from zddc.errors import UserError


def test_status_of_an_empty_workspace_is_empty(workspace, config):
    found = status(workspace, config)
    assert (found.raw_lines, found.domains, found.snapshot) == (0, [], None)


@pytest.mark.slow
def test_status_counts_what_is_not_processed_yet(taught, interaction, capture):
    workspace, config = taught
    capture(workspace, [interaction("One more?", "Yes.")])
    assert status(workspace, config).unprocessed == 1
    domains = {d.domain: d for d in status(workspace, config).domains}
    assert domains["colours"].splits == {"train": 48, "val": 6, "test": 6}
    assert domains["multi-domain"].examples == 80


def test_status_counts_what_waits_for_permission(workspace, config, example, capture):
    asked = {"teacher": "sonnet", "model": "m", "policy": "ask", "terms": ""}
    capture(workspace, [example(1), example(2, consultation=asked)])
    process(workspace, config)
    found = status(workspace, config)
    assert (found.waiting, found.unprocessed) == (1, 0)


def test_status_says_what_is_left_of_each_teachers_limits(workspace, weakspot):
    ledger = Ledger(workspace.spending)
    for _ in range(3):
        ledger.settle(ledger.reserve("sonnet", 1.0, Limits()), 0.5)
    code, out, _ = weakspot("status")
    assert code == 0
    assert "sonnet: 3.50 of 5.00 US dollars for 24 hours and 57 of 60 consultations for an hour left" in out
    assert "opus" not in out  # nothing was spent on it
    found = json.loads(weakspot("status", "--json")[1])["budgets"]
    assert [(one["teacher"], one["usd_last_24_hours"], one["consultations_last_hour"]) for one in found] == [
        ("sonnet", 1.5, 3),
        ("opus", 0, 0),
    ]


def test_status_names_what_was_not_heard_and_what_does_not_fit(workspace, config):
    wishes = [("Aider", "ask opus?"), ("Cline", "opus maybe"), ("Aider", "opus?")]
    lines = [UnheardWish(timestamp="2026-11-28T12:00:00Z", client=who, words=what).to_json() for who, what in wishes]
    append_log.append(workspace.unheard, [*lines, '{"half'])
    found = status(workspace, config)
    assert [(one.client, one.count, one.latest) for one in found.unheard] == [
        ("Aider", 2, "opus?"),
        ("Cline", 1, "opus maybe"),
    ]
    assert found.unfitted == 0


def test_an_adapter_that_saw_a_forgotten_interaction_is_due(config):
    assert why_due(config, 10, 10, forgotten=True) == "saw a forgotten interaction"


def test_a_damaged_manifest_is_one_line(workspace, config, example, capture):
    capture(workspace, [example(n) for n in range(3)])
    process(workspace, config)
    file = workspace.adapter_manifest(AdapterName("spam", 1))
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    with pytest.raises(UserError, match=r"manifest\.json: name: field required; train again: weakspot train spam"):
        status(workspace, config)


def test_a_domain_is_due_after_fifty_new_or_when_it_passes_two_hundred(config):
    assert why_due(config, 49, 0) == ""
    assert why_due(config, 50, 0) == "50 new, at least 50"
    assert why_due(config, 200, 160) == "200 examples, past 200"
    assert why_due(config, 230, 200) == ""
    assert why_due(config, 250, 200) == "50 new, at least 50"


def test_status_tells_in_a_line_what_the_consultations_cost(workspace, config, example, capture):
    assert status(workspace, config).savings == "nothing was asked yet"
    capture(workspace, [example(1), example(2)])
    assert status(workspace, config).savings == "2 consultations, 2 without a price"


@pytest.mark.parametrize(
    ("part", "remedy"),
    [("assignments", "restore the file from the newest snapshot"), ("rejections", "run 'weakspot process' to write")],
)
def test_a_damaged_line_is_named(workspace, config, example, capture, part, remedy):
    capture(workspace, [example(n) for n in range(3)])
    process(workspace, config)
    file = getattr(workspace, part)
    lines = len(file.read_bytes().splitlines())
    with file.open("a", encoding="utf-8") as stream:
        stream.write('{"interaction_id": "int_1", "gro\n')
    with pytest.raises(UserError, match=rf"{file.name}:{lines + 1}: .*; {remedy}"):
        status(workspace, config)


def test_an_adapter_is_shown_whatever_is_left_of_its_domain(workspace, config, example, capture, save_manifest):
    """In a workspace of one domain that of all domains, too, and one whose examples are gone."""
    capture(workspace, [example(n) for n in range(3)])
    process(workspace, config)
    for domain in ("multi-domain", "gone"):
        save_manifest(workspace, AdapterName(domain, 1))
    found = {one.domain: one for one in status(workspace, config).domains}
    assert found.keys() == {"spam", "multi-domain", "gone"}
    assert (found["multi-domain"].adapter, found["multi-domain"].examples) == ("multi-domain-lora-v1", 3)
    assert (found["gone"].adapter, found["gone"].examples, found["gone"].new) == ("gone-lora-v1", 0, 0)
