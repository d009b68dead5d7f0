"""Processes that tests start: each is ended and waited for with all that it started, and what it said is shown."""

import contextlib
import ctypes
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

_PR_SET_PDEATHSIG = 1
_PATIENCE_SECONDS = 60
_SHOWN_BYTES = 5000
_libc = ctypes.CDLL(None)


@contextlib.contextmanager
def started(command: Sequence[object], **options) -> Iterator[subprocess.Popen]:
    """Run a command in a process group of its own; after the block nothing of it runs, whatever happened there.

    What it says on standard error is shown where the block fails. A process that has ended by itself by then, with
    another status than 0, is a failure.
    """
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [*map(str, command)],
            stderr=said,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - the tests may be killed themselves
            **options,
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            print(f"{command[0]} said:\n{_end_of(said)}")
            raise
        finally:
            status = process.poll()
            _end(process)
        assert not status, f"{command[0]} ended with {status}:\n{_end_of(said)}"


def output_of(command: Sequence[object], given: str | None = None, **options) -> str:
    """Return what a command says, given this to read, when it has ended; another status than 0 is a failure."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started(command, **pipes, text=True, **options) as process:
        return process.communicate(given)[0]


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: subprocess.Popen) -> None:
    """Tell the whole group to end, kill what has not after a while, and wait."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end_of(said) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - _SHOWN_BYTES))
    return said.read().decode(errors="replace")
