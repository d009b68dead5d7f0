"""The curve of an adapter is a picture with every step in it, the same each time."""

import json
import xml.etree.ElementTree as ET

import pytest

from weakspot.ui.charts import training_curve
from weakspot.workspace import AdapterName

pytestmark = pytest.mark.slow

NAME = AdapterName("spam", 1)


@pytest.fixture
def metrics(workspace):
    """Write the metrics of an adapter, as training does."""

    def write(*lines: dict | str) -> None:
        file = workspace.adapter_metrics(NAME)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))

    return write


def step(number: int, loss: float, val_loss: float | None = None) -> dict:
    return {"step": number, "loss": loss, "val_loss": val_loss, "learning_rate": 1e-4}


def texts(svg: str) -> list[str]:
    """Return the words that are drawn, which matplotlib notes in comments."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    root = ET.fromstring(svg, parser)
    return [node.text.strip() for node in root.iter() if node.tag is ET.Comment and node.text]


def test_losses_of_training_and_validation_are_drawn(workspace, metrics):
    metrics(step(1, 3.0, 2.9), step(2, 2.0), step(3, 1.5, 1.4))
    found = texts(training_curve(workspace, NAME, 3))
    assert {"train", "val", "kept", "step", "loss, nats a token"} <= set(found)


def test_without_a_validation_split_there_is_no_such_line(workspace, metrics):
    metrics(step(1, 3.0), step(2, 2.0))
    assert {"val", "kept"}.isdisjoint(texts(training_curve(workspace, NAME, 2)))


def test_the_same_curve_is_the_same_picture(workspace, metrics):
    metrics(step(1, 3.0), step(2, 2.0))
    assert training_curve(workspace, NAME, 2) == training_curve(workspace, NAME, 2)


def test_half_a_last_line_is_passed_over(workspace, metrics):
    metrics(step(1, 3.0), step(2, 2.0))
    whole = training_curve(workspace, NAME, 2)
    metrics(step(1, 3.0), step(2, 2.0), '{"step": 3, "lo')
    assert training_curve(workspace, NAME, 2) == whole


def test_an_adapter_without_metrics_has_an_empty_picture(workspace):
    assert "loss, nats a token" in texts(training_curve(workspace, NAME, 0))
