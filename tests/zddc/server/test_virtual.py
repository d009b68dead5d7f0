"""A link leads each person to what a second resolver with a second judge of rules finds, and to nothing else."""

import json
import os
import random
import zipfile
from functools import partial

import pytest
from tests.zddc.access import reference
from tests.zddc.access.trees import open_descriptors
from tests.zddc.archive.links_reference import found
from tests.zddc.server.asking import body_of, request
from tests.zddc.server.ruled_archives import PEOPLE, make_archive

from zddc.access.patterns import parse_email
from zddc.access.policy import Policy
from zddc.archive.index import Index
from zddc.archive.tree import walk
from zddc.naming import parse_filename
from zddc.server.answer import Answer
from zddc.server.hash_links import HashLinks
from zddc.server.virtual import answer_archive, location

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


def reads(rules, email, folders):
    return reference.allowed(rules, tuple(folders), email, "r")


def ask(root, index, policy, path, email, **more):
    asked = request(path=path, email=email and parse_email(email), **more)
    return answer_archive(asked, index, policy, root, HashLinks(root))


def test_links_lead_each_person_to_what_a_second_resolver_finds(tmp_path):
    chance, answers = random.Random(29), [0, 0]
    for number in range(10_000 if SOAK else 12):
        root = tmp_path / str(number)
        root.mkdir()
        paths, rules = make_archive(root, chance)
        index = Index(walk(root))
        parsed = [parse_filename(path.rpartition("/")[2]) for path in paths]
        numbers = sorted({one.tracking_number for one in parsed} - {""})
        revisions = sorted({one.revision for one in parsed} - {""})
        with Policy(root) as policy:
            for email in PEOPLE:
                project = chance.choice(("", "P1", "P2"))
                above = [project] if project else []
                asked = {}
                for link in [f"{one}{'_' * bool(rev)}{rev}" for one in numbers for rev in ("", *revisions)]:
                    asked[link] = found(paths, f"{link}.html", above, partial(reads, rules, email))
                    got = ask(root, index, policy, "/".join(("", *above, ".archive", f"{link}.html")), email)
                    path = "/".join(got) if isinstance(got, tuple) else None
                    assert path == asked[link], (paths, rules, link, project, email)
                    answers[path is not None] += 1
                listed = ask(
                    root,
                    index,
                    policy,
                    "/".join(("", *above, ".archive/")),
                    email,
                    headers=[("accept", "application/json")],
                )
                names = [row["name"] for row in json.loads(body_of(listed))] if listed else []
                finals = {
                    f"{one.tracking_number}{rev}"
                    for one in parsed
                    if one.valid and "~" not in one.revision and "+" not in one.revision
                    for rev in ("", f"_{one.revision}")
                }
                assert names == sorted(f"{link}.html" for link in finals if asked[link])
    assert min(answers) > sum(answers) / 10


@pytest.fixture
def archive(tmp_path):
    """An archive of one project, whose newest revision only kim may read."""
    folders = {"A": "P/Acme/received/2025-01-01_T-1 (IFR) - One", "B": "P/Acme/received/2025-02-01_T-2 (IFR) - Two"}
    for revision, folder in folders.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"A-1_{revision} (IFC) - Plan.pdf").write_text(revision)
    (tmp_path / ".zddc").write_text('acl: {allow: ["*@acme.example"]}')
    (tmp_path / folders["B"] / ".zddc").write_text('acl: {deny: ["*"]}')
    with Policy(tmp_path) as policy:
        yield tmp_path, policy


def get(archive, path, email="kim@acme.example", **more):
    root, policy = archive
    return ask(root, Index(walk(root)), policy, path, email, **more)


def test_an_older_revision_never_takes_the_place_of_one_that_may_not_be_read(archive):
    assert get(archive, "/P/.archive/A-1.html") is None
    target = get(archive, "/P/.archive/A-1_A.html")
    assert location(target) == "/P/Acme/received/2025-01-01_T-1%20%28IFR%29%20-%20One/A-1_A%20%28IFC%29%20-%20Plan.pdf"


def test_a_file_that_has_gone_since_gives_way_to_its_next_copy_and_to_no_other_revision(archive):
    root, policy = archive
    (root / "P/Acme/received/2025-02-01_T-2 (IFR) - Two/.zddc").unlink()
    later = root / "P/Acme/received/2025-03-01_T-3 (IFR) - Three"
    later.mkdir()
    (later / "A-1_B (IFC) - Plan.pdf").touch()
    index = Index(walk(root))
    (root / "P/Acme/received/2025-02-01_T-2 (IFR) - Two/A-1_B (IFC) - Plan.pdf").unlink()
    assert ask(root, index, policy, "/P/.archive/A-1.html", "kim@acme.example")[3] == later.name
    (later / "A-1_B (IFC) - Plan.pdf").unlink()
    assert ask(root, index, policy, "/P/.archive/A-1.html", "kim@acme.example") is None


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/P/Acme/.archive/A-1.html", "/P/.archive/A-1.html"),
        ("/P/a/b/.archive/", "/P/.archive/"),
        ("/P/a/b/.archive/A-1/", "/P/.archive/A-1/"),
        ("/P/.archive", "/P/.archive/"),
        ("/.archive", "/.archive/"),
        ("/P/.archive/A-1", "/P/.archive/A-1/"),
        ("/none of it/is/there/.archive/x", "/none%20of%20it/.archive/x"),
    ],
)
def test_a_link_below_a_folder_of_a_project_leads_to_the_projects(archive, path, location):
    answer = get(archive, path)
    assert (answer.status, dict(answer.headers)["location"]) == (301, location)
    answer = get(archive, path, query={"a": "b c", "d": ""})
    assert dict(answer.headers)["location"] == f"{location}?a=b+c&d="


@pytest.mark.parametrize(
    "path", ["A-2.html", "a-1.html", "A-2", "A-2/", "A-1.html/", "A-1/x", "A-1.html/x", "x", "A-1_Z.html"]
)
def test_what_is_no_link_looks_absent(archive, path):
    assert get(archive, f"/P/.archive/{path}") is None


def test_who_may_read_nothing_sees_no_archive(archive):
    for path in ("/P/.archive/", "/P/.archive/A-1/", "/P/.archive/A-1", "/.archive/", "/P/.archive/A-1_A.html"):
        assert get(archive, path, "x@rival.example") is None
        assert get(archive, path, None) is None
    assert get(archive, "/Q/.archive/") is None


def test_a_document_has_a_page_of_the_revisions_that_somebody_may_read(archive):
    root, _ = archive
    again = root / "P/Acme/issued/2025-04-01_T-4 (IFR) - Again"
    again.mkdir(parents=True)
    (again / "A-1_A (IFC) - Plan <b>.pdf").write_text("other")
    answer = get(archive, "/P/.archive/A-1/", headers=[("accept", "application/json")])
    (revision,) = json.loads(body_of(answer))
    assert (revision["revision"], revision["is_current"]) == ("A", False)
    assert [(copy["date"], copy["party"], copy["conflict"]) for copy in revision["copies"]] == [
        ("2025-01-01", "Acme", False),
        ("2025-04-01", "Acme", True),
    ]
    page = body_of(get(archive, "/P/.archive/A-1/")).decode()
    assert "Plan &lt;b&gt;.pdf" in page
    assert "differs from the first" in page
    assert "_B " not in page
    (root / "P/Acme/received/2025-02-01_T-2 (IFR) - Two/.zddc").unlink()
    found = json.loads(body_of(get(archive, "/P/.archive/A-1/", headers=[("accept", "application/json")])))
    assert [(one["revision"], one["is_current"]) for one in found] == [("B", True), ("A", False)]


def test_a_file_in_a_zip_is_judged_by_the_folder_of_the_zip(archive):
    root, _ = archive
    for folder in ("2025-01-01_T-1 (IFR) - One", "2025-02-01_T-2 (IFR) - Two"):
        name = f"A-{folder[6]}9_A (IFC) - Zipped.pdf"
        with zipfile.ZipFile(root / "P/Acme/received" / folder / "2025-05-01_Z-1 (IFC) - Z.zip", "w") as made:
            made.writestr(f"in/{name}", "zipped")
    target = get(archive, "/P/.archive/A-19.html")
    assert target[-3:] == ("2025-05-01_Z-1 (IFC) - Z.zip", "in", "A-19_A (IFC) - Zipped.pdf")
    assert get(archive, "/P/.archive/A-29.html") is None


def test_the_same_answer_has_not_to_be_sent_again(archive):
    for path in ("/P/.archive/", "/P/.archive/A-1/"):
        answer = get(archive, path)
        assert isinstance(answer, Answer)
        assert dict(answer.headers)["cache-control"] == "private, no-cache"
        tag = dict(answer.headers)["etag"]
        assert get(archive, path, headers=[("if-none-match", tag)]).status == 304


def test_nothing_stays_open(archive):
    before = open_descriptors()
    for path in ("/P/.archive/", "/P/.archive/A-1/", "/P/.archive/A-1.html", "/P/.archive/A-1_A.html"):
        get(archive, path)
    assert open_descriptors() == before
