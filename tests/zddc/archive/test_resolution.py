"""A link leads to what a second resolver finds, which goes through all paths and knows no index."""

import os
import random
import re

import pytest

from zddc.archive.index import Index
from zddc.archive.resolution import Link, parse_link, resolve
from zddc.archive.tree import Entry, Listing
from zddc.naming import parse_filename, parse_folder
from zddc.revision import revision_key

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


def found(paths, asked, project, closed):
    """Resolve a link by the rules as they are written, over a list of paths."""
    stem, _, extension = asked.rpartition(".")
    number, _, revision = stem.partition("_")
    candidates = []
    for path in paths:
        folders, name = path.split("/")[:-1], path.split("/")[-1]
        read = parse_filename(name)
        if read.valid and read.tracking_number == number and folders[: len(project)] == project:
            candidates.append((path, folders, read))

    def kind_of(folders):
        dated = [place for place, name in enumerate(folders) if parse_folder(name).valid]
        before = folders[: dated[0]] if dated else folders
        kinds = [name.lower() for name in before if name.lower() in ("received", "issued", "incoming", "mdl")]
        return kinds[-1] if kinds else ""

    candidates = [one for one in candidates if kind_of(one[1]) != "incoming"]
    if revision:
        candidates = [one for one in candidates if one[2].revision == revision]
    else:
        candidates = [one for one in candidates if not re.search(r"~|\+", one[2].revision)]
        newest = max((revision_key(one[2].revision) for one in candidates), default=None)
        candidates = [one for one in candidates if revision_key(one[2].revision) == newest]
    candidates = [one for one in candidates if not any("/".join(one[1]).startswith(prefix) for prefix in closed)]
    wanted = {one[2].extension for one in candidates}
    order = [extension] if extension != "html" else ["html", "pdf", *sorted(wanted - {"html", "pdf"})]
    chosen = next((one for one in order if one in wanted), None)
    candidates = [one for one in candidates if one[2].extension == chosen]

    def age(candidate):
        path, folders, _ = candidate
        dates = [read.date for name in folders if (read := parse_folder(name)).valid]
        return dates[0] if dates else "9999", {"received": 0, "issued": 1}.get(kind_of(folders), 2), path

    return min(candidates, key=age)[0] if candidates else None


def draw_paths(chance):
    numbers, revisions = (
        ("A-1", "a-1", "A-1.5"),
        ("A", "~A", "B", "A+C1", "0", "00", "1", "1.5", "~2", "P01", "2025-01-01"),
    )
    paths = set()
    for _ in range(chance.randint(1, 14)):
        folders = [f"P{chance.randint(1, 2)}", chance.choice(("Acme", "Pipe"))]
        folders += chance.choice(([], ["received"], ["Issued"], ["incoming"], ["old"], ["mdl"]))
        day = chance.choice(("2025-01-01", "2025-01-02", "2024-12-31", "2025-02-30"))
        folders += chance.choice(([], [f"{day}_T-{chance.randint(1, 2)} (IFC) - T"]))
        folders += chance.choice(([], [], ["native"], ["2020-01-01_T-9 (IFC) - Inside"]))
        status = chance.choice(("IFC", "IFR", "IFX"))
        extension = chance.choice(("pdf", "PDF", "html", "dwg", "xlsx"))
        name = f"{chance.choice(numbers)}_{chance.choice(revisions)} ({status}) - T{chance.randint(1, 2)}.{extension}"
        paths.add("/".join([*folders, name]))
    return sorted(paths)


def test_links_into_drawn_archives_lead_to_what_a_second_resolver_finds():
    chance = random.Random(23)
    answers = [0, 0]
    for _ in range(10_000 if SOAK else 400):
        paths = draw_paths(chance)
        folders: dict[str, list[Entry]] = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            folders.setdefault(folder, []).append(Entry(folder, name, 1, 0))
        index = Index(Listing(folder, tuple(entries)) for folder, entries in folders.items())
        closed = chance.sample(sorted(folders), chance.choice((0, 0, 1, 2)) if len(folders) > 1 else 0)

        def may_read(entry, closed=closed):
            return not any(entry.folder.startswith(folder) for folder in closed)

        numbers = sorted({parse_filename(path.rpartition("/")[2]).tracking_number for path in paths} - {""})
        revisions = sorted({parse_filename(path.rpartition("/")[2]).revision for path in paths} - {""})
        for number in numbers:
            for revision in ("", *revisions):
                name = f"{number}{'_' * bool(revision)}{revision}.{chance.choice(('html', 'html', 'pdf', 'dwg'))}"
                project = chance.choice(("", "P1", "P2"))
                entry = resolve(index, name, project=project, may_read=may_read)
                expected = found(paths, name, [project] if project else [], closed)
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
