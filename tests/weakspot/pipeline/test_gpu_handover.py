"""A GPU is handed over before a training and back behind it, and what cannot be freed is not trained on."""

import sys

import pytest
from tests.weakspot.deployment.sleeping_vllm import sleeping_vllm

from weakspot.config import load
from weakspot.pipeline.gpu_handover import hand_over_gpu
from weakspot.pipeline.run import run
from weakspot.pipeline.watch import watch
from weakspot.settings import Watch
from zddc.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture
def noting(tmp_path):
    """Give a command that notes a word in a file, and what the file holds."""
    file = tmp_path / "notes"
    file.touch()

    def command(word, status=0):
        return f'{sys.executable} -c \'import sys; print("{word}", file=open("{file}", "a")); sys.exit({status})\''

    return command, lambda: file.read_text().split()


@pytest.fixture
def server():
    with sleeping_vllm() as found:
        yield found


def config_of(workspace, **watch_):
    config = load(workspace.config_file)
    return config.model_copy(update={"watch": Watch(**watch_)})


def test_commands_run_before_and_behind_also_if_the_training_fails(workspace, noting):
    command, notes = noting
    config = config_of(workspace, before_training=command("before"), after_training=command("after"))
    with hand_over_gpu(config):
        assert notes() == ["before"]
    assert notes() == ["before", "after"]
    with pytest.raises(RuntimeError, match="broken"), hand_over_gpu(config):
        raise RuntimeError("broken")
    assert notes() == ["before", "after"] * 2


def test_a_vllm_sleeps_between_them_and_is_woken_whatever_happens(workspace, noting, server):
    command, notes = noting
    config = config_of(workspace, before_training=command("before"), after_training=command("after"), sleep_vllm=True)
    config = config.model_copy(update={"deploy": config.deploy.model_copy(update={"server": server.url})})
    with hand_over_gpu(config):
        assert (notes(), server.sleeping) == (["before"], True)
    assert (notes(), server.sleeping) == (["before", "after"], False)
    with pytest.raises(RuntimeError, match="broken"), hand_over_gpu(config):
        raise RuntimeError("broken")
    assert (notes(), server.sleeping) == (["before", "after"] * 2, False)


def test_a_command_that_fails_is_one_line_and_nothing_is_trained(workspace, noting):
    command, notes = noting
    config = config_of(workspace, before_training=command("before", 3), after_training=command("after"))
    said = r"before_training = .*: ended with status 3: it said nothing"
    with pytest.raises(UserError, match=said), hand_over_gpu(config):
        pytest.fail("the block must not run")
    assert notes() == ["before", "after"]
    for broken in ("/nowhere/at/all", "an 'open quote"):
        with (
            pytest.raises(UserError, match="cannot be run"),
            hand_over_gpu(config_of(workspace, before_training=broken)),
        ):
            pytest.fail("the block must not run")


def test_a_round_that_trains_has_the_gpu_and_one_that_does_not_leaves_the_server_alone(hasty, noting, server):
    workspace, config = hasty
    command, notes = noting
    table = Watch(idle_minutes=0, before_training=command("before"), after_training=command("after"), sleep_vllm=True)
    config = config.model_copy(
        update={"watch": table, "deploy": config.deploy.model_copy(update={"server": server.url})}
    )
    steps = []
    for step in watch(workspace, config, once=True):
        steps.append((step.stage, server.sleeping))
    assert {asleep for stage, asleep in steps if stage in ("train", "evaluate")} == {True}
    assert {asleep for stage, asleep in steps if stage in ("process", "deploy")} == {False}
    assert notes() == ["before", "after"]
    assert not [step for step in watch(workspace, config, once=True) if step.stage == "error"]
    assert list(run(workspace, config, None))
    assert notes() == ["before", "after"]


def test_a_gpu_that_is_not_freed_is_an_error_of_the_round(hasty):
    workspace, config = hasty
    config = config.model_copy(update={"watch": Watch(idle_minutes=0, before_training="false")})
    steps = list(watch(workspace, config, once=True))
    assert [step.stage for step in steps] == ["process", "validate", "error"]
    assert steps[-1].outcome.startswith("[watch] before_training = 'false': ended with status 1")
    assert not workspace.adapters.exists() or not list(workspace.adapters.iterdir())
