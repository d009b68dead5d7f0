"""Whoever could not see the question is not asked it, and whoever could not answer it neither."""

import os
import pty
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("terminal", ["stdin", "stdout"])
def test_with_half_a_terminal_nothing_is_imported_without_a_yes(recorded, workspace, tmp_path, terminal):
    session = shutil.copy(recorded / "claude-code-resent.jsonl", tmp_path / "session.jsonl")
    command = [sys.executable, "-m", "weakspot", "collect", "-w", str(workspace.root), "--from", str(session)]
    ours, theirs = pty.openpty()
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, terminal: theirs}
    with subprocess.Popen(command, text=True, **streams) as process:
        os.close(theirs)
        os.write(ours, b"y\n")
        _, said = process.communicate("y\n" if terminal == "stdout" else None)
    os.close(ours)
    assert process.returncode == 1
    assert said.endswith("nothing was imported, as nobody could be asked; give --yes to import what was found\n")
    assert not workspace.raw.exists()
