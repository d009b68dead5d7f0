"""A base whose experts are quantised goes the whole way: planned, trained, evaluated, proved, merged, proved again."""

import dataclasses
import gc
import json
import shutil

import pytest
import torch
from tests.weakspot import small
from tests.weakspot.architectures import ARCHITECTURES
from tests.weakspot.conftest import changed, examples

from weakspot import config as configuration
from weakspot.deployment.control import run_control
from weakspot.deployment.targets import merged
from weakspot.deployment.types import Candidate
from weakspot.models import loading, weight_files
from weakspot.models.adapters import read_manifest, read_scorecard
from weakspot.models.loading import Base
from weakspot.pipeline.evaluate import evaluate
from weakspot.pipeline.process import process
from weakspot.pipeline.quantize import quantize
from weakspot.pipeline.train import train
from weakspot.training import activation_memory, loop, lora_layers, memory_plan, preparation
from weakspot.training.adapter_trainer import TrainingRun
from weakspot.training.memory_plan import Machine
from weakspot.training.preparation import TrainOptions, preflight
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow
NEXT = next(one for one in ARCHITECTURES if one.kind == "qwen3_next")


@pytest.fixture(scope="module")
def base(embedded, tmp_path_factory):
    """A tiny Qwen3-Coder-Next with a tokenizer."""
    folder = tmp_path_factory.mktemp("base") / "next"
    small.make(embedded, folder)
    for file in (*folder.glob("*.safetensors"), folder / "config.json", folder / "generation_config.json"):
        file.unlink(missing_ok=True)
    dataclasses.replace(NEXT, settings=NEXT.settings | {"num_hidden_layers": 4}).save(folder)
    return folder


@pytest.fixture
def ready(base, workspace, interaction, capture, tmp_path):
    """A processed workspace on the quantised base, and its settings."""
    done = quantize(str(base), tmp_path / "next-nvfp4")
    capture(workspace, examples(interaction))
    config = configuration.load(
        workspace.config_file,
        [
            f"model.base={done.folder}", "lora.rank=4", "lora.target_modules=attention", "train.learning_rate=2e-2",
            "train.max_steps=4", "train.max_length=128", "evaluate.max_new_tokens=4", "evaluate.retrieval=false",
            "deploy.proof_prompts=2",
        ],
    )  # fmt: skip
    process(workspace, config)
    return workspace, config, done


def test_the_whole_way_on_the_same_bits(ready):
    workspace, config, done = ready
    plan = preflight(workspace, config, ["colours"])
    stored = sum(one.size for one in weight_files.read_tensors(done.folder).values())
    assert plan.memory.weights == pytest.approx(stored, rel=0.01)
    train(workspace, config, "colours")
    name = AdapterName("colours", 1)
    manifest = read_manifest(workspace, name)
    assert manifest.base.location == str(done.folder.resolve())
    evaluate(workspace, config, "colours")
    assert workspace.reference_answers(name).exists()
    candidate = Candidate(name, manifest, read_scorecard(workspace, name))
    found = merged.write(workspace, config, candidate)
    assert found.proof.difference < 1e-3 < found.proof.change
    tensors = weight_files.read_tensors(workspace.merged(name))
    assert {one.dtype for one in tensors.values()} == {"F32", "U8", "F8_E4M3"}
    experts = {tensor: one for tensor, one in tensors.items() if ".experts." in tensor}
    before = weight_files.read_tensors(done.folder)
    for tensor, one in list(experts.items())[:9]:
        with one.file.open("rb") as ours, before[tensor].file.open("rb") as theirs:
            ours.seek(one.start)
            theirs.seek(before[tensor].start)
            assert ours.read(one.size) == theirs.read(one.size)
    control = run_control(workspace, config, candidate)
    assert (control.same_answers, control.difference < 1e-4) == (control.prompts, True)


def test_training_holds_the_bits_and_what_is_planned_of_tensors(ready, tmp_path):
    workspace, config, _ = ready
    config = changed(config, "train", precision="fp32", max_steps=2)
    prepared = preparation.prepare(workspace, config, ["colours"], preparation.ONCE_HERE, Machine.parse_gpu("24GB"))
    model = loading.load_model(prepared.base, prepared.dtype, on_cpu=True)
    held = sum(one.nbytes for one in model.state_dict().values())
    with activation_memory.count_new_bytes([*model.parameters(), *model.buffers()]) as counter:
        adapters = lora_layers.attach(model, prepared.shape.modules)
        (one,) = prepared.adapters
        run = TrainingRun("counted", one.data, one.val, config.train, config.lora, tmp_path / "checkpoint", "")
        loop.train(model, adapters, [run], budget=prepared.memory.micro_batch_tokens)
    plan = prepared.memory
    assert held == pytest.approx(plan.weights, rel=0.01)
    assert 0.9 < counter.peak / (plan.adapters + plan.activations) <= 1.0


def test_the_plan_for_a_base_that_is_to_be_quantised_is_that_of_the_quantised_one(ready, base):
    workspace, config, _ = ready
    quantised = preflight(workspace, config, ["colours"], "24GB")
    config = changed(config, "model", base=str(base))
    plain = preflight(workspace, config, ["colours"], "24GB")
    planned = preflight(workspace, config, ["colours"], "24GB", TrainOptions(quantised_experts=True))
    assert planned.memory == quantised.memory
    assert planned.memory.weights < plain.memory.weights


def test_objects_are_collected_again_after_a_plan(ready, monkeypatch):
    workspace, config, _ = ready
    seen = []

    def plan(*_given, **_options):
        seen.append(gc.isenabled())
        raise UserError("memory", "cannot be told", "ask again")

    monkeypatch.setattr(memory_plan, "plan_memory", plan)
    with pytest.raises(UserError, match="cannot be told"):
        preflight(workspace, config, ["colours"])
    assert (seen, gc.isenabled()) == ([False], True)


def test_four_bits_on_experts_and_on_a_class_that_loses_by_them_are_remarked_on(ready, base, monkeypatch):
    workspace, config, _ = ready
    monkeypatch.setattr(loading, "require_loadable", lambda *_, **__: None)
    four_bit = changed(changed(config, "model", base=str(base)), "train", load_in_4bit=True)
    (remark,) = preflight(workspace, four_bit, ["colours"], "24GB").remarks
    assert remark == "load_in_4bit: the routed experts stay in full precision; 'weakspot quantize' makes them small"
    (remark,) = preflight(workspace, changed(config, "model", base=str(base)), ["colours"], "0.001GB").remarks
    assert remark.startswith("memory: 'weakspot quantize' makes routed experts small")


def test_the_commands_say_what_they_made_and_what_is_next(base, tmp_path, weakspot):
    out = tmp_path / "made"
    status, said, _ = weakspot("quantize", str(base), "--experts", "nvfp4", "--out", str(out))
    assert status == 0
    assert said.startswith(f"wrote {out}: routed experts in nvfp4 10.5 kB, the rest 624.1 kB\nnext: set [model] base")
    status, _, err = weakspot("quantize", str(base), "--out", str(out))
    assert (status, f"{out}: is there already; give another --out, or remove it" in err) == (1, True)
    shutil.rmtree(out)
    status, said, _ = weakspot("quantize", str(base), "--out", str(out), "--json")
    assert (status, json.loads(said)["folder"]) == (0, str(out))
    status, _, err = weakspot("train", "--experts", "nvfp4")
    assert (status, "--experts: is for a plan only; give --dry-run with it" in err) == (1, True)
    model = loading.load_model(Base("x", str(out), None), torch.float32, on_cpu=True)
    assert model(torch.arange(9)[None]).logits.isfinite().all()
