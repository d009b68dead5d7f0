"""What is told of a pass while it runs: each adapter's losses in its file, and how fast it goes beside the bar."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from weakspot.training.adapter_trainer import Progress


class Clock:
    """Tokens a second, over all adapters."""

    def __init__(self) -> None:
        self._began, self._tokens = time.monotonic(), 0

    def speed(self, tokens: int) -> float:
        """Return the speed so far, these tokens included."""
        self._tokens += tokens
        return self._tokens / max(time.monotonic() - self._began, 1e-9)


def opened(metrics: Path) -> TextIO:
    """Return the file of an adapter's losses, emptied, in a folder that is there."""
    metrics.parent.mkdir(parents=True, exist_ok=True)
    return metrics.open("w", encoding="utf-8")


def teller(name: str, stream: TextIO, advance: Callable[[int, str], None], clock: Clock) -> Callable[[Progress], None]:
    """Return what writes each step of the adapter ``name`` to ``stream``, and shows it."""

    def on_step(progress: Progress) -> None:
        stream.write(progress.to_json() + "\n")
        stream.flush()
        val = f"  val {progress.val_loss:.3f}" if progress.val_loss is not None else ""
        advance(1, f"{name} loss {progress.loss:.3f}{val}  {clock.speed(progress.tokens):,.0f} tokens/s")

    return on_step


def silent(_: Progress) -> None:
    """Tell nothing: of several processes the first one does."""
