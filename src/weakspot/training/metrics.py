"""Training metrics: writes each adapter's ``metrics.jsonl`` and shows tokens/s next to the progress bar."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from weakspot.storage import atomic
from weakspot.training.adapter_trainer import StepMetrics


class ThroughputMeter:
    """Measures tokens per second over all adapters."""

    def __init__(self) -> None:
        self._began, self._tokens = time.monotonic(), 0

    def speed(self, tokens: int) -> float:
        """Count ``tokens`` more, and return the tokens per second so far."""
        self._tokens += tokens
        return self._tokens / max(time.monotonic() - self._began, 1e-9)


def open_metrics(metrics: Path) -> TextIO:
    """Open an adapter's metrics file for writing, empty; create its folder if needed."""
    atomic.write_atomically(metrics, b"")
    return metrics.open("w", encoding="utf-8")


def metrics_writer(
    name: str, stream: TextIO, advance: Callable[[int, str], None], clock: ThroughputMeter
) -> Callable[[StepMetrics], None]:
    """Return a callback that writes each step of the adapter ``name`` to ``stream`` and updates the progress bar."""

    def on_step(progress: StepMetrics) -> None:
        stream.write(progress.to_json() + "\n")
        stream.flush()
        val = f"  val {progress.val_loss:.3f}" if progress.val_loss is not None else ""
        advance(1, f"{name} loss {progress.loss:.3f}{val}  {clock.speed(progress.tokens):,.0f} tokens/s")

    return on_step


def discard_step(_: StepMetrics) -> None:
    """Ignore a step: only the first of several processes writes metrics."""
