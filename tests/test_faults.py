"""Each fault can still be put in: its text is there once, it changes the program, and its tests are there."""

import ast
import importlib.util
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def faults():
    """The program of that name, which is no package's module."""
    found = importlib.util.spec_from_file_location("faults", Path(__file__).with_name("faults.py"))
    module = sys.modules["faults"] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    yield module
    del sys.modules["faults"]


@pytest.fixture(scope="module")
def known(faults):
    return [*faults.NAMED, *faults.drawn()]


def test_there_are_sixty_of_each_kind_and_no_two_of_one_name(faults, known):
    assert len(faults.NAMED) >= 60
    assert len(faults.drawn()) == 60
    assert len({one.name for one in known}) == len(known)


def test_every_package_has_a_fault_that_was_thought_of(faults):
    packages = {
        path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "src").rglob("*.py") if path.stem[0] != "_"
    }
    assert packages - {one.file.rpartition("/")[0] for one in faults.NAMED} == set()


def around(text: str, old: str) -> str:
    """Return the statements of a module that ``old`` is in, whole: to parse all of a module takes its time."""
    first = text[: text.index(old)].count("\n")
    last = first + old.rstrip("\n").count("\n")
    ends = ends_of(text)
    begin = max((end for end in ends if end <= first), default=0)
    return "".join(text.splitlines(keepends=True)[begin : min(end for end in ends if end > last)])


@cache
def ends_of(text: str) -> list[int]:
    """Return after which lines the statements of a module end; what stands behind the last is its own."""
    return [*(node.end_lineno for node in ast.parse(text).body[:-1]), text.count("\n") + 1]


def test_each_can_be_put_in_and_changes_what_the_program_does(known):
    texts = {one.file: (ROOT / one.file).read_text(encoding="utf-8") for one in known}
    there = {one.name: texts[one.file].count(one.old) for one in known}
    assert {name: times for name, times in there.items() if times != 1} == {}
    for one in known:
        statements = around(texts[one.file], one.old)
        assert one.old in statements, one.name
        changed = ast.parse(statements.replace(one.old, one.new))
        assert ast.dump(changed) != ast.dump(ast.parse(statements)), one.name


def test_the_tests_of_each_are_there(faults, known):
    missing = [(one.name, test) for one in known for test in one.tests.split() if not faults.there(ROOT, test)]
    assert missing == []
    assert [one.name for one in known if not one.tests] == []


def test_only_drawn_ones_may_survive_and_only_for_a_reason(faults):
    assert [one.name for one in faults.NAMED if one.survives] == []
    assert all(len(one.survives.split()) > 4 for one in faults.drawn() if one.survives)
