"""Processes that tests start: each is ended and waited for with all that it started, and what it said is shown."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

_PATIENCE_SECONDS = 60
_SHOWN_BYTES = 5000
# The tests may be killed themselves: then the system tells the process to end, and it does not begin where they were
# killed before that was asked for. Programs see to that: Python between fork and exec can wait for ever, where a
# library does something in each fork, and another thread has what it needs for that.
_ENDING_WITH_TESTS = ["setpriv", "--pdeathsig", "TERM", "sh", "-c", '[ $PPID = "$0" ] && exec "$@"']


@contextlib.contextmanager
def started(command: Sequence[object], **options) -> Iterator[subprocess.Popen]:
    """Run a command in a process group of its own; after the block nothing of it runs, whatever happened there.

    What it says on standard error is shown where the block fails. A process that has ended by itself by then, with
    another status than 0, is a failure.
    """
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [*_ENDING_WITH_TESTS, str(os.getpid()), *map(str, command)],
            stderr=said,
            start_new_session=True,
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
