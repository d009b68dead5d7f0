"""Projects, counts and transmittals are those that a second judge of the rules lets each person see."""

import os
import random

from tests.zddc.access import reference
from tests.zddc.server.ruled_archives import PEOPLE, make_archive

from zddc.access.patterns import parse_email
from zddc.access.policy import Policy
from zddc.archive.index import Index
from zddc.archive.names import place_of
from zddc.archive.tree import walk
from zddc.naming import parse_filename
from zddc.server.projects import find_projects

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
KIM = "kim@acme.example"


def find(root, email=KIM, wanted=()):
    with Policy(root) as policy:
        return find_projects(Index(walk(root)), policy, email and parse_email(email), wanted)


def test_each_person_sees_what_a_second_judge_lets_her_see(tmp_path):
    chance, seen = random.Random(7), [0, 0, 0]
    for number in range(3000 if SOAK else 10):
        root = tmp_path / str(number)
        root.mkdir()
        paths, rules = make_archive(root, chance)
        folders = {tuple(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 1)}
        for email in PEOPLE:
            may_read = {one for one in folders if reference.allowed(rules, one, email, "r")}
            root_open = reference.allowed(rules, (), email, "r")
            top = {one for one in may_read if len(one) == 1}
            entries = {one for one in may_read if len(one) > 1 and one[:-1] not in may_read}
            may_drop = {
                one for one in folders if one[-1].lower() == "incoming" and reference.allowed(rules, one, email, "c")
            }
            found = {tuple(one.path.split("/")): one for one in find(root, email)}
            assert {path for path, one in found.items() if one.may_read} == top | entries, (paths, rules, email)
            assert {path for path, one in found.items() if not one.may_read} <= may_drop
            handed = {tuple(path.split("/")) for one in found.values() for path in one.incoming}
            assert handed == may_drop
            assert list(found) == sorted(found, key="/".join)
            documents = {path: set() for path in found}
            for path in paths:
                names = tuple(path.split("/"))
                owners = [names[:n] for n in range(len(names), 0, -1) if names[:n] in top | entries]
                parsed = parse_filename(names[-1])
                if names[:-1] in may_read and parsed.valid and place_of("/".join(names[:-1])).kind != "incoming":
                    documents[owners[0]].add(parsed.tracking_number)
            assert {path: one.documents for path, one in found.items()} == {
                path: len(one) for path, one in documents.items()
            }, (paths, rules, email)
            seen[0] += len(top) * root_open
            seen[1] += len(entries)
            seen[2] += sum(map(len, documents.values()))
    assert all(seen), seen


def write(root, path, rules=None):
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    if rules is not None:
        (folder / ".zddc").write_text(rules)
    return folder


def test_a_project_has_its_title_its_last_transmittals_and_where_one_may_hand_in(tmp_path):
    write(tmp_path, ".", "acl: {allow: ['*@acme.example']}")
    write(tmp_path, "P1", "title: Pump station 7")
    for day in range(1, 8):
        folder = write(tmp_path, f"P1/Acme/received/2025-03-0{day}_A-{day} (IFA) - Set {day}")
        (folder / f"A-{day}_A (IFA) - Title.pdf").write_text("x")
        (write(folder, "native") / f"A-{day}_A (IFA) - Title.dwg").write_text("x")
    write(tmp_path, "P1/Acme/incoming/2025-04-01_A-9 (IFA) - New")
    write(tmp_path, "P1/Acme/incoming", "acl: {permissions: {'*@acme.example': rc}}")
    (project,) = find(tmp_path)
    assert (project.path, project.title, project.is_entry) == ("P1", "Pump station 7", False)
    assert (project.documents, project.transmittals) == (7, 7)
    assert project.recent == [
        (f"2025-03-0{day}", f"P1/Acme/received/2025-03-0{day}_A-{day} (IFA) - Set {day}") for day in range(7, 2, -1)
    ]
    assert project.incoming == ["P1/Acme/incoming"]
    shown = project.as_object()
    assert shown["latest"] == "2025-03-07"
    assert shown["recent"][0]["url"] == "/P1/Acme/received/2025-03-07_A-7%20%28IFA%29%20-%20Set%207/"
    assert shown["incoming"] == [{"name": "P1/Acme/incoming", "url": "/P1/Acme/incoming/"}]


def test_a_folder_opened_to_one_person_is_an_entry_and_what_is_around_is_told_to_nobody(tmp_path):
    write(tmp_path, ".", "acl: {allow: ['lee@acme.example']}")
    write(tmp_path, "P1/for kim", "acl: {allow: [kim@acme.example]}\ntitle: Yours")
    write(tmp_path, "P2/secret")
    write(tmp_path, "P3/incoming", "acl: {permissions: {kim@acme.example: c}}")
    found = find(tmp_path)
    assert [(one.path, one.title, one.is_entry, one.may_read) for one in found] == [
        ("P1/for kim", "Yours", True, True),
        ("P3/incoming", "", True, False),
    ]
    assert found[0].as_object()["url"] == "/P1/for%20kim/"
    assert [one.path for one in find(tmp_path, KIM, ["P3", "P2"])] == ["P3/incoming"]
    assert find(tmp_path, None) == []
    assert [one.path for one in find(tmp_path, "lee@acme.example")] == ["P1", "P2", "P3"]
