"""Each person is told of every file that may be opened, wherever it is, and of no other."""

import gzip
import json
import os
import random
import zipfile

import pytest
from tests.zddc.access import reference
from tests.zddc.access.trees import open_descriptors
from tests.zddc.server.asking import body_of, request
from tests.zddc.server.ruled_archives import PEOPLE, make_archive

from zddc.access.patterns import parse_email
from zddc.access.policy import Policy
from zddc.archive.index import Index
from zddc.archive.tree import walk
from zddc.server.recursive import answer_recursive, lines

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


def test_the_lines_are_those_of_the_files_that_a_second_judge_lets_somebody_read(tmp_path):
    chance, found = random.Random(31), 0
    for number in range(2000 if SOAK else 12):
        root = tmp_path / str(number)
        root.mkdir()
        paths, rules = make_archive(root, chance)
        names = chance.choice(paths).split("/")
        names = names[: chance.randrange(len(names))]
        below = "".join(f"{name}/" for name in names)
        index = Index(walk(root))
        with Policy(root) as policy:
            for email in PEOPLE:
                told = [json.loads(line)["path"] for line in lines(index, policy, names, email and parse_email(email))]
                expected = [
                    path.removeprefix(below)
                    for path in paths
                    if path.startswith(below) and reference.allowed(rules, tuple(path.split("/")[:-1]), email, "r")
                ]
                assert sorted(told) == sorted(expected), (paths, rules, names, email)
                found += len(told)
    assert found


@pytest.fixture
def archive(tmp_path):
    """A root that kim may read, but for a folder in which a deeper one is open to her again."""
    (tmp_path / "P" / "closed" / "open").mkdir(parents=True)
    (tmp_path / ".zddc").write_text('acl: {allow: ["*@acme.example"]}')
    (tmp_path / "P" / "closed" / ".zddc").write_text('acl: {deny: ["*"]}')
    (tmp_path / "P" / "closed" / "open" / ".zddc").write_text('acl: {allow: ["kim@acme.example"]}')
    for folder in ("", "P", "P/closed", "P/closed/open"):
        (tmp_path / folder / "ä b.txt").write_text("1234")
    os.utime(tmp_path / "P" / "ä b.txt", (0, 1_600_000_000))
    with Policy(tmp_path) as policy:
        yield tmp_path, policy


def get(archive, path="/", **more):
    root, policy = archive
    return answer_recursive(request(path=path, **more), Index(walk(root)), policy)


def paths(answer):
    return [json.loads(line)["path"] for line in body_of(answer).splitlines()]


def test_a_line_tells_of_a_file_what_a_listing_does(archive):
    answer = get(archive, "/P/")
    assert dict(answer.headers)["content-type"] == "application/x-ndjson"
    first = json.loads(body_of(answer).splitlines()[0])
    assert first == {"path": "ä b.txt", "name": "ä b.txt", "size": 4, "mod_time": "2020-09-13T12:26:40Z"}


def test_a_closed_folder_hides_its_files_and_not_an_open_one_in_it(archive):
    assert paths(get(archive)) == ["ä b.txt", "P/ä b.txt", "P/closed/open/ä b.txt"]
    assert paths(get(archive, email="lee@acme.example")) == ["ä b.txt", "P/ä b.txt"]
    assert paths(get(archive, email=None)) == []


def test_the_files_of_a_zipped_transmittal_are_judged_by_the_folder_that_it_is_in(archive):
    root, _ = archive
    for folder in ("P", "P/closed"):
        with zipfile.ZipFile(root / folder / "2025-01-01_T-1 (IFC) - Z.zip", "w") as made:
            made.writestr("in/A-1_B (IFC) - T.pdf", "1")
            made.writestr("in/bad. /x", "1")
    assert "P/2025-01-01_T-1 (IFC) - Z.zip/in/A-1_B (IFC) - T.pdf" in paths(get(archive))
    assert len(paths(get(archive))) == 4


def test_what_no_path_can_name_is_not_told_of(archive):
    root, _ = archive
    for name in ("dot.", "back\\slash", "line\nbreak"):
        (root / name).touch()
        (root / f"{name}  ").mkdir()
        (root / f"{name}  " / "x.txt").touch()
    assert len(paths(get(archive))) == 3


def test_nothing_behind_a_link_is_told_of_although_it_was_a_folder_a_moment_ago(archive):
    root, policy = archive
    (root / "Q" / "deep").mkdir(parents=True)
    (root / "Q" / "deep" / "x.txt").touch()
    index = Index(walk(root))
    (root / "Q").rename(root.parent / "outside")
    (root / "Q").symlink_to(root.parent / "outside")
    assert paths(answer_recursive(request(), index, policy)) == ["ä b.txt", "P/ä b.txt", "P/closed/open/ä b.txt"]


def test_who_reads_compressed_content_gets_it(archive):
    answer = get(archive, headers=[("accept-encoding", "gzip")])
    assert dict(answer.headers)["content-encoding"] == "gzip"
    assert gzip.decompress(body_of(answer)) == body_of(get(archive))


def test_head_has_no_lines_and_a_reader_who_leaves_closes_all(archive):
    before = open_descriptors()
    assert get(archive, method="HEAD").body == b""
    answer = get(archive)
    answer.body.close()
    found = lines(Index(walk(archive[0])), archive[1], (), "kim@acme.example")
    next(found)
    assert open_descriptors() > before
    found.close()
    assert paths(get(archive)) != []
    assert open_descriptors() == before
