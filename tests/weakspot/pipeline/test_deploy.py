"""Deployment: only what is proved, each time as a release, and back in seconds."""

import shutil

import pytest

from weakspot.deployment.releases import live, read_releases
from weakspot.deployment.targets import merged as merged_models
from weakspot.pipeline.deploy import deploy, rollback
from weakspot.pipeline.validate import validate
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)


@pytest.fixture
def twice(merged, add_second):
    """A workspace with two adapters, both accepted, the first of them in service."""
    workspace, config = merged
    deploy(workspace, config, "colours")
    add_second()
    return workspace, config


def answering(workspace) -> str | None:
    return live(read_releases(workspace))["colours", "merged"].adapter


def test_what_is_deployed_is_a_release_that_says_what_it_rests_on(accepted):
    workspace, config = accepted
    done = deploy(workspace, config, "colours")
    assert read_releases(workspace) == [done]
    assert (done.number, done.action, done.adapter, done.verdict) == (1, "deploy", "colours-lora-v1", "accept")
    assert done.location == str(workspace.merged(NAME))
    assert done.snapshot in workspace.snapshot_names()
    assert done.proof.difference < 1e-3
    assert done.who
    assert done.created


def test_deploying_again_is_no_second_release(merged):
    workspace, config = merged
    assert deploy(workspace, config, "colours") == deploy(workspace, config, "colours")
    assert len(read_releases(workspace)) == 1


def test_a_rejected_adapter_is_refused_also_when_unproven_is_allowed(accepted, judge):
    workspace, config = accepted
    judge(workspace, NAME, "reject")
    for allowed in (False, True):
        with pytest.raises(UserError, match="was rejected: because"):
            deploy(workspace, config, "colours", allow_unproven=allowed)
    assert not workspace.merged(NAME).exists()


def test_an_adapter_without_proof_needs_allow_unproven(merged, judge):
    workspace, config = merged
    judge(workspace, NAME, "not enough evidence")
    with pytest.raises(UserError, match="is not proved: because; capture more, or pass --allow-unproven"):
        deploy(workspace, config, "colours")
    assert deploy(workspace, config, "colours", allow_unproven=True).verdict == "not enough evidence"


def test_an_adapter_that_was_never_evaluated_is_refused(trained):
    workspace, config = trained
    with pytest.raises(UserError, match="was never evaluated; run 'weakspot evaluate colours'"):
        deploy(workspace, config, "colours")


def test_going_back_brings_the_adapter_before_and_doing_it_twice_changes_nothing(twice):
    workspace, config = twice
    deploy(workspace, config, "colours")
    assert answering(workspace) == "colours-lora-v2"
    (done,) = rollback(workspace, config, "colours")
    assert (done.action, done.adapter, done.location) == ("rollback", str(NAME), str(workspace.merged(NAME)))
    assert rollback(workspace, config, "colours") == [done]
    assert [one.number for one in read_releases(workspace)] == [1, 2, 3]


def test_before_the_first_release_the_base_answered(merged):
    workspace, config = merged
    deploy(workspace, config, "colours")
    (done,) = rollback(workspace, config, "colours")
    assert (done.adapter, done.location) == (None, "")


def test_nobody_goes_back_to_what_was_damaged_since(twice):
    workspace, config = twice
    deploy(workspace, config, "colours")
    (workspace.adapter(NAME) / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="not the file that was trained"):
        rollback(workspace, config, "colours")
    assert answering(workspace) == "colours-lora-v2"


def test_there_must_be_something_to_go_back_from(accepted):
    workspace, config = accepted
    with pytest.raises(UserError, match="has no release; see 'weakspot releases'"):
        rollback(workspace, config, "colours")
    with pytest.raises(UserError, match="has no release at vllm"):
        rollback(workspace, config, "colours", "vllm")


@pytest.mark.parametrize("gone", ["everything", "one file"])
def test_going_back_to_files_that_are_gone_makes_them_again(twice, gone):
    workspace, config = twice
    deploy(workspace, config, "colours")
    folder = workspace.merged(NAME)
    shutil.rmtree(folder) if gone == "everything" else (folder / "model.safetensors").unlink()
    (done,) = rollback(workspace, config, "colours")
    assert (done.adapter, done.location) == (str(NAME), str(folder))
    assert done.proof.effect.slope == pytest.approx(1, abs=1e-3)
    assert merged_models.missing_files(workspace.merged_manifest(NAME)) == []
    (folder / "config.json").unlink()
    assert rollback(workspace, config, "colours") == [done]
    assert (folder / "config.json").exists()


def test_nobody_goes_back_to_an_adapter_that_is_gone(twice):
    workspace, config = twice
    deploy(workspace, config, "colours")
    shutil.rmtree(workspace.merged(NAME))
    shutil.rmtree(workspace.adapter(NAME))
    with pytest.raises(UserError, match=r"manifest\.json: is not there; restore it, or train again"):
        rollback(workspace, config, "colours")
    assert answering(workspace) == "colours-lora-v2"


def test_validate_names_what_is_in_service_and_gone(twice):
    workspace, config = twice
    assert next(one for one in validate(workspace, config, None).findings if one.check == "releases").level == "pass"
    (workspace.merged(NAME) / "model.safetensors").unlink()
    found = next(one for one in validate(workspace, config, None).findings if one.check == "releases")
    assert (found.level, found.place) == ("failure", str(workspace.merged(NAME) / "model.safetensors"))
    assert found.detail.startswith("is gone, but colours-lora-v1 is in service at merged; run 'weakspot deploy colours")
    assert deploy(workspace, config, "colours").adapter == "colours-lora-v2"
