"""The archive page makes of an index what the commands make of the archive that it is of."""

import json
import os
import random

import pytest
from tests import archives
from tests.zddc.test_filters import draw_expression
from tests.zddc.tools import archives as page_archives
from tests.zddc.tools.questions import bundled, run_node

from zddc.archive import findings as archive_findings
from zddc.archive.contents import sha256_of
from zddc.archive.index import Index
from zddc.archive.links import LIST_NAME, write_links
from zddc.archive.names import place_of
from zddc.archive.rows import file_row, revision_row
from zddc.archive.tree import walk
from zddc.filters import parse_filter
from zddc.name_check import check

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


@pytest.fixture(scope="module")
def ask(made_once):
    """Ask the page's model about the index of an archive."""
    bundle = bundled(made_once, "archiveAnswers")
    return lambda **question: json.loads(run_node(json.dumps(question).encode(), bundle))


def small_archive(root):
    page_archives.small_archive().make(root)


def drawn_archive(seed):
    def make(root):
        archives.write(root, archives.draw(3_000 if SOAK else 300, seed, per_folder=20, odd=0.15))

    return make


@pytest.mark.parametrize(
    "make", [small_archive, *(drawn_archive(seed) for seed in range(5 if SOAK else 1))], ids=lambda make: make.__name__
)
def test_the_page_and_the_commands_say_the_same(ask, tmp_path, make):
    root = tmp_path / "archive"
    make(root)
    index = Index(walk(root))
    write_links(root, index)
    chance = random.Random(3)
    expressions = [
        "",
        *(draw_expression(chance).text for _ in range(300 if SOAK else 25)),
        "status:IFC",
        "rev:^A$",
        "folder:received !draft",
    ]
    entries = {entry.path: entry for entry in index.entries()}
    given = ask(
        index=str(root / ".archive" / LIST_NAME),
        hashes={path: sha256_of(root, entry) for path, entry in entries.items()},
        leftOut=[one._asdict() for one in index.left_out()],
        expressions=expressions,
    )
    documents = [*index.documents()]
    assert given["list"] == [revision_row(one, one.current) for one in documents]
    assert given["all"] == [revision_row(one, revision) for one in documents for revision in one.revisions]
    assert given["copies"] == [
        [one.tracking_number, [[held.text, [copy.entry.path for copy in held.copies]] for held in one.revisions]]
        for one in documents
    ]
    rows = {path: file_row(entry) for path, entry in entries.items()}
    assert given["files"] == rows
    assert given["kinds"] == {path: place_of(entry.folder).kind for path, entry in entries.items()}
    for expression, found, listed in zip(expressions, given["found"], given["listed"], strict=True):
        matches = parse_filter(expression)
        assert sorted(found) == sorted(path for path, row in rows.items() if matches(row)), expression
        assert listed == [one.tracking_number for one in documents if matches(revision_row(one, one.current))], (
            expression
        )
    assert given["shown"] == [[one.tracking_number, one.current.text] for one in documents]
    assert same_findings(given["findings"]) == expected_findings(root, index)
    assert wrong_names(given["findings"]) == expected_names(root)


def same_findings(given):
    kinds = {"left out", "name", "number", "conflict", "duplicate", "draft issued", "gap"}
    return sorted((one["path"], one["kind"], one["reason"]) for one in given if one["kind"] in kinds)


def expected_findings(root, index):
    return sorted(tuple(one) for one in archive_findings.findings(index, lambda entry: sha256_of(root, entry)))


def wrong_names(given):
    return sorted((one["path"], one["reason"], one["correction"]) for one in given if one["kind"] == "not conforming")


def expected_names(root):
    # A link is left out of an index, and so is what is not Unicode.
    judged = [one for one in check(root) if one.reason and not (root / one.path).is_symlink()]
    return sorted((one.path, one.reason, one.corrected or "") for one in judged)
