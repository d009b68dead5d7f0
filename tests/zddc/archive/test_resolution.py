"""A link leads to what a second resolver finds, which goes through all paths and knows no index."""

import os
import random

import pytest
from tests.zddc.archive.links_reference import draw_paths, found

from zddc.archive.index import Index
from zddc.archive.resolution import Link, parse_link, resolve
from zddc.archive.tree import Entry, Listing
from zddc.naming import parse_filename

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("A-1.html", Link("A-1", "", "html")),
        ("A-1_B.html", Link("A-1", "B", "html")),
        ("A-1_1.5.PDF", Link("A-1", "1.5", "pdf")),
        ("A.1.html", Link("A.1", "", "html")),
        ("A-1_A+C1.html", Link("A-1", "A+C1", "html")),
        ("A-1", None),
        ("A-1.", None),
        (".html", None),
        ("_B.html", None),
        ("A-1_.html", None),
        ("", None),
    ],
)
def test_a_link_is_taken_apart(name, link):
    assert parse_link(name) == link


def test_links_into_drawn_archives_lead_to_what_a_second_resolver_finds():
    chance = random.Random(23)
    answers = [0, 0]
    for _ in range(10_000 if SOAK else 200):
        paths = draw_paths(chance)
        folders: dict[str, list[Entry]] = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            folders.setdefault(folder, []).append(Entry(folder, name, 1, 0))
        index = Index(Listing(folder, tuple(entries)) for folder, entries in folders.items())
        closed = chance.sample(sorted(folders), chance.choice((0, 0, 1, 2)) if len(folders) > 1 else 0)

        def may_read(entry, closed=closed):
            return not any(entry.folder.startswith(folder) for folder in closed)

        def reads(folders, closed=closed):
            return not any("/".join(folders).startswith(prefix) for prefix in closed)

        numbers = sorted({parse_filename(path.rpartition("/")[2]).tracking_number for path in paths} - {""})
        revisions = sorted({parse_filename(path.rpartition("/")[2]).revision for path in paths} - {""})
        for number in numbers:
            for revision in ("", *revisions):
                name = f"{number}{'_' * bool(revision)}{revision}.{chance.choice(('html', 'html', 'pdf', 'dwg'))}"
                project = chance.choice(("", "P1", "P2"))
                entry = resolve(index, name, project=project, may_read=may_read)
                expected = found(paths, name, [project] if project else [], reads)
                assert (entry and entry.path) == expected, (paths, name, project, closed)
                answers[expected is not None] += 1
    assert min(answers) > sum(answers) / 10


def test_an_older_revision_never_takes_the_place_of_one_that_may_not_be_read():
    index = Index(
        Listing(folder, (Entry(folder, f"A-1_{revision} (IFC) - T.pdf", 1, 0),))
        for folder, revision in (("open", "A"), ("closed", "B"))
    )
    entry = resolve(index, "A-1.html", may_read=lambda entry: entry.folder == "open")
    assert entry is None
    entry = resolve(index, "A-1_A.html", may_read=lambda entry: entry.folder == "open")
    assert entry is not None


def test_letter_case_of_a_tracking_number_counts():
    index = Index([Listing("", (Entry("", "A-1_A (IFC) - T.pdf", 1, 0),))])
    assert resolve(index, "a-1.html") is None
