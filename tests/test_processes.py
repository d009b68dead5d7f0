"""What a test starts is gone when the test is, however it ends, and says why it failed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests import processes
from tests.processes import output_of, started

ROOT = Path(__file__).parents[1]
# Starts a process of its own, tells both numbers, and sleeps; neither ends when it is told to.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


class BlockError(Exception):
    """What goes wrong in a block."""


def python(code):
    return [sys.executable, "-c", code]


def running(number):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.slow
def test_nothing_of_it_runs_after_a_block_that_fails(monkeypatch):
    monkeypatch.setattr("tests.processes._PATIENCE_SECONDS", 0.1)
    with contextlib.suppress(BlockError), started(python(STUBBORN), stdout=-1) as process:
        numbers = [int(one) for one in process.stdout.readline().split()]
        assert [running(one) for one in numbers] == [True, True]
        raise BlockError
    assert process.returncode == -signal.SIGKILL
    assert process.stdout.closed
    for number in numbers:
        while running(number):  # killed, and not yet gone
            os.sched_yield()


@pytest.mark.slow
def test_what_it_said_is_shown_where_it_fails_or_the_block_does(capsys):
    with pytest.raises(AssertionError, match=r"ended with 3:\nno room"):
        output_of(python("import sys; sys.stderr.write('no room'); sys.exit(3)"))
    with contextlib.suppress(BlockError), started(python("import sys; sys.stderr.write('so far')")) as process:
        process.wait()
        raise BlockError
    assert capsys.readouterr().out.endswith("said:\nso far\n")


@pytest.mark.slow
def test_what_it_reads_and_says_are_given_and_returned():
    assert output_of(python("import sys; print(sys.stdin.read().upper())"), "abc") == "ABC\n"


TESTS = """
import sys, time
from tests.processes import started
with started([sys.executable, "-c", "import time; time.sleep(600)"]) as one:
    print(one.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_it_ends_where_the_tests_are_killed():
    with subprocess.Popen(python(TESTS), stdout=subprocess.PIPE, cwd=ROOT) as tests:
        number = int(tests.stdout.readline())
        assert running(number)
        tests.kill()
    while running(number):
        os.sched_yield()


@pytest.mark.slow
def test_it_does_not_begin_where_the_tests_are_killed_before(tmp_path):
    late = tmp_path / "setpriv"
    starter = f"${len(processes._ENDING_WITH_TESTS)}"  # what is behind these; its parent may have changed
    late.write_text(f'#!/bin/sh\nwhile kill -0 "{starter}"; do :; done\nexec {shutil.which("setpriv")} "$@"\n')
    late.chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(python(TESTS), stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | path) as tests:
        number = int(tests.stdout.readline())
        tests.kill()
    while running(number):
        os.sched_yield()


IN_EACH_FORK = """
import os, time
from tests.processes import output_of
os.register_at_fork(after_in_child=lambda: time.sleep(600))
print(output_of(["echo", "begun"]), end="")
"""


@pytest.mark.slow
def test_what_libraries_do_in_each_fork_does_not_keep_it_from_beginning():
    assert subprocess.check_output(python(IN_EACH_FORK), cwd=ROOT, text=True) == "begun\n"
