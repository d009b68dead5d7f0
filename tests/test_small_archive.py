"""The small archive is made the same each time, and holds one of everything that it says."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from zddc.archive.contents import open_entry, sha256_of
from zddc.archive.findings import findings
from zddc.archive.index import Index
from zddc.archive.names import place_of
from zddc.archive.tree import walk
from zddc.name_check import check

SCRIPT = Path(__file__).parents[1] / "examples/small-archive/make.py"


@pytest.fixture(scope="module")
def script():
    found = importlib.util.spec_from_file_location("make_small_archive", SCRIPT)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def root(script, tmp_path):
    script.make(tmp_path / "archive")
    return tmp_path / "archive"


def contents_of(root):
    return {
        file.relative_to(root).as_posix(): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime)
        for file in root.rglob("*")
        if file.is_file() and not file.is_symlink()
    }


def test_it_is_the_same_each_time(script, root, tmp_path):
    script.make(tmp_path / "again")
    made = contents_of(root)
    assert made == contents_of(tmp_path / "again")
    digest = hashlib.sha256("".join(sorted(f"{path} {sha256}\n" for path, (sha256, _) in made.items())).encode())
    assert digest.hexdigest()[:12] == "cf6ee75d8834"


def test_it_holds_one_of_everything(root):
    index = Index(walk(root))
    entries = list(index.entries())
    places = {place_of(entry.folder) for entry in entries}
    assert len({place.party for place in places if place.kind}) == 4  # prices is nobody's
    assert len({place.transmittal.tracking_number for place in places if place.transmittal.valid}) == 14
    assert 115 <= len(entries) <= 130
    assert {entry.name.rpartition(".")[2] for entry in entries} >= {"pdf", "md", "csv", "dxf", "svg"}
    assert sum(".zip/" in entry.path for entry in entries) == 7
    revisions = {one.text for document in index.documents() for one in document.revisions}
    assert revisions == {"~A", "A", "A+C1", "A+Q1", "B", "B+C1", "0", "~1"}
    kinds = Counter(one.kind for one in findings(index, lambda entry: sha256_of(root, entry)))
    assert set(kinds) == {"left out", "name", "number", "conflict", "draft issued"}
    assert sum(bool(verdict.reason) for verdict in check(root)) > 10
    assert len(list(root.rglob(".zddc"))) == 6


def test_its_pdfs_have_an_index_that_is_right(root):
    for entry in Index(walk(root)).entries():
        if not entry.name.endswith(".pdf") or "unsorted" in entry.folder:
            continue
        with open_entry(root, entry) as stream:
            data = stream.read()
        start = int(data.split(b"startxref\n")[1].split(b"\n")[0])
        rows = data[start:].split(b"\n")[3:8]
        for number, row in enumerate(rows, 1):
            assert data[int(row[:10]) :].startswith(b"%d 0 obj" % number)


@pytest.mark.slow
def test_the_command_makes_it_in_a_new_folder_only(tmp_path):
    command = [sys.executable, SCRIPT, tmp_path / "archive"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(" files\n")
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (1, f"{tmp_path}/archive: there already; give a new folder\n")
    wrong = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (1, "usage: python examples/small-archive/make.py DIR\n")
    assert os.listdir(tmp_path) == ["archive"]  # noqa: PTH208 - the names
