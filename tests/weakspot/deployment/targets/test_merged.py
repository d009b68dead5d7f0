"""A merged model answers as base and adapter do, or there is none."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from weakspot.deployment.targets import merged as merged_models
from weakspot.deployment.targets.merged import load_manifest
from weakspot.deployment.types import Candidate
from weakspot.models import adapter_files, loading, merge
from weakspot.models.adapters import read_manifest, read_scorecard
from weakspot.models.loading import Base
from weakspot.records import MergedManifest
from weakspot.storage import atomic
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)


def write(workspace, config):
    return merged_models.write(workspace, config, candidate(workspace))


def candidate(workspace) -> Candidate:
    return Candidate(NAME, read_manifest(workspace, NAME), read_scorecard(workspace, NAME))


def test_an_adapter_becomes_a_standalone_model(accepted):
    workspace, config = accepted
    done = write(workspace, config)
    assert done == MergedManifest.from_json(workspace.merged_manifest(NAME).read_bytes())
    assert done.proof.difference < 1e-3 < done.proof.change
    assert done.proof.prompts == done.proof.same_answers == 8
    assert done.sample == {}
    base = Base("merged", str(workspace.merged(NAME)), None)
    merged, tokenizer = loading.load_model(base, torch.float32), loading.load_tokenizer(base)
    plain = loading.load_model(Base("tiny", config.model.base, None), torch.float32)
    ids = torch.tensor([tokenizer("Which colour?")["input_ids"]])
    wanted = adapter_files.load(plain, workspace.adapter(NAME))(input_ids=ids).logits
    torch.testing.assert_close(merged(input_ids=ids).logits, wanted, rtol=1e-3, atol=1e-4)


def test_writing_it_again_does_nothing(merged):
    workspace, config = merged
    before = {file: atomic.FileState.of(file) for file in workspace.merged(NAME).iterdir()}
    write(workspace, config)
    assert {file: atomic.FileState.of(file) for file in workspace.merged(NAME).iterdir()} == before


def test_a_merge_that_answers_otherwise_is_not_deployed(accepted, monkeypatch):
    workspace, config = accepted
    real = merge.merge

    def lossy(base, adapter, target, advance):
        real(base, adapter, target, advance)
        tensors = load_file(target / "model.safetensors")
        name = "model.layers.0.self_attn.o_proj.weight"
        save_file({**tensors, name: tensors[name] + 1}, target / "model.safetensors", {"format": "pt"})
        return 1

    monkeypatch.setattr(merged_models.merge, "merge", lossy)
    with pytest.raises(UserError, match="is not applied as trained"):
        write(workspace, config)
    assert not workspace.merged(NAME).exists()
    assert load_manifest(workspace, NAME) is None


def test_an_adapter_that_changes_nothing_is_refused(trained):
    workspace, config = trained
    manifest = read_manifest(workspace, NAME)
    weights = workspace.adapter(NAME) / adapter_files.WEIGHTS
    tensors = {key: one * ("lora_B" not in key) for key, one in load_file(weights).items()}
    save_file(tensors, weights, {"format": "pt"})
    zeroed = manifest.model_copy(update={"files": {**manifest.files, adapter_files.WEIGHTS: atomic.sha256(weights)}})
    before = atomic.FileState.of(workspace.adapters)
    with pytest.raises(UserError, match="changes nothing: it answers as the base does"):
        merged_models.write(workspace, config, Candidate(NAME, zeroed, None))
    # Nothing was written there, not even for a while: a merged model takes as much disk as its base.
    assert atomic.FileState.of(workspace.adapters) == before
    assert not workspace.merged(NAME).exists()
