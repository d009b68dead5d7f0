"""Deployment: only what is proved, and only when the merged model answers as the adapter does."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from weakspot.data import store
from weakspot.model import bases, lora, merging
from weakspot.model.bases import Base
from weakspot.records import MergedManifest
from weakspot.stages import deploy as stage
from weakspot.stages.deploy import deploy, read_merged
from weakspot.stages.evaluate import evaluate, read_scorecard
from weakspot.stages.train import train
from weakspot.workspace import AdapterName
from zddc.errors import UserError

NAME = AdapterName("colours", 1)


def with_verdict(workspace, verdict):
    card = read_scorecard(workspace, NAME).model_copy(update={"verdict": verdict, "reasons": ["because"]})
    store.write_atomically(workspace.evaluation(NAME), card.model_dump_json().encode())


@pytest.fixture
def evaluated(taught):
    workspace, config = taught
    train(workspace, config, "colours")
    evaluate(workspace, config, "colours")
    with_verdict(workspace, "accept")
    return workspace, config


def test_an_accepted_adapter_becomes_a_standalone_model(evaluated):
    workspace, config = evaluated
    done = deploy(workspace, config, "colours")
    assert done == MergedManifest.from_json(workspace.merged_manifest(NAME).read_bytes())
    assert done.largest_logit_difference < 1e-3
    assert done.prompts == 6
    assert done.sample["answer"]
    base = Base("merged", str(workspace.merged(NAME)), None)
    merged, tokenizer = bases.load_model(base, torch.float32), bases.load_tokenizer(base)
    plain = bases.load_model(Base("tiny", config.model.base, None), torch.float32)
    ids = torch.tensor([tokenizer("Which colour?")["input_ids"]])
    wanted = lora.load(plain, workspace.adapter(NAME))(input_ids=ids).logits
    torch.testing.assert_close(merged(input_ids=ids).logits, wanted, rtol=1e-3, atol=1e-4)


def test_deploying_again_does_nothing(evaluated):
    workspace, config = evaluated
    deploy(workspace, config, "colours")
    before = workspace.merged_manifest(NAME).stat().st_mtime_ns
    deploy(workspace, config, "colours")
    assert workspace.merged_manifest(NAME).stat().st_mtime_ns == before


def test_a_rejected_adapter_is_refused_also_when_unproven_is_allowed(evaluated):
    workspace, config = evaluated
    with_verdict(workspace, "reject")
    for allowed in (False, True):
        with pytest.raises(UserError, match="was rejected: because"):
            deploy(workspace, config, "colours", allow_unproven=allowed)
    assert not workspace.merged(NAME).exists()


def test_an_adapter_without_proof_needs_allow_unproven(evaluated):
    workspace, config = evaluated
    with_verdict(workspace, "not enough evidence")
    with pytest.raises(UserError, match="is not proved: because; capture more, or pass --allow-unproven"):
        deploy(workspace, config, "colours")
    assert deploy(workspace, config, "colours", allow_unproven=True).verdict == "not enough evidence"


def test_an_adapter_that_was_never_evaluated_is_refused(taught):
    workspace, config = taught
    train(workspace, config, "colours")
    with pytest.raises(UserError, match="was never evaluated; run 'weakspot evaluate colours'"):
        deploy(workspace, config, "colours")


def test_a_merge_that_answers_otherwise_is_not_deployed(evaluated, monkeypatch):
    workspace, config = evaluated
    real = merging.merge

    def lossy(base, adapter, target, advance):
        real(base, adapter, target, advance)
        tensors = load_file(target / "model.safetensors")
        name = "model.layers.0.self_attn.o_proj.weight"
        save_file({**tensors, name: tensors[name] + 1}, target / "model.safetensors", {"format": "pt"})
        return 1

    monkeypatch.setattr(stage.merging, "merge", lossy)
    with pytest.raises(UserError, match="differs from base and adapter by"):
        deploy(workspace, config, "colours")
    assert not workspace.merged(NAME).exists()
    assert read_merged(workspace, NAME) is None
