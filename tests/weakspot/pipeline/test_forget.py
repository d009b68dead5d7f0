"""A forgotten interaction is gone from data and scorecards and never comes back; what contains it is marked."""

import json

import pytest
from tests.weakspot.conftest import changed

from weakspot.capture import review
from weakspot.capture.decisions import decide, load_decisions
from weakspot.dataset import reading
from weakspot.deployment.targets import merged
from weakspot.models import loading
from weakspot.models.adapters import read_manifest, read_scorecard
from weakspot.pipeline.deploy import deploy
from weakspot.pipeline.forget import forget, retrain
from weakspot.pipeline.process import process
from weakspot.pipeline.status import status
from weakspot.pipeline.train import train
from weakspot.pipeline.validate import validate
from weakspot.records import Decision, Snapshot, UnheardWish
from weakspot.storage import append_log, atomic
from weakspot.workspace import AdapterName
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
    assert files_with(workspace, gone.query.text) == set()
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
    assert files_with(workspace, row.query) == set()
    after = read_scorecard(workspace, name)
    assert after is not None
    assert (after.verdict, len(after.rows)) == (card.verdict, len(card.rows))
    assert next(r for r in after.rows if r.interaction_id == row.interaction_id).expert == "(forgotten)"


MARK = "ZEBRAQUAGGA7731"


def test_no_byte_of_the_workspace_has_its_words(workspace, config, interaction, example, capture):
    """It was edited, captured twice, overheard, in three snapshots, and in what killed writers left."""
    marked = interaction(f"What is {MARK}?", f"{MARK} is so.", local=f"{MARK} may be.", interaction_id="int_marked")
    twin = marked.with_metadata({"interaction_id": "int_twin"})
    for n in range(3):
        capture(workspace, [marked, twin, example(0)] if n == 0 else [example(n)])
        process(workspace, config)
    review.edit(workspace, config, marked, f"{MARK} what?", f"{MARK} is thus.")
    process(workspace, config)
    moment = "2026-01-01T00:00:00.000Z"
    overheard = [UnheardWish(timestamp=moment, client="c", words=words) for words in (f"What is {MARK}?", "another")]
    append_log.append(workspace.unheard, [one.to_json() for one in overheard])
    for scrap in (workspace.processed / ".all.jsonl.1.tmp", workspace.snapshots / ".v1.2.tmp" / "file"):
        scrap.parent.mkdir(exist_ok=True)
        scrap.write_text(MARK)
    names = workspace.snapshot_names()
    before = {name: atomic.sha256(workspace.snapshot_manifest(name)) for name in names}
    assert len(files_with(workspace, MARK)) > 10
    done = forget(workspace, config, "int_marked")
    assert (done.lines, done.snapshots) == (2, names)
    assert files_with(workspace, MARK) == set()
    assert len(list(append_log.read_lines(workspace.unheard))) == 1
    for name in names:
        manifest = Snapshot.from_json(workspace.snapshot_manifest(name).read_bytes())
        assert manifest.earlier == [before[name]]
        held = list(append_log.read_lines(workspace.snapshot(name) / "processed" / workspace.all_examples.name))
        assert manifest.counts["examples"] == len(held)
        assert list(atomic.changed_files(workspace.snapshot(name), manifest.files)) == []
    assert validate(workspace, config, None).verdict != "failures"
    assert not process(workspace, config).changed
    assert "int_marked" in load_decisions(workspace).forgotten


def test_the_capture_that_stands_for_its_duplicates_goes_with_them(workspace, config, interaction, example, capture):
    marked = interaction(f"What is {MARK}?", "So.", interaction_id="int_first")
    capture(workspace, [marked, marked.with_metadata({"interaction_id": "int_second"}), example(1)])
    old = process(workspace, config).snapshot
    assert forget(workspace, config, "int_second").snapshots == [old]
    assert files_with(workspace, MARK) == set()


def test_an_interrupted_forgetting_is_finished_by_the_next(
    workspace, config, interaction, example, capture, monkeypatch
):
    marked = interaction(f"What is {MARK}?", "So.", interaction_id="int_marked")
    capture(workspace, [marked, *(example(n) for n in range(5))])
    (name,) = [process(workspace, config).snapshot]
    for step in ("_erase_matching", "process", "snapshots_with", "_mark", "erase_from_snapshot", "_remove_scraps"):
        with monkeypatch.context() as patch:
            patch.setattr(f"weakspot.pipeline.forget.{step}", raise_interrupt)
            with pytest.raises(KeyboardInterrupt):
                forget(workspace, config, "int_marked")
    assert forget(workspace, config, "int_marked").snapshots == [name]
    assert files_with(workspace, MARK) == set()


def raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
def test_nothing_of_a_deployment_has_its_words_either(evaluated, split):
    workspace, config = evaluated
    (name,) = workspace.adapter_names("colours")
    deploy(workspace, config, "colours", allow_unproven=True)
    manifest = workspace.merged_manifest(name)
    row = next(e for e in reading.load_split(workspace, split, "colours"))
    older = merged.load_manifest(workspace, name).model_copy(update={"sample": {"query": row.query.text}})
    assert merged.load_manifest(workspace, name).sample == {}
    atomic.write_atomically(manifest, older.to_document())
    assert files_with(workspace, row.query.text)
    done = forget(workspace, config, row.id)
    assert done.adapters == [str(name)]
    assert files_with(workspace, row.query.text) == set()
    assert forget(workspace, config, row.id).adapters == [str(name)]
    assert read_manifest(workspace, name)


# what learnt from it is trained anew


@pytest.fixture
def shown(weakspot):
    """Forget with --retrain on the command line; give back the lines."""

    def run(identity: str, *more: str) -> list[str]:
        status, out, err = weakspot("forget", identity, "--retrain", *more)
        assert (status, err) == (0, "")
        return out.splitlines()

    return run


@pytest.mark.slow
def test_the_adapter_that_learned_from_it_is_trained_anew_without_it_with_its_own_settings(trained, shown):
    workspace, config = trained
    (old,) = workspace.adapter_names("colours")
    before = read_manifest(workspace, old)
    assert before.settings["train"]["max_steps"] != config.train.max_steps
    gone = reading.load_split(workspace, "train", "colours")[0]
    lines = shown(gone.id, *("--set", f"status.retrain_streak={config.status.retrain_streak}"))
    new = read_manifest(workspace, AdapterName("colours", 2))
    assert (new.settings, new.base, new.examples) == (before.settings, before.base, before.examples - 1)
    assert lines[-2:] == [
        "next: weakspot evaluate colours",
        "then: weakspot deploy colours; until then the one in service stays there",
    ]
    assert ids(workspace.adapter_forgotten(old)) == [gone.id]
    assert not workspace.adapter_forgotten(AdapterName("colours", 2)).exists()
    assert [one.due for one in status(workspace, config).domains if one.domain == "colours"] == [""]
    assert files_with(workspace, gone.query.text) == set()
    # The second time there is a successor.
    assert shown(gone.id)[-1] == "no adapter to train anew"
    assert len(workspace.adapter_names("colours")) == 2
    assert json.loads(shown(gone.id, "--json")[0])["retrained"] == []


@pytest.mark.slow
def test_each_adapter_keeps_its_own_settings_and_is_trained_if_an_earlier_try_was_interrupted(trained, monkeypatch):
    workspace, config = trained
    train(workspace, changed(config, "train", max_steps=2), "multi-domain")
    gone = reading.load_split(workspace, "train", "colours")[0]
    with monkeypatch.context() as patch:
        patch.setattr("weakspot.pipeline.forget.train_together", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            retrain(workspace, config, forget(workspace, config, gone.id).adapters)
    again = forget(workspace, config, gone.id).adapters
    done = retrain(workspace, config, again)
    assert again == ["colours-lora-v1", "multi-domain-lora-v1"]
    assert done.untrainable == []
    assert [(one.name, one.settings["train"]["max_steps"]) for one in done.adapters] == [
        ("colours-lora-v2", 40),
        ("multi-domain-lora-v2", 2),
    ]


@pytest.mark.slow
def test_a_domain_of_which_nothing_is_left_is_named(trained, shown):
    workspace, config = trained
    gone, *others = (one for one in reading.read_examples(workspace.all_examples) if one.domain == "colours")
    decide(workspace, config, [(one.id, "refuse", None) for one in others])
    assert shown(gone.id)[-1] == (
        "colours: no training example is left; take its adapter out of service: weakspot rollback colours"
    )
    assert retrain(workspace, config, ["colours-lora-v1"]).untrainable == ["colours"]


@pytest.mark.slow
def test_settings_of_another_version_are_one_line(trained):
    workspace, config = trained
    (name,) = workspace.adapter_names("colours")
    manifest = read_manifest(workspace, name)
    odd = {**manifest.settings, "train": {"of_another_version": 1}}
    atomic.write_atomically(
        workspace.adapter_manifest(name), manifest.model_copy(update={"settings": odd}).to_document()
    )
    with pytest.raises(UserError, match="its settings are of another version of weakspot; run 'weakspot train colou"):
        retrain(workspace, config, [str(name)])


def test_without_what_training_needs_nothing_is_forgotten(workspace, example, capture, weakspot, monkeypatch):
    capture(workspace, [example(1, interaction_id="int_1")])
    monkeypatch.setattr(loading, "_LIBRARIES", ("torch", "no_such_library"))
    before = workspace.raw.read_bytes()
    status, out, err = weakspot("forget", "int_1", "--retrain")
    assert (status, out) == (1, "")
    assert err == "weakspot: no_such_library not installed; run: pip install 'zddc[train]'\n"
    assert workspace.raw.read_bytes() == before
    assert not workspace.decisions.exists()
    assert weakspot("forget", "int_1")[0] == 0


def test_where_no_adapter_learned_from_it_there_is_nothing_to_train(workspace, example, capture, shown):
    capture(workspace, [example(1, interaction_id="int_1")])
    assert shown("int_1") == ["forgot int_1: 1 line erased", "no adapter to train anew"]
