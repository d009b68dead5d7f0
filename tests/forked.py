"""Processes that have torch loaded when they begin: each is a fork of one that has loaded it and does nothing else."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

# It takes seconds to load them.
LOADED = [
    "pytest",
    "zddc.cli",
    "weakspot.cli",
    "weakspot.pipeline.collect",
    "weakspot.pipeline.run",
    "weakspot.pipeline.train",
    "weakspot.training.loop",
    "weakspot.training.lora_layers",
    "weakspot.training.lora_moe",
    "torch.distributed.run",
    "transformers.models.llama.modeling_llama",
    "transformers.models.auto.tokenization_auto",
    "transformers.tokenization_utils_tokenizers",
    "safetensors.torch",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
]
PATIENCE_SECONDS = 240.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Begun:
    """A process at work, and the folder to which its output goes."""

    process: BaseProcess
    folder: Path

    @property
    def out(self) -> str:
        """What it has written to its standard output."""
        return (self.folder / "out").read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        """What it has written to its standard error."""
        return (self.folder / "err").read_text(encoding="utf-8")

    def until(self, condition: Callable[[], object]) -> None:
        """Return when the condition holds, which it must before the process ends."""
        deadline, goes_on = time.monotonic() + PATIENCE_SECONDS, True
        while goes_on:
            goes_on = self.process.exitcode is None and time.monotonic() < deadline
            if condition():
                return
            time.sleep(0.002)
        raise AssertionError(self.err)

    def status(self) -> int:
        """Wait for its end; return its status, or the negative number of the signal that ended it."""
        self.process.join(PATIENCE_SECONDS)
        assert self.process.exitcode is not None, self.err
        return self.process.exitcode

    def kill(self) -> None:
        """End it at once, and wait for that."""
        self.process.kill()
        self.process.join()


@contextlib.contextmanager
def begun(folder: Path, function: Callable[..., object], *arguments: object) -> Iterator[Begun]:
    """Call a function, of a module, in a process of its own, which does not outlive the block."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    folder.mkdir(parents=True)
    for name in ("out", "err"):
        (folder / name).touch()
    process = context.Process(target=_call, args=(folder, function, arguments))
    process.start()
    try:
        yield Begun(process, folder)
    finally:
        process.kill()
        process.join()
        process.close()


def _call(folder: Path, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    for name, number in (("out", 1), ("err", 2)):
        file = os.open(folder / name, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    function(*arguments)


def end_with_parent() -> None:
    """End this process as soon as the one that began it has ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def weakspot(*arguments: object) -> None:
    """Run the command of that name; a fork of a launcher's ends as that expects, and not as a program."""
    from weakspot.cli import app
    from zddc import console

    sys.argv = ["weakspot", *map(str, arguments)]
    sys.exit(console.run(app, "weakspot"))


def weakspot_held(tells: int, *arguments: object) -> None:
    """Run the command, and wait for ever before it tells of one step more: it is on its way there, or is there."""
    hold(tells)
    weakspot(*arguments)


def hold(tells: int) -> None:
    """Have this process tell of so many steps of its training, and not end before it is killed."""
    from weakspot.training import metrics

    teller, told = metrics.metrics_writer, iter(range(tells))

    def held(*given: object) -> Callable[[object], None]:
        tell = teller(*given)

        def on_step(progress: object) -> None:
            if next(told, None) is None:
                signal.pause()
            tell(progress)

        return on_step

    metrics.metrics_writer = held
