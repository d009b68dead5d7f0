"""Training: what it sees, what it leaves behind, and that nothing it leaves is half done."""

import json
import os
import shutil
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import replace

import pytest
from tests import forked

from weakspot import config as configuration
from weakspot.config import Config
from weakspot.dataset.reading import read_examples
from weakspot.models import adapter_files
from weakspot.pipeline import train as stage
from weakspot.pipeline.train import train, train_together
from weakspot.records import AdapterManifest
from weakspot.training.adapter_trainer import StepMetrics
from weakspot.training.distributed import Ranks
from weakspot.training.preparation import TrainOptions, preflight, prepare
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
NAME = AdapterName("colours", 1)


def changed(config, **settings):
    return config.model_copy(update={"train": config.train.model_copy(update=settings)})


def test_the_preflight_tells_what_a_run_will_do(taught):
    workspace, config = taught
    (plan,) = preflight(workspace, config, ["colours"]).runs
    assert (plan.adapter, plan.examples, plan.val_examples, plan.steps) == ("colours-lora-v1", 48, 6, 12)
    assert (plan.layers_touched, plan.layers) == (2, 2)
    assert plan.sample_target.endswith('"}<|im_end|>')
    assert plan.sample_prompt.endswith("<|im_start|>assistant\n")
    assert 0 < plan.supervised_share < 0.5
    assert not workspace.adapters.exists()


def test_a_domain_is_trained_on_its_share_of_train_only(taught):
    workspace, config = taught
    (prepared,) = prepare(workspace, config, ["colours"], TrainOptions()).adapters
    train_ids = {one.id for one in read_examples(workspace.split("train"))}
    val_ids = {one.id for one in read_examples(workspace.split("val"))}
    own = {one.id for one in read_examples(workspace.examples("colours"))}
    assert {one.id for one in prepared.data} == train_ids & own
    assert {one.id for one in prepared.val} == val_ids & own


def test_of_several_processes_the_first_alone_tells_of_its_steps(taught, capfd):
    workspace, config = taught
    prepared = prepare(workspace, config, ["colours"], TrainOptions())
    metrics = workspace.adapter_metrics(NAME)
    for number in (1, 0):
        with ExitStack() as files:
            (run,) = stage._open_runs(workspace, replace(prepared, ranks=Ranks(number, 2)), "", files)
            run.on_step(StepMetrics(1, 2.5, 1e-3, 1.0, 100, 10))
        assert metrics.exists() == (number == 0)
    assert json.loads(metrics.read_text())["loss"] == 2.5
    assert capfd.readouterr() == ("", "")


def test_no_domain_is_all_of_train(taught):
    workspace, config = taught
    assert preflight(workspace, config, ["multi-domain"]).runs[0].examples == len(
        workspace.split("train").read_text().splitlines()
    )


def test_an_adapter_is_whole_when_its_manifest_is_there(taught):
    workspace, config = taught
    manifest = train(workspace, config, "colours")
    assert manifest == AdapterManifest.from_json(workspace.adapter_manifest(NAME).read_bytes())
    assert (manifest.examples, manifest.domain_examples, manifest.steps, manifest.seed) == (48, 60, 12, 42)
    assert manifest.snapshot == workspace.snapshot_names()[-1]
    assert manifest.settings["lora"]["rank"] == 4
    names = {file.name for file in workspace.adapter(NAME).iterdir()}
    wanted = {adapter_files.SETTINGS, adapter_files.WEIGHTS, "README.md", "loss.png", "metrics.jsonl", "manifest.json"}
    assert names == wanted
    steps = [json.loads(line) for line in workspace.adapter_metrics(NAME).read_text().splitlines()]
    assert [step["step"] for step in steps] == list(range(1, 13))
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert all(step["gradient_norm"] > 0 for step in steps)
    assert workspace.adapter_curve(NAME).read_bytes().startswith(b"\x89PNG")


def test_versions_count_up(taught):
    workspace, config = taught
    assert train(workspace, changed(config, max_steps=1), "colours").name == "colours-lora-v1"
    assert train(workspace, changed(config, max_steps=1), "colours").name == "colours-lora-v2"


def test_the_same_data_and_seed_give_the_same_bytes_and_another_seed_another_adapter(taught):
    workspace, config = taught
    for seed in (config.train.seed, config.train.seed, 1):
        train(workspace, changed(config, seed=seed), "colours")
    first, second, other = (workspace.adapter(AdapterName("colours", n)) / adapter_files.WEIGHTS for n in (1, 2, 3))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_domains_are_trained_in_one_pass_and_each_is_what_it_is_alone(taught):
    workspace, config = taught
    announced = []
    together = train_together(workspace, config, ["numbers", "colours"], announced.append)
    assert [one.name for one in together] == ["numbers-lora-v1", "colours-lora-v1"]
    assert [run.adapter for run in announced[0].runs] == ["numbers-lora-v1", "colours-lora-v1"]
    for domain, manifest in zip(("numbers", "colours"), together, strict=True):
        alone = train(workspace, config, domain)
        assert alone.name == f"{domain}-lora-v2"
        assert (manifest.examples, manifest.steps, manifest.best_step) == (alone.examples, alone.steps, alone.best_step)
        assert manifest.train_loss == pytest.approx(alone.train_loss, rel=1e-3)
        assert manifest.val_loss == pytest.approx(alone.val_loss, rel=1e-3)
        names = {file.name for file in workspace.adapter(AdapterName(domain, 1)).iterdir()}
        assert names == {file.name for file in workspace.adapter(AdapterName(domain, 2)).iterdir()}


def test_a_domain_named_twice_is_one_line(taught):
    workspace, config = taught
    with pytest.raises(UserError, match="train: colours is named twice; name each domain once"):
        train_together(workspace, config, ["colours", "colours"])


@pytest.mark.parametrize("objective", ["dpo", "orpo"])
def test_an_adapter_may_learn_to_prefer_the_experts_answer(taught, objective):
    workspace, config = taught
    config = changed(config, objective=objective, max_steps=24)
    (plan,) = preflight(workspace, config, ["colours"]).runs
    assert plan.pairs == plan.examples == 48
    manifest = train(workspace, config, "colours")
    steps = [json.loads(line) for line in workspace.adapter_metrics(NAME).read_text().splitlines()]
    assert all(0 <= step["preferred"] <= 1 for step in steps)
    assert sum(step["preferred"] for step in steps[-6:]) > sum(step["preferred"] for step in steps[:6])
    assert manifest.settings["train"]["objective"] == objective


def test_a_preference_without_any_local_answer_is_one_line(workspace, taught, interaction, capture):
    _, config = taught
    from weakspot.pipeline.process import process

    capture(workspace, [interaction(f"What is {n * 7919}?", "It.", local="It.", domain="same") for n in range(30)])
    process(workspace, config)
    with pytest.raises(UserError, match="same: has no local answer, which dpo needs; use objective sft"):
        train(workspace, changed(config, objective="dpo"), "same")


def test_a_sweep_keeps_the_best_of_its_variants_and_says_what_became_of_the_others(taught):
    workspace, config = taught
    sweep = config.sweep.model_copy(update={"learning_rates": [1e-9], "ranks": [2]})
    config = config.model_copy(update={"sweep": sweep})
    (manifest,) = train_together(workspace, config, ["colours"], how=TrainOptions(sweep=True))
    tried = json.loads(workspace.adapter_sweep(NAME).read_text())
    assert [(one["learning_rate"], one["rank"]) for one in tried] == [(1e-9, 2), (1e-9, 4), (1e-2, 2), (1e-2, 4)]
    (chosen,) = (one for one in tried if one["chosen"])
    assert chosen["val_loss"] == min(one["val_loss"] for one in tried) == manifest.val_loss
    assert chosen["learning_rate"] == manifest.settings["train"]["learning_rate"] == 1e-2
    assert chosen["rank"] == manifest.settings["lora"]["rank"]
    assert json.loads((workspace.adapter(NAME) / adapter_files.SETTINGS).read_text())["r"] == chosen["rank"]
    # Those that learn nothing leave at the first rung.
    assert [one["steps"] < 12 for one in tried[:2]] == [True, True]
    assert len(workspace.adapter_metrics(NAME).read_text().splitlines()) == manifest.steps == chosen["steps"]
    assert not workspace.adapter_checkpoint(NAME).exists()


SETTINGS = ["lora.rank=4", "train.learning_rate=1e-2", "train.max_length=128"]
SETTINGS += ["train.max_steps=24", "train.save_steps=2", "train.eval_steps=5"]


def settings(config) -> list[str]:
    return [f"model.base={config.model.base}", *SETTINGS]


def command(workspace, config, *domains) -> list[str]:
    options = [part for setting in settings(config) for part in ("--set", setting)]
    return ["train", *domains, "--workspace", str(workspace.root), "--json", *options]


@pytest.mark.timeout(900)  # several processes, one after the other
@pytest.mark.parametrize(
    ("domains", "points"),
    [(["colours"], (1, 5, 9, 14, 22) if SOAK else (1, 9, 22)), (["colours", "numbers"], (3, 13))],
    ids=["one", "two"],
)
def test_kill_9_at_any_point_ends_with_the_bytes_of_an_uninterrupted_run(taught, tmp_path, domains, points):
    """Killed somewhere between what is told of a step and of the next; the uninterrupted run is this process' own."""
    workspace, config = taught
    other = Workspace(tmp_path / "other")
    shutil.copytree(workspace.root, other.root)
    line = command(workspace, config, *domains)
    metrics = workspace.adapter_metrics(NAME)
    for steps in points:
        metrics.unlink(missing_ok=True)
        tells = len(domains) * (steps - 1) + 1
        with forked.begun(tmp_path / f"killed-{steps}", forked.weakspot_held, tells, *line) as running:
            running.until(lambda: metrics.exists() and len(metrics.read_bytes().splitlines()) >= steps)  # noqa: B023
            running.kill()
            assert running.status() == -signal.SIGKILL
        assert not workspace.adapter_manifest(NAME).exists()
        assert workspace.newest_adapter("colours") is None
    with forked.begun(tmp_path / "ended", forked.weakspot, *line) as ended:
        assert ended.status() == 0, ended.err
    train_together(other, configuration.load(other.config_file, settings(config)), domains)
    for domain in domains:
        killed, whole = (one.adapter(AdapterName(domain, 1)) for one in (workspace, other))
        assert (killed / adapter_files.WEIGHTS).read_bytes() == (whole / adapter_files.WEIGHTS).read_bytes()
        assert (killed / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


def test_a_domain_that_does_not_exist_names_those_that_do(taught):
    workspace, config = taught
    with pytest.raises(UserError, match=r"no examples of this domain; choose from colours, .*numbers"):
        train(workspace, config, "colors")


def test_splits_that_no_snapshot_holds_are_not_trained_on(taught):
    workspace, config = taught
    lines = workspace.split("train").read_text().splitlines(keepends=True)
    workspace.split("train").write_text("".join(lines[1:]))
    with pytest.raises(UserError, match="is not what the newest snapshot holds; run 'weakspot process'"):
        train(workspace, config, "colours")


def test_without_a_dataset_it_says_what_to_run(workspace, config):
    with pytest.raises(UserError, match="run 'weakspot process'"):
        train(workspace, config, "multi-domain")


def test_a_base_that_is_missing_is_one_line_and_leaves_nothing(taught):
    workspace, config = taught
    gone = config.model_copy(update={"model": config.model.model_copy(update={"base": "./nowhere"})})
    with pytest.raises(UserError, match="no such folder"):
        train(workspace, gone, "colours")
    assert not workspace.adapters.exists()


def test_a_rate_that_breaks_the_run_is_one_line_and_no_adapter(taught):
    workspace, config = taught
    with pytest.raises(UserError, match=r"step \d+: .*; lower \[train\] learning_rate"):
        train(workspace, changed(config, learning_rate=1e30, max_grad_norm=1e30), "colours")
    assert workspace.adapter_names() == []


def test_examples_that_cannot_be_trained_on_are_named(taught, interaction, capture):
    workspace, config = taught
    from weakspot.pipeline.process import process

    odd = [interaction(f"What is control {n}?", f"<|im_end|> is token {n * 991}.", domain="colours") for n in range(12)]
    capture(workspace, odd)
    process(workspace, config)
    (plan,) = preflight(workspace, config, ["colours"]).runs
    assert plan.left_out
    assert set(plan.left_out.values()) == {"control-token: holds the control token <|im_end|>"}


def test_a_full_disk_is_one_line_and_damages_nothing(taught, tmp_path):
    workspace, config = taught
    mount = workspace.adapters
    mount.mkdir(mode=0o700)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k,mode=700", "none", str(mount)], check=False, capture_output=True
    ).returncode:
        pytest.skip("mounting a small file system needs root")
    line = command(workspace, config, "colours")
    try:
        with forked.begun(tmp_path / "full", forked.weakspot, *line) as done:
            assert done.status() == 1
            assert "no space left on device; free some space" in done.err
            assert len(done.err.strip().splitlines()) == 1
        assert workspace.adapter_names() == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)
    with forked.begun(tmp_path / "free", forked.weakspot, *line) as done:
        assert done.status() == 0, done.err
    assert workspace.newest_adapter("colours") == NAME


def test_two_trainings_at_once_are_refused(taught):
    workspace, config = taught
    from weakspot.storage import atomic

    with (
        atomic.hold_lock(workspace.lock, "train"),
        pytest.raises(UserError, match="another process, train or deploy is running"),
    ):
        train(workspace, config, "colours")


def test_defaults_are_those_that_the_documents_promise():
    train_, lora_ = Config().train, Config().lora
    assert (lora_.rank, lora_.alpha, lora_.dropout) == (64, 64, 0.05)
    assert lora_.target_modules == ["q_proj", "k_proj", "v_proj", "o_proj"]
    assert (train_.learning_rate, train_.warmup_ratio, train_.weight_decay, train_.epochs) == (1e-4, 0.1, 0.01, 3)
    assert (train_.batch_size, train_.gradient_accumulation, train_.max_length, train_.seed) == (4, 2, 2048, 42)
    assert Config().model.base == "Qwen/Qwen2.5-7B-Instruct"
