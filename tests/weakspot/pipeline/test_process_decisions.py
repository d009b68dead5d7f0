"""What a reviewer decided is in the dataset from the next run on, and no group ever changes its split."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from weakspot.capture.decisions import append_decisions, new_decision
from weakspot.dataset import reading
from weakspot.dataset.assignments import read_assignments
from weakspot.pipeline.forget import forget
from weakspot.pipeline.process import process
from weakspot.records import Interaction, Rejection
from weakspot.storage import append_log
from weakspot.workspace import Workspace


def decided(workspace: Workspace, config, identity: str, action: str, **words: str) -> None:
    append_decisions(workspace, config, [new_decision(identity, action, **words)])


def examples(workspace: Workspace) -> dict[str, Interaction]:
    return {example.id: example for example in reading.read_examples(workspace.all_examples)}


def reasons(workspace: Workspace) -> dict[str | None, str]:
    found = [Rejection.from_json(line.data) for line in append_log.read_lines(workspace.rejections)]
    return {rejection.interaction_id: rejection.reason for rejection in found}


def test_what_was_rejected_is_left_out_with_that_reason_until_it_is_undone(workspace, config, example, capture):
    made = [example(n) for n in range(4)]
    capture(workspace, made)
    decided(workspace, config, made[2].id, "reject")
    process(workspace, config)
    assert made[2].id not in examples(workspace)
    assert reasons(workspace) == {made[2].id: "rejected"}
    decided(workspace, config, made[2].id, "undo")
    process(workspace, config)
    assert examples(workspace)[made[2].id] == made[2]
    assert reasons(workspace) == {}


def test_what_was_accepted_is_trained_on_where_the_policy_asks(workspace, config, example, capture):
    asked = example(1, consultation={"teacher": "sonnet", "model": "m", "policy": "ask", "terms": "of use"})
    capture(workspace, [asked])
    process(workspace, config)
    assert reasons(workspace) == {asked.id: "policy-ask"}
    decided(workspace, config, asked.id, "accept")
    process(workspace, config)
    assert list(examples(workspace)) == [asked.id]


def test_an_edited_example_keeps_its_id_and_its_split_and_the_raw_file_its_bytes(workspace, config, example, capture):
    made = [example(n) for n in range(20)]
    capture(workspace, made)
    process(workspace, config)
    before, raw = read_assignments(workspace.assignments), workspace.raw.read_bytes()
    decided(workspace, config, made[3].id, "edit", query="What is the plural?", expert="Sheep.")
    process(workspace, config)
    found = examples(workspace)[made[3].id]
    assert (found.query.text, found.expert.text, found.local) == ("What is the plural?", "Sheep.", made[3].local)
    assert found.metadata.model_extra["edited"].endswith("Z")
    assert read_assignments(workspace.assignments) == before
    assert workspace.raw.read_bytes() == raw


def test_a_moved_example_is_in_the_other_domain_only(workspace, config, example, capture):
    made = [example(n) for n in range(4)]
    capture(workspace, made)
    decided(workspace, config, made[0].id, "move", domain="eggs")
    process(workspace, config)
    assert [one.id for one in reading.read_examples(workspace.examples("eggs"))] == [made[0].id]
    assert made[0].id not in {one.id for one in reading.read_examples(workspace.examples("spam"))}


def test_a_copy_of_what_was_captured_does_not_bring_a_mended_answer_back(workspace, config, interaction, capture):
    wrong, copy = interaction("How?", "Wrong.", domain="spam"), interaction("How?", "Wrong.", domain="spam")
    capture(workspace, [wrong, copy])
    decided(workspace, config, wrong.id, "edit", expert="Right.")
    process(workspace, config)
    assert [one.expert.text for one in examples(workspace).values()] == ["Right."]
    assert reasons(workspace) == {copy.id: "exact-duplicate"}


def test_of_two_copies_the_mended_one_counts_whichever_it_is(workspace, config, interaction, capture):
    copy, mended = interaction("How?", "Wrong.", domain="spam"), interaction("How?", "Wrong.", domain="spam")
    capture(workspace, [copy, mended])
    decided(workspace, config, mended.id, "edit", expert="Right.")
    process(workspace, config)
    assert examples(workspace)[mended.id].expert.text == "Right."
    decided(workspace, config, copy.id, "reject")
    process(workspace, config)
    assert list(examples(workspace)) == [mended.id]


def test_an_edit_to_what_another_says_makes_a_duplicate_of_it(workspace, config, interaction, capture):
    one, other = interaction("How?", "So.", domain="spam"), interaction("Why?", "So.", domain="spam")
    capture(workspace, [one, other])
    decided(workspace, config, other.id, "edit", query="How?")
    process(workspace, config)
    assert reasons(workspace) == {other.id: "exact-duplicate"}


def test_what_is_forgotten_is_in_no_file_of_the_dataset_whatever_was_edited_before(workspace, config, example, capture):
    made = [example(n) for n in range(4)]
    capture(workspace, made)
    decided(workspace, config, made[1].id, "edit", expert="Of great secrecy.")
    process(workspace, config)
    forget(workspace, config, made[1].id)
    assert made[1].id not in examples(workspace)
    here = [file for file in workspace.root.rglob("*.jsonl") if workspace.snapshots not in file.parents]
    assert [file for file in here if b"Of great secrecy." in file.read_bytes()] == []


def an_edit(made: int):
    """Return a strategy of edits that make one of ``made`` examples nearly another, or like none."""
    numbers = st.integers(0, made - 1)
    return st.tuples(numbers, st.integers(0, made + 5), st.sampled_from(["query", "expert", "both"]))


@settings(max_examples=15 if "WEAKSPOT_SOAK" in os.environ else 6)
@given(edits=st.lists(an_edit(12), min_size=1, max_size=6))
def test_no_edit_moves_any_example_to_another_split(new_workspace, config, example, capture, edits):
    workspace, made = new_workspace(), [example(n) for n in range(12)]
    capture(workspace, made)
    process(workspace, config)
    before = read_assignments(workspace.assignments)
    for number, other, what in edits:
        model = example(other, "nearly")
        words = {"query": model.query.text, "expert": model.expert.text}
        decided(workspace, config, made[number].id, "edit", **(words if what == "both" else {what: words[what]}))
        process(workspace, config)
    after = read_assignments(workspace.assignments)
    assert {one: place.split for one, place in after.items()} == {one: place.split for one, place in before.items()}
    by_group: dict[str, set[str]] = {}
    for identity in examples(workspace):
        by_group.setdefault(after[identity].group, set()).add(after[identity].split)
    assert [group for group, splits in by_group.items() if len(splits) > 1] == []
    assert set(reasons(workspace).values()) <= {"links-splits", "exact-duplicate"}
