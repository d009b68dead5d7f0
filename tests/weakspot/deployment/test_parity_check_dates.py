"""An adapter is trained, resumed and proved on different days, though the template writes the day into each prompt."""

import os
import shutil
import time
from datetime import UTC, datetime

import pytest
from tests import forked
from tests.weakspot.conftest import examples

from weakspot import config as configuration
from weakspot.deployment import parity_check
from weakspot.deployment.targets import merged
from weakspot.deployment.types import Candidate
from weakspot.models import adapter_files
from weakspot.models.adapters import read_manifest
from weakspot.pipeline.evaluate import evaluate
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.training import checkpoints
from weakspot.workspace import AdapterName, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.long]

NAME = AdapterName("colours", 1)
DATED = (
    "{{ '<|im_start|>system\nToday is ' + strftime_now('%d %B %Y') + '.<|im_end|>\n' }}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def go_to(zone: str) -> None:
    os.environ["TZ"] = zone
    time.tzset()


@pytest.fixture
def zone(monkeypatch):
    """Go to a time zone; the machine's own is restored."""
    monkeypatch.setenv("TZ", "UTC")
    yield go_to
    monkeypatch.undo()
    time.tzset()


def zones_around_midnight() -> tuple[str, str]:
    """Return a time zone in which it is half an hour before midnight, and one in which the next day has begun."""
    now = datetime.now(UTC)
    east = 84_600 - (now.hour * 60 + now.minute) * 60
    east -= 86_400 if east > 43_200 else 0
    return zone_of(east), zone_of(east + 3_600)


def zone_of(east: int) -> str:
    """Return the time zone so many seconds east of UTC, as POSIX writes it."""
    hours, minutes = divmod(abs(east) // 60, 60)
    return f"Here{'-' if east > 0 else '+'}{hours}:{minutes:02}"


def train_held(zone: str, *arguments: object) -> None:
    """Train in a time zone up to the eighth step, and wait to be killed."""
    go_to(zone)
    forked.weakspot_held(8, "train", "colours", *arguments)


def today() -> str:
    return f"{datetime.now().astimezone():%d %B %Y}"


def test_an_adapter_is_trained_resumed_and_proved_across_midnight(
    tiny_base, tmp_path, workspace, interaction, capture, zone
):
    base = tmp_path / "dated"
    shutil.copytree(tiny_base, base)
    (base / "chat_template.jinja").write_text(DATED)
    values = [f"model.base={base}", "lora.rank=4", "train.learning_rate=1e-2", "train.max_steps=12"]
    values += ["train.eval_steps=4", "train.max_length=128", "evaluate.max_new_tokens=8", "evaluate.retrieval=false"]
    config = configuration.load(workspace.config_file, values)
    capture(workspace, examples(interaction))
    process(workspace, config)
    whole = Workspace(shutil.copytree(workspace.root, tmp_path / "whole"))
    evening, morning = zones_around_midnight()

    zone(evening)
    before = today()
    options = ["--workspace", workspace.root, *(word for value in values for word in ("--set", value))]
    with forked.begun(tmp_path / "killed", train_held, evening, *options) as process_:
        process_.until(lambda: checkpoints.find_steps(workspace.adapter_checkpoint(NAME)) == [8])
        process_.kill()
    train(whole, config, "colours")

    zone(morning)
    assert today() != before
    train(workspace, config, "colours")
    weights, unbroken = ((one.adapter(NAME) / adapter_files.WEIGHTS).read_bytes() for one in (workspace, whole))
    assert weights == unbroken
    zone(evening)
    evaluate(workspace, config, "colours")
    zone(morning)
    proved = merged.write(workspace, config, Candidate(NAME, read_manifest(workspace, NAME), None)).proof
    assert proved.same_answers == proved.prompts > 0
    known = parity_check.load_reference_answers(workspace, NAME)
    assert known is not None
    assert all(one.moment.startswith("2025-10-31") for one in known.prompts)
    assert all(sum(one.around_date) < len(one.prompt_ids) for one in known.prompts)
