import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests import waiting

pytestmark = pytest.mark.slow


def ended(line: str, environment: dict[str, str], folder: Path) -> tuple[int, str, str]:
    """Run a line in a shell; return its status and what it said."""
    folder.mkdir()
    done = subprocess.run(
        ["bash", "-c", line],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_command_says_and_ends_as_the_installed_one_does(reader_with_forks, tmp_path):
    line = """
        mkdir in && cd in && umask 077 && weakspot init > /dev/null
        weakspot evaluate --nonsense 2> said; echo $?; stat -c %a said; cat said
        printf 'ä\\nö\\n' | weakspot ask --set model.base=./ü - 2>&1 | cat; echo ${PIPESTATUS[@]}
        WEAKSPOT_WORKSPACE=there weakspot evaluate spam < /dev/null
        touch 'a b' && zddc check .; echo $?; zddc --nonsense 2>&1 | cat; zddc list --csv
    """
    installed = {**reader_with_forks, "PATH": reader_with_forks["PATH"].partition(os.pathsep)[2]}
    forked = ended(line, reader_with_forks, tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "before")
    assert forked == ended(line, installed, tmp_path / "one")
    assert "--nonsense" in forked[1]


@contextlib.contextmanager
def asking(environment: dict[str, str], folder: Path) -> Iterator[tuple[subprocess.Popen, psutil.Process]]:
    """Run a command that waits for a question; return its client and the fork, which has begun to read."""
    ended("weakspot init", environment, folder)
    reading, writing = os.pipe()
    script = environment["PATH"].partition(os.pathsep)[0] + "/weakspot"
    with (
        os.fdopen(writing, "wb"),
        os.fdopen(reading, "rb") as question,
        subprocess.Popen(
            # Tests that a shell runs in the background have the signal ignored, and with them what they start.
            ["env", "--default-signal=INT", script, "ask", "-"],
            env=environment,
            cwd=folder,
            stdin=question,
            stderr=subprocess.PIPE,
        ) as client,
    ):
        found: list[psutil.Process] = []

        def reads() -> bool:
            found[:] = [
                process
                for process in psutil.process_iter()
                if process.pid != client.pid and reads_from(process, reading)
            ]
            return bool(found)

        def reads_from(process: psutil.Process, descriptor: int) -> bool:
            with contextlib.suppress(OSError):
                waits = Path(f"/proc/{process.pid}/wchan").read_text() in ("pipe_read", "anon_pipe_read")
                return waits and Path(f"/proc/{process.pid}/fd/0").samefile(f"/proc/self/fd/{descriptor}")
            return False

        waiting.until(reads)
        try:
            yield client, found[0]
        finally:
            client.kill()


def test_a_signal_to_the_client_ends_the_command(reader_with_forks, tmp_path):
    with asking(reader_with_forks, tmp_path / "one") as (client, fork):
        client.send_signal(signal.SIGTERM)
        assert client.wait(waiting.PATIENCE_SECONDS) == -signal.SIGTERM
        waiting.until(lambda: not fork.is_running())


def test_ctrl_c_is_told_to_the_command(reader_with_forks, tmp_path):
    with asking(reader_with_forks, tmp_path / "one") as (client, _):
        client.send_signal(signal.SIGINT)
        assert client.wait(waiting.PATIENCE_SECONDS) == 130


def test_a_command_ends_with_its_client(reader_with_forks, tmp_path):
    with asking(reader_with_forks, tmp_path / "one") as (client, fork):
        client.kill()
        waiting.until(lambda: not fork.is_running())


def test_another_environment_has_the_installed_command_run(reader_with_forks, tmp_path):
    # Python itself reads this one, when it begins.
    line = "PYTHONPROFILEIMPORTTIME=1 weakspot train --nonsense"
    assert "import time:" in ended(line, reader_with_forks, tmp_path / "one")[2]
    assert "import time:" not in ended(line.partition(" ")[2], reader_with_forks, tmp_path / "two")[2]
