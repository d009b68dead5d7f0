"""Asks the code of the pages in Node: what ``web/test`` answers, a JSON value for each that it is given."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

WEB = Path(__file__).parents[3] / "web"
FOR_NODE = ("--platform=node", "--format=esm")

MadeOnce = Callable[[str, Callable[[Path], None]], Path]


def bundled(made_once: MadeOnce, name: str, *options: str) -> Path:
    """Bundle a file of ``web/test`` once a run, for Node where no options of esbuild say otherwise."""
    if not shutil.which("node") or not (WEB / "node_modules").is_dir():
        pytest.skip("needs Node, and the libraries of web/package-lock.json")
    how = options or FOR_NODE

    def build(folder: Path) -> None:
        command = [WEB / "node_modules/.bin/esbuild", WEB / f"test/{name}.ts", "--bundle", "--log-level=warning"]
        subprocess.run([*command, *how, f"--outfile={folder / 'bundle.mjs'}"], check=True, timeout=120)

    return made_once("-".join((name, *how)).replace("--", "").replace("=", "-"), build) / "bundle.mjs"


def run_node(given: bytes, *arguments: object) -> bytes:
    """Return what Node says to what it is given."""
    command = [str(shutil.which("node")), *map(str, arguments)]
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, timeout=600).stdout


def asking(made_once: MadeOnce, name: str) -> Callable[[Sequence[object]], list]:
    """Return a function that asks many questions at once; its answers come in the same order."""
    return partial(_answers, bundled(made_once, name))


def _answers(bundle: Path, questions: Sequence[object]) -> list:
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    given = [json.loads(line) for line in run_node(lines.encode(), bundle).decode().split("\n")[:-1]]
    assert len(given) == len(questions)
    return given
