"""Zeros that are merged leave the base as it was, quantised or not; a pipeline that changes it is found out."""

import pytest
from safetensors.torch import load_file, save_file

from weakspot.models import merge
from weakspot.pipeline import deploy
from zddc.errors import UserError

pytestmark = pytest.mark.slow


def test_zeros_change_nothing_and_leave_nothing_behind(evaluated):
    workspace, config = evaluated
    before = sorted(workspace.adapters.iterdir())
    found = deploy.control(workspace, config, "colours")
    assert (found.same_answers, found.prompts) == (8, 8)
    assert found.difference < 1e-4 < found.limit
    assert sorted(workspace.adapters.iterdir()) == before


def test_a_merge_that_changes_more_than_the_adapter_is_found_out(evaluated, monkeypatch):
    workspace, config = evaluated
    real = merge.merge

    def lossy(base, adapter, target, advance):
        real(base, adapter, target, advance)
        tensors = load_file(target / "model.safetensors")
        tensors["model.layers.0.self_attn.o_proj.weight"] *= 0
        save_file(tensors, target / "model.safetensors", {"format": "pt"})

    monkeypatch.setattr(merge, "merge", lossy)
    with pytest.raises(UserError, match=r"with zeros merged into it is .* nats a token away from itself"):
        deploy.control(workspace, config, "colours")


def test_the_command_prints_it_and_deploys_nothing(evaluated, weakspot):
    workspace, config = evaluated
    status, out, _ = weakspot("deploy", "colours", "--control", "--set", f"model.base={config.model.base}")
    assert (status, out.split(", ")[0]) == (
        0,
        "control: zeros merged into the base answer 8 of 8 prompts as it does",
    )
    assert not workspace.releases.exists()
