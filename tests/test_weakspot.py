"""Whatever computes waits without spinning, unless the user wants it otherwise."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

ENTRANCES = ("weakspot", "weakspot.cli", "weakspot.mcp_server", "weakspot.pipeline.train", "weakspot.pipeline.ask")


@pytest.mark.parametrize(("given", "wanted"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_every_entrance_sets_passive_waiting_before_torch_is_loaded(given, wanted):
    code = "\n".join(
        [
            "import importlib, os, sys",
            f"for name in {ENTRANCES}:",
            "    importlib.import_module(name)",
            "    assert 'torch' not in sys.modules, name",
            f"    assert os.environ['OMP_WAIT_POLICY'] == {wanted!r}, name",
        ]
    )
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    if given:
        environment["OMP_WAIT_POLICY"] = given
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_the_openmp_library_of_torch_takes_it():
    """It lists what it has read from the environment."""
    code = "import weakspot, torch; torch.ones(4096) + 1"
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    environment["OMP_DISPLAY_ENV"] = "TRUE"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
