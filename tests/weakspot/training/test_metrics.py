"""What is told of a pass: a line a step in the file, and a note beside the bar."""

import json

from weakspot.training import metrics
from weakspot.training.adapter_trainer import StepMetrics


def test_each_step_is_a_line_at_once_and_a_note(tmp_path):
    notes = []
    with metrics.open_metrics(tmp_path / "new" / "metrics.jsonl") as stream:
        tell = metrics.metrics_writer(
            "eggs", stream, lambda count, note: notes.append((count, note)), metrics.ThroughputMeter()
        )
        tell(StepMetrics(1, 2.5, 1e-3, 1.0, 100, 10))
        written = (tmp_path / "new" / "metrics.jsonl").read_text()
        tell(StepMetrics(2, 2.25, 1e-3, 1.0, 100, 10, val_loss=2.0))
    assert json.loads(written)["loss"] == 2.5
    assert len((tmp_path / "new" / "metrics.jsonl").read_text().splitlines()) == 2
    assert [count for count, _ in notes] == [1, 1]
    assert notes[0][1].startswith("eggs loss 2.500  ")
    assert notes[1][1].startswith("eggs loss 2.250  val 2.000  ")
    assert notes[1][1].endswith(" tokens/s")


def test_the_file_begins_empty(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("of a run before\n")
    metrics.open_metrics(tmp_path / "metrics.jsonl").close()
    assert (tmp_path / "metrics.jsonl").read_text() == ""
