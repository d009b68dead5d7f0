"""From an interaction to the snapshots that hold it and the adapters that saw it."""

import pytest

from weakspot.analytics.interaction_lineage import find_raw_lines, trace_interaction
from weakspot.deployment.releases import publish
from weakspot.pipeline.forget import forget
from weakspot.pipeline.process import process
from weakspot.records import Assignment, Release
from weakspot.storage import append_log
from zddc.errors import UserError


def in_split(workspace, split: str, domain: str) -> str:
    """Return the id of an example that is in a split."""
    places = [Assignment.from_json(line.data) for line in append_log.read_lines(workspace.assignments)]
    return next(one.interaction_id for one in places if (one.split, one.domain) == (split, domain))


def test_a_raw_line_is_found_by_its_id_however_that_is_spelt(workspace, capture, interaction):
    capture(workspace, [interaction(f"int_1 {n}", interaction_id=f"int_{n}") for n in range(3)])
    append_log.append(
        workspace.raw, ['{"metadata": {"interaction_id": "\\u00fc"}}', '{"metadata": {"interaction_id": "ü2"}}']
    )
    append_log.append(workspace.raw, ['{"half a line about "int_2"'])
    assert find_raw_lines(workspace, ["int_1", "int_2", "ü", "ü2", "int_9"]) == {
        "int_1": 2,
        "int_2": 3,
        "ü": 4,
        "ü2": 5,
    }
    assert find_raw_lines(workspace, []) == {}


def test_what_was_captured_and_not_processed_is_in_the_raw_file_only(workspace, capture, interaction):
    capture(workspace, [interaction(interaction_id="int_a")])
    found = trace_interaction(workspace, "int_a")
    assert (found.raw_line, found.snapshots, found.adapters, found.live) == (1, {}, {}, [])


def test_an_unknown_id_is_one_line(workspace):
    with pytest.raises(UserError, match="int_x: no interaction, adapter or release has this name"):
        trace_interaction(workspace, "int_x")


@pytest.mark.slow
def test_snapshots_adapters_and_releases_that_have_it_are_found(accepted, capture, interaction):
    workspace, config = accepted
    capture(workspace, [interaction("More?", "Yes.", domain="numbers")])
    process(workspace, config)
    first, second = workspace.snapshot_names()
    live = Release(action="deploy", domain="colours", target="merged", location="l", adapter="colours-lora-v1")
    live = publish(workspace, config, live)
    for split in ("train", "test"):
        found = trace_interaction(workspace, in_split(workspace, split, "colours"))
        assert found.snapshots == {first: split, second: split}
        assert (found.adapters, found.live, found.domain) == ({"colours-lora-v1": split}, [live], "colours")
    # The adapter for colours learnt nothing of numbers.
    found = trace_interaction(workspace, in_split(workspace, "train", "numbers"))
    assert (found.adapters, found.live, found.forgotten) == ({}, [], False)


def test_what_was_forgotten_is_known_to_have_been_in_its_snapshots(processed, config):
    identity = in_split(processed, "train", "spam")
    (first,) = processed.snapshot_names()
    forget(processed, config, identity)
    found = trace_interaction(processed, identity)
    assert (found.raw_line, found.forgotten, found.snapshots) == (None, True, {first: "train"})
