"""Real chat templates, a real tokenizer, and a base small enough to train in a second."""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.weakspot import small
from tests.weakspot.training.conftest import adapted, load, sequences_fixture, small_base  # noqa: F401

from weakspot.models import demo_model

# The models' own chat templates, word for word, stand in this wheel; nothing of it is installed or run.
_WHEEL, _SHA256 = "trl==1.16.0", "c4726e139dd40e1a41661511c639c8a68416782b2e3e8c0befebd77bb7ba0396"


@pytest.fixture(scope="session")
def tiny_base(embedded, made_once) -> Path:
    """A base of few words: here it does not matter what becomes of a text."""
    return made_once("small-base", partial(small.make, embedded))


@pytest.fixture(scope="session")
def chat_template() -> Callable[[str], str]:
    """Give the text of a model's chat template by its file's name in the wheel."""
    folder = demo_model.cache_folder() / "chat-templates"
    wheel = folder / "trl-1.16.0-py3-none-any.whl"
    if not wheel.exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(folder),
            _WHEEL,
        ]
        subprocess.run(command, check=True)
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == _SHA256

    def read(name: str) -> str:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(f"trl/chat_templates/{name}.jinja").decode()

    return read
