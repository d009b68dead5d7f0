"""The stages as functions: the same as the commands, typed, and imported only when they are called."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import weakspot
from weakspot import api
from zddc.errors import UserError

NAMES = ("collect", "process", "validate", "train", "evaluate", "deploy", "status")


def test_what_is_promised_is_there_and_documented():
    assert set(NAMES) | {"Workspace"} <= set(weakspot.__all__)
    for name in weakspot.__all__:
        assert inspect.getdoc(getattr(weakspot, name)), name
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = weakspot.trian


def test_importing_it_imports_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import weakspot\n"
        "print(*sorted(name for name in set(sys.modules) - before if name.startswith('weakspot')))\n"
        "print('pydantic' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["weakspot", "False"]


def test_the_command_line_calls_nothing_else():
    """No command of these imports a stage: what it does of one is done by the API."""
    folder = Path(weakspot.__file__).parent / "cli"
    stages = {f"weakspot.pipeline.{name}" for name in NAMES}
    allowed = {("deploy.py", "rollback"), ("keys.py", "keys")}
    found = set()
    for file in folder.glob("*.py"):
        for function in ast.walk(ast.parse(file.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                    if names & stages:
                        found.add((file.name, function.name))
    assert found == allowed


def test_a_dataset_is_made_from_python(workspace, example):
    for n in range(12):
        one = example(n, domain="spam")
        stored = api.collect(workspace, query=one.query.text, local="No.", expert=one.expert.text, domain="spam")
        assert stored.interaction.metadata.domain == "spam"
    done = api.process(workspace)
    assert (done.raw_lines, done.examples) == (12, 12)
    assert api.validate(workspace).counts.examples == 12
    assert [one.domain for one in api.status(workspace).domains] == ["spam"]


def test_settings_are_those_of_the_command_line(workspace, example):
    one = example(1)
    api.collect(
        workspace, query=one.query.text, local="No.", expert=one.expert.text, settings=["collect.escalation=ask"]
    )
    assert b'"ask"' in workspace.raw.read_bytes()
    with pytest.raises(UserError, match="unknown key"):
        api.process(workspace, settings=["process.threshold=1"])


def test_an_import_is_approved_first(workspace, tmp_path):
    file = tmp_path / "three.jsonl"
    file.write_text(
        "".join(f'{{"query": "How many are {n}?", "local": "?", "expert": "They are {n}."}}\n' for n in range(3))
    )
    seen = []
    refused = api.collect(workspace, file, approve=lambda examined: bool(seen.append(examined)))
    assert (refused.added, len(seen)) == (0, 1)
    assert not workspace.raw.exists()
    assert api.collect(workspace, file).added == 3


def test_a_canary_needs_the_gateway_and_all_goes_with_no_domain(workspace):
    with pytest.raises(UserError, match="cannot answer only a share"):
        api.deploy(workspace, "spam", share=0.5)
    with pytest.raises(UserError, match="does not go with names of domains"):
        api.train(workspace, "spam", all_due=True)
