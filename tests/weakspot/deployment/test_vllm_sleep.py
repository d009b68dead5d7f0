"""A vLLM sleeps and wakes up as it is told, or it is said in one line."""

import pytest
from tests.weakspot.deployment.sleeping_vllm import sleeping_vllm

from weakspot.config import load
from weakspot.deployment import vllm_sleep
from zddc.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture
def server():
    with sleeping_vllm() as found:
        yield found


@pytest.fixture
def config(workspace, server):
    return load(workspace.config_file, [f"gateway.upstream={server.url}"])


def test_it_sleeps_at_level_1_after_the_running_answers_and_wakes_up(server, config):
    vllm_sleep.sleep(config)
    assert server.sleeping
    vllm_sleep.wake_up(config)
    assert server.asked == [
        "POST /sleep?level=1&mode=wait", "GET /is_sleeping", "POST /wake_up", "GET /is_sleeping",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stubborn": True}, "does not sleep; see the server's log"),
        ({"status": 404}, "has no sleep mode; start vLLM with VLLM_SERVER_DEV_MODE=1 and --enable-sleep-mode"),
        ({"status": 500}, "HTTP 500: {}; see the server's log"),
    ],
)
def test_a_server_that_does_not_follow_is_one_line(server, config, change, problem):
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(UserError) as caught:
        vllm_sleep.sleep(config)
    assert str(caught.value) == f"{server.url.removesuffix('/v1')}: {problem}"
