"""What the gate did not accept is not put into service by itself."""

import pytest

from weakspot.deployment.releases import read_releases
from weakspot.pipeline.run import Step, deploy_newest, evaluate_newest
from weakspot.workspace import AdapterName

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("verdict", ["not enough evidence", "reject"])
def test_an_adapter_that_was_not_accepted_is_not_deployed(evaluated, judge, verdict):
    workspace, config = evaluated
    judge(workspace, AdapterName("colours", 1), verdict)
    done = [step for stage in (evaluate_newest, deploy_newest) for step in stage(workspace, config, "colours")]
    assert done == [Step("deploy", "colours", f"colours-lora-v1 is not deployed: {verdict}")]
    assert read_releases(workspace) == []
