"""A forgotten interaction is gone from data and scorecards and never comes back; what contains it is marked."""

import pytest

from weakspot.models.adapters import read_manifest, read_scorecard
from weakspot.pipeline.forget import forget
from weakspot.pipeline.process import process
from weakspot.pipeline.validate import validate
from weakspot.records import Decision
from weakspot.storage import append_log
from zddc.errors import UserError


def files_with(workspace, text: str) -> set[str]:
    """The files of a workspace that hold a text, with those of adapters and snapshots."""
    found = (file for file in workspace.root.rglob("*") if file.is_file() and text.encode() in file.read_bytes())
    return {file.relative_to(workspace.root).as_posix() for file in found}


def ids(file) -> list[str]:
    return [Decision.from_json(line.data).interaction_id for line in append_log.read_lines(file)]


def test_it_is_gone_from_raw_dataset_and_splits_and_the_snapshot_is_marked(workspace, config, example, capture):
    examples = [example(n) for n in range(12)]
    capture(workspace, examples)
    old = process(workspace, config).snapshot
    gone = examples[3]
    done = forget(workspace, config, gone.id)
    assert (done.lines, done.snapshots, done.adapters) == (1, [old], [])
    holding = files_with(workspace, gone.query.text)
    assert holding
    assert all(name.startswith(f"snapshots/{old}/") for name in holding)
    assert ids(workspace.snapshot_forgotten(old)) == [gone.id]
    assert validate(workspace, config, None).verdict != "failures"


def test_the_others_keep_their_places(workspace, config, example, capture):
    examples = [example(n) for n in range(12)]
    capture(workspace, examples)
    process(workspace, config)
    before = {line.data for split in ("train", "val", "test") for line in append_log.read_lines(workspace.split(split))}
    forget(workspace, config, examples[3].id)
    after = {line.data for split in ("train", "val", "test") for line in append_log.read_lines(workspace.split(split))}
    assert before - after == {examples[3].to_json().encode()}
    assert after - before == set()


def test_it_does_not_come_back_when_it_is_captured_again(workspace, config, example, capture):
    capture(workspace, [example(1), example(2, interaction_id="int_gone")])
    forget(workspace, config, "int_gone")
    capture(workspace, [example(2, interaction_id="int_other")])
    assert process(workspace, config).rejections == {"forgotten": 1}


def test_the_last_one_can_be_forgotten(workspace, config, example, capture):
    capture(workspace, [example(1, interaction_id="int_only")])
    process(workspace, config)
    forget(workspace, config, "int_only")
    assert process(workspace, config).examples == 0


def test_forgetting_again_is_no_error_and_marks_nothing_twice(workspace, config, example, capture):
    capture(workspace, [example(n, interaction_id=f"int_{n}") for n in range(3)])
    old = process(workspace, config).snapshot
    forget(workspace, config, "int_1")
    again = forget(workspace, config, "int_1")
    assert (again.lines, again.snapshots) == (0, [old])
    assert ids(workspace.snapshot_forgotten(old)) == ["int_1"]


def test_half_a_record_is_found_by_its_id(workspace, config, example, capture):
    capture(workspace, [example(1)])
    torn = example(2, interaction_id="int_torn").to_json()[30:]
    append_log.append(workspace.raw, [torn])
    assert forget(workspace, config, "int_torn").lines == 1
    assert len(list(append_log.read_lines(workspace.raw))) == 1


def test_an_id_that_nobody_has_is_named(workspace, config):
    with pytest.raises(UserError, match="int_x: no such interaction"):
        forget(workspace, config, "int_x")


@pytest.mark.slow
def test_adapters_that_saw_it_are_marked_and_their_scorecards_lose_its_words(evaluated):
    workspace, config = evaluated
    (name,) = workspace.adapter_names("colours")
    manifest, card = read_manifest(workspace, name), read_scorecard(workspace, name)
    row = next(row for row in card.rows if row.domain == "colours")
    done = forget(workspace, config, row.interaction_id)
    assert done.adapters == [manifest.name]
    assert ids(workspace.adapter_forgotten(name)) == [row.interaction_id]
    holding = files_with(workspace, row.query)
    assert all(file.startswith("snapshots/") for file in holding)
    after = read_scorecard(workspace, name)
    assert after is not None
    assert (after.verdict, len(after.rows)) == (card.verdict, len(card.rows))
    assert next(r for r in after.rows if r.interaction_id == row.interaction_id).expert == "(forgotten)"
