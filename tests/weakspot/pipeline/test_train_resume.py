"""An unfinished run is gone on from by the very same run, and by no other."""

import json
import shutil
from pathlib import Path

import pytest

from weakspot.models import adapter_files
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.training import checkpoints, metrics
from weakspot.training.adapter_trainer import AdapterTrainer
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)
STEPS, KEPT = 6, 4


def changed(config, table: str, **settings):
    return config.model_copy(update={table: getattr(config, table).model_copy(update=settings)})


@pytest.fixture
def cut(made_once, prepared, tiny_base, tmp_path):
    """A workspace whose training broke off after a checkpoint, one that was never trained on, and their settings."""
    taught, config = prepared
    config = changed(config, "train", max_steps=STEPS, eval_steps=2)

    def broken_off(folder: Path) -> None:
        shutil.copytree(taught("taught"), folder, dirs_exist_ok=True)
        break_off(Workspace(folder), config)

    workspace, fresh = Workspace(tmp_path / "cut"), Workspace(tmp_path / "fresh")
    shutil.copytree(made_once("broken-off", broken_off), workspace.root)
    shutil.copytree(taught("taught"), fresh.root)
    base = shutil.copytree(tiny_base, tmp_path / "base")
    assert checkpoints.find_steps(workspace.adapter_checkpoint(NAME)) == [KEPT]
    return workspace, fresh, changed(config, "model", base=str(base))


def break_off(workspace: Workspace, config) -> None:
    """Train, and break off one step after the last checkpoint."""
    teller = metrics.metrics_writer

    def until_it_breaks_off(*given):
        tell = teller(*given)

        def on_step(progress):
            tell(progress)
            if progress.step == KEPT + 1:
                raise KeyboardInterrupt

        return on_step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "metrics_writer", until_it_breaks_off)
        with pytest.raises(KeyboardInterrupt):
            train(workspace, config, "colours")


@pytest.fixture
def steps_made(monkeypatch) -> list[int]:
    """The steps that are made, those before a checkpoint aside."""
    made, learn = [], AdapterTrainer.apply_step

    def noted(learner, *given):
        progress = learn(learner, *given)
        made.append(progress.step)
        return progress

    monkeypatch.setattr(AdapterTrainer, "apply_step", noted)
    return made


def trained(workspace, config) -> tuple[bytes, list[dict]]:
    """Train, and return the weights and what was told of each step."""
    train(workspace, config, "colours")
    told = workspace.adapter_metrics(NAME).read_text(encoding="utf-8").splitlines()
    return (workspace.adapter(NAME) / adapter_files.WEIGHTS).read_bytes(), [json.loads(line) for line in told]


def test_the_same_run_makes_the_rest_of_its_steps_only(cut, steps_made):
    workspace, fresh, config = cut
    resumed = trained(workspace, config)
    assert steps_made == list(range(KEPT + 1, STEPS + 1))
    assert resumed == trained(fresh, config)
    assert not workspace.adapter_checkpoint(NAME).exists()


@pytest.mark.parametrize(
    ("table", "setting"),
    [
        ("train", {"seed": 7}),
        ("train", {"learning_rate": 2e-2}),
        ("lora", {"rank": 8}),
        ("lora", {"alpha": 8}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_another_setting_begins_anew(cut, steps_made, table, setting):
    workspace, fresh, config = cut
    other = changed(config, table, **setting)
    found = trained(workspace, other)
    assert steps_made == list(range(1, STEPS + 1))
    assert found == trained(fresh, other)


@pytest.mark.parametrize("split", ["train", "val"])
def test_other_data_begin_anew(cut, steps_made, split):
    """Of the same number of examples one has other words."""
    workspace, fresh, config = cut
    changed_id = next(
        one["metadata"]["interaction_id"]
        for one in map(json.loads, workspace.split(split).read_text(encoding="utf-8").splitlines())
        if one["metadata"]["domain"] == "colours"
    )
    for place in (workspace, fresh):
        lines = [json.loads(line) for line in place.raw.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            if line["metadata"]["interaction_id"] == changed_id:
                line["messages"][-1]["content"] = '{"colour": "violet"}'
        place.raw.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        before = [len(place.split(one).read_bytes().splitlines()) for one in ("train", "val", "test")]
        process(place, config)
        assert before == [len(place.split(one).read_bytes().splitlines()) for one in ("train", "val", "test")]
    found = trained(workspace, config)
    assert steps_made == list(range(1, STEPS + 1))
    assert found == trained(fresh, config)


def test_other_weights_of_the_base_are_refused(cut, steps_made):
    workspace, _, config = cut
    file = Path(config.model.base) / "model.safetensors"
    kept = file.read_bytes()
    file.write_bytes(kept[:-4] + b"1234")
    with pytest.raises(
        UserError, match=r"was begun on other weights of the base; restore that base, or remove .*checkpoint"
    ):
        train(workspace, config, "colours")
    assert not steps_made
    file.write_bytes(kept)
    trained(workspace, config)
    assert steps_made == list(range(KEPT + 1, STEPS + 1))


def test_a_base_that_was_moved_is_the_same(cut, steps_made, tmp_path):
    workspace, _, config = cut
    moved = Path(config.model.base).rename(tmp_path / "moved")
    trained(workspace, changed(config, "model", base=str(moved)))
    assert steps_made == list(range(KEPT + 1, STEPS + 1))


def test_weights_that_change_while_an_adapter_is_trained_are_told(taught, tiny_base, tmp_path, monkeypatch):
    workspace, config = taught
    base = shutil.copytree(tiny_base, tmp_path / "base")
    config = changed(changed(config, "model", base=str(base)), "train", max_steps=1)
    teller = metrics.metrics_writer

    def replaced_meanwhile(*given):
        (base / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes()[:-4] + b"1234")
        return teller(*given)

    monkeypatch.setattr(metrics, "metrics_writer", replaced_meanwhile)
    with pytest.raises(UserError, match="the weights of its base changed meanwhile"):
        train(workspace, config, "colours")
    assert not workspace.adapter_manifest(NAME).exists()


def test_a_setting_that_no_run_depends_on_makes_no_other_run(cut, steps_made):
    workspace, _, config = cut
    trained(workspace, changed(config, "evaluate", batch_size=1))
    assert steps_made == list(range(KEPT + 1, STEPS + 1))
