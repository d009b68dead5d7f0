"""An adapter is trained, resumed and proved on different days, though the template writes the day into each prompt."""

import shutil
import time
from datetime import datetime

import pytest
from tests.weakspot.conftest import examples

from weakspot import config as configuration
from weakspot.deployment import parity_check
from weakspot.deployment.targets import merged
from weakspot.deployment.types import Candidate
from weakspot.models.adapters import read_manifest
from weakspot.pipeline.evaluate import evaluate
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.training.preparation import ONCE_HERE, prepare
from weakspot.workspace import AdapterName

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)
DATED = (
    "{{ '<|im_start|>system\nToday is ' + strftime_now('%d %B %Y') + '.<|im_end|>\n' }}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture
def zone(monkeypatch):
    """Go to a time zone; the machine's own is restored."""

    def go(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield go
    monkeypatch.undo()
    time.tzset()


def test_an_adapter_is_trained_and_proved_across_midnight(tiny_base, tmp_path, workspace, interaction, capture, zone):
    base = tmp_path / "dated"
    shutil.copytree(tiny_base, base)
    (base / "chat_template.jinja").write_text(DATED)
    values = [f"model.base={base}", "lora.rank=4", "train.learning_rate=1e-2", "train.max_steps=12"]
    values += ["train.max_length=128", "evaluate.max_new_tokens=8", "evaluate.retrieval=false"]
    config = configuration.load(workspace.config_file, values)
    capture(workspace, examples(interaction))
    process(workspace, config)

    def tokens():
        [one] = prepare(workspace, config, ["colours"], ONCE_HERE).adapters
        return [*one.data, *one.val]

    zone("Etc/GMT-14")
    there, day = tokens(), datetime.now().astimezone().date()
    train(workspace, config, "colours")
    evaluate(workspace, config, "colours")
    zone("Etc/GMT+12")
    assert datetime.now().astimezone().date() != day
    assert tokens() == there
    proved = merged.write(workspace, config, Candidate(NAME, read_manifest(workspace, NAME), None)).proof
    assert proved.same_answers == proved.prompts > 0
    known = parity_check.load_reference_answers(workspace, NAME)
    assert known is not None
    assert all(one.moment.startswith("2025-10-31") for one in known.prompts)
    assert all(sum(one.around_date) < len(one.prompt_ids) for one in known.prompts)
