"""A folder as a zip: complete, of the length that was told, and readable by every program there is."""

import asyncio
import os
import random
import shutil
import subprocess
import zipfile

import pytest
from tests.zddc.access.trees import open_descriptors
from tests.zddc.server.asking import body_of, request, without_dates

from zddc.access.policy import Policy
from zddc.file_identity import FOLDER
from zddc.server.answer import CutError
from zddc.server.zips import Member, Running, answer_zip, plan, size_of_zip, write_zip
from zddc.zipped import read_members

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
RULES = 'acl: {allow: ["*@acme.example"]}'
NAMES = (
    "A-1_B (IFC) - Pump data.pdf", "Übersicht.dwg", "平面図.md", "e\u0301.txt", "a:b?.txt", "CON.txt", "x" * 255, "-rf",
    "P&ID 100%.pdf", "a", "emoji 🏗.ifc", "trailing~", "..a.txt"[1:], "quote'\".txt",
)  # fmt: skip
ON_WINDOWS = str.maketrans('<>:"|?*', "_" * 7)
TIMES = (0, 1, 315_532_799, 784_111_777, 1_900_000_001, (1 << 31) - 1, 1 << 31, 1 << 33)


@pytest.fixture
def archive(tmp_path):
    root = tmp_path / "archive"
    for folder in ("open/deep", "closed", "closed/reopened", ".hidden", "empty"):
        (root / folder).mkdir(parents=True)
    (root / ".zddc").write_text(RULES)
    (root / "closed" / ".zddc").write_text('acl: {deny: ["kim@acme.example"]}')
    (root / "closed" / "reopened" / ".zddc").write_text('acl: {allow: ["kim@acme.example"]}')
    for name in ("a.txt", "open/b.txt", "open/deep/c.txt", "closed/d.txt", "closed/reopened/e.txt", ".hidden/f.txt"):
        (root / name).write_text(name)
        os.utime(root / name, (784_111_777, 784_111_777))
    (root / "link").symlink_to("closed/d.txt")
    (root / "folder").symlink_to("closed")
    return root


def ask(root, names=(), method="GET", running=None, email="kim@acme.example", **more):
    with Policy(root) as policy, policy.open_folder(names) as (folder, chain):
        path = "".join(f"/{name}" for name in names) + "/"
        return answer_zip(request(method, path, (), email), folder, chain, policy, running or Running(), **more)


def save(answer, file):
    body = body_of(answer)
    assert len(body) == int(dict(answer.headers)["content-length"])
    file.write_bytes(body)
    return file


def test_a_zip_has_what_somebody_may_read_and_nothing_else(archive, tmp_path):
    file = save(ask(archive), tmp_path / "x.zip")
    with zipfile.ZipFile(file) as opened:
        assert opened.namelist() == ["a.txt", "open/b.txt", "open/deep/c.txt"]
        assert opened.read("open/deep/c.txt") == b"open/deep/c.txt"
        assert opened.testzip() is None
    file = save(ask(archive, email="lee@acme.example"), tmp_path / "y.zip")
    with zipfile.ZipFile(file) as opened:
        assert set(opened.namelist()) - {"a.txt", "open/b.txt", "open/deep/c.txt"} == {
            "closed/d.txt",
            "closed/reopened/e.txt",
        }


def test_the_headers_of_a_zip(archive):
    answer, head = ask(archive, ["open"]), ask(archive, ["open"], "HEAD")
    assert answer.headers == head.headers
    assert head.body == b""
    found = without_dates(answer)
    assert found["content-type"] == "application/zip"
    assert found["content-disposition"] == 'attachment; filename="open.zip"'
    assert found["accept-ranges"] == "none"
    assert found["cache-control"] == "private, no-cache"
    assert found["content-security-policy"].startswith("sandbox ")
    assert dict(ask(archive, method="HEAD").headers)["content-disposition"] == 'attachment; filename="archive.zip"'
    asyncio.run(answer.body.aclose())


def test_nothing_to_read_is_no_zip(archive):
    assert ask(archive, ["empty"]) is None
    assert ask(archive, email=None) is not None  # who may list a folder is not asked here
    (archive / "empty" / ".zddc").write_text(RULES)
    assert ask(archive, ["empty"]) is None


def test_a_zip_that_would_be_too_large_is_refused_with_its_size(archive):
    size = int(dict(ask(archive, method="HEAD").headers)["content-length"])
    answer = ask(archive, largest=size - 1)
    assert answer.status == 413
    assert f"{size} bytes" in answer.body.decode()
    assert ask(archive, method="HEAD", largest=size).status == 200


def test_two_at_a_time_for_a_person(archive):
    running, before = Running(), open_descriptors()
    first, second = ask(archive, running=running), ask(archive, running=running)
    refused = ask(archive, running=running)
    assert (refused.status, dict(refused.headers)["retry-after"]) == (429, "30")
    assert ask(archive, running=running, email="lee@acme.example", method="HEAD").status == 200
    body_of(first)
    third = ask(archive, running=running)
    assert third.status == 200
    for answer in (second, third):
        asyncio.run(answer.body.aclose())
    assert ask(archive, running=running, largest=1).status == 413
    for _ in range(3):
        assert ask(archive, ["empty"], running=running) is None
        assert ask(archive, running=running, method="HEAD").status == 200
    assert open_descriptors() == before


@pytest.mark.parametrize("what", ["shorter", "longer", "gone", "link", "folder gone", "folder link", "touched", "pipe"])
def test_what_changes_while_it_is_sent_cuts_the_zip(archive, what):
    before = open_descriptors()
    answer, file = ask(archive), archive / "open" / "b.txt"
    if what == "shorter":
        os.truncate(file, 1)
    elif what == "longer":
        file.write_text("x" * 100)
    elif what == "touched":
        os.utime(file, (1, 1))
    elif what.startswith("folder"):
        shutil.rmtree(archive / "open")
        if what == "folder link":
            (archive / "open").symlink_to(archive / "closed")
    else:
        file.unlink()
        if what == "link":
            file.symlink_to(archive / "closed" / "d.txt")
        elif what == "pipe":
            os.mkfifo(file)
    with pytest.raises(CutError):
        body_of(answer)
    assert open_descriptors() == before


def draw_tree(root, chance):
    """Draw a tree of files with hard names, sizes and times; return what a reader of its zip must find."""
    expected, folders = {}, [root]
    root.mkdir()
    (root / ".zddc").write_text(RULES)
    for _ in range(chance.randrange(1, 25)):
        place = chance.choice(folders)
        name = chance.choice(NAMES) if chance.random() < 0.7 else f"f{chance.randrange(1000)}.txt"
        if (place / name).exists():
            continue
        if chance.random() < 0.25 and len(os.fspath(place / name)) < 2000:
            (place / name).mkdir()
            folders.append(place / name)
        else:
            content = chance.randbytes(chance.choice((0, 1, 10, 1000, 1000, 1000, 1000, 65_536, 262_144)))
            (place / name).write_bytes(content)
            os.utime(place / name, (chance.choice(TIMES),) * 2)
            if not any(part.startswith(".") for part in (place / name).relative_to(root).parts):
                expected[(place / name).relative_to(root).as_posix()] = content
    return expected


def check_with_programs(file):
    for command in (["unzip", "-tqq"], ["7z", "t", "-bd"], ["7zz", "t", "-bd"], ["bsdtar", "-tf"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, file], capture_output=True, check=False)
            assert done.returncode == 0, (command, done.stdout[-500:], done.stderr[-500:])


@pytest.mark.timeout(3600 if SOAK else 300)
def test_the_length_of_random_trees_is_exact(tmp_path):
    chance = random.Random(7)
    for number in range(1000 if SOAK else 20):
        root = tmp_path / f"tree{number}"
        expected = draw_tree(root, chance)
        answer = ask(root)
        if answer is None:
            assert not expected
            continue
        file = save(answer, tmp_path / "x.zip")
        with zipfile.ZipFile(file) as opened:
            assert {name: opened.read(name) for name in opened.namelist()} == {
                name.translate(ON_WINDOWS): content for name, content in expected.items()
            }
        assert {one.path for one in read_members(file).files} == {name.translate(ON_WINDOWS) for name in expected}
        shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.timeout(3600 if SOAK else 300)
def test_other_programs_read_the_zips_of_random_trees(tmp_path):
    chance = random.Random(8)
    for number in range(200 if SOAK else 10):
        root = tmp_path / f"tree{number}"
        draw_tree(root, chance)
        if answer := ask(root):
            check_with_programs(save(answer, tmp_path / "x.zip"))


@pytest.mark.slow
def test_unzip_gives_back_names_bytes_and_times(archive, tmp_path):
    file = save(ask(archive), tmp_path / "x.zip")
    if not shutil.which("unzip"):
        pytest.skip("needs unzip")
    subprocess.run(["unzip", "-q", file, "-d", tmp_path / "out"], check=True)
    for name in ("a.txt", "open/b.txt", "open/deep/c.txt"):
        assert (tmp_path / "out" / name).read_text() == name
        assert (tmp_path / "out" / name).stat().st_mtime == 784_111_777


def test_names_that_windows_cannot_have_are_changed_and_none_is_lost(tmp_path):
    names = ("a*b.txt", "a:b.txt", "a_b.txt", "a-b.txt", "a?b.txt", "plain.txt", *(f'{one}".txt' for one in "<>|"))
    for name in (*names, "a*c/x.txt", "a*c/y.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".zddc").write_text(RULES)
    answer = ask(tmp_path)
    length = int(dict(answer.headers)["content-length"])
    file = save(answer, tmp_path.parent / "x.zip")
    assert file.stat().st_size == length
    with zipfile.ZipFile(file) as opened:
        found = {opened.read(name).decode(): name for name in opened.namelist()}
    assert found.keys() == {*names, "a*c/x.txt", "a*c/y.txt"}
    assert len(set(found.values())) == len(found)
    assert not [name for name in found.values() if set(name) & set('<>:"|?*')]
    assert [found[name] for name in ("a_b.txt", "a-b.txt", "plain.txt")] == ["a_b.txt", "a-b.txt", "plain.txt"]
    assert (found["a*c/x.txt"], found["a*c/y.txt"]) == ("a_c/x.txt", "a_c/y.txt")


LIMITS = [
    *(0, 1, 1_999_999_999, 2_000_000_000, 2_000_000_001, 2_045_222_520, 2_045_222_521, (1 << 31) - 2, (1 << 31) - 1),
    *(1 << 31, (1 << 32) - 2, (1 << 32) - 1, 1 << 32, 5_000_000_000),
]


MANY = [[0] * 65_535, [0] * 65_536] if SOAK else []


class _Counted:
    def __init__(self):
        self.length = 0

    def write(self, data):
        self.length += len(data)
        return len(data)

    def flush(self):
        pass


def write_without_content(sizes):
    """Return the length of the zip that zipfile writes of files of these sizes, without their content."""
    counted = _Counted()
    with zipfile.ZipFile(counted, "w") as archive:
        for number, size in enumerate(sizes):
            info = zipfile.ZipInfo(f"{number}.bin")
            info.file_size = size
            is_long = size > 2_000_000_000 or counted.length > (1 << 31) - 1
            with archive.open(info, "w", force_zip64=is_long) as to:
                to._file_size = to._compress_size = size
                counted.length += size
                archive.fp.offset += size
    return counted.length


@pytest.mark.parametrize(
    "sizes",
    [[size] for size in LIMITS] + [[5_000_000_000, 7], LIMITS, *MANY],
    ids=lambda sizes: f"{len(sizes)} of {max(sizes)}",
)
def test_the_length_is_exact_where_the_format_changes(sizes):
    members = [Member((f"{number}.bin",), size, -1) for number, size in enumerate(sizes)]
    assert size_of_zip(members) == write_without_content(sizes)


@pytest.mark.skipif(not SOAK, reason="writes gigabytes; make soak")
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", ["large", "many"])
def test_a_zip_beyond_the_old_limits_is_read_by_all(tmp_path, what):
    root = tmp_path / "root"
    root.mkdir()
    if what == "large":
        for name, size in (("a.bin", (1 << 32) + 5), ("b.bin", 7), ("c.bin", (1 << 31) + 1), ("d.bin", 0)):
            with (root / name).open("wb") as file:
                file.truncate(size)
    else:
        for number in range(66_000):
            (root / f"{number}.txt").touch()
    folder = os.open(root, FOLDER)
    (root / ".zddc").write_text(RULES)
    with Policy(root) as policy, policy.open_folder(()) as (_, chain):
        members = sorted(plan(folder, chain, policy, "kim@acme.example"))
    file = tmp_path / "x.zip"
    with file.open("wb") as written:
        for piece in write_zip(folder, members):
            if piece.strip(b"\0"):
                written.write(piece)
            else:
                written.seek(len(piece), os.SEEK_CUR)
    os.close(folder)
    assert file.stat().st_size == size_of_zip(members)
    check_with_programs(file)
    with zipfile.ZipFile(file) as opened:
        assert len(opened.infolist()) == len(members) == (4 if what == "large" else 66_000)
        assert opened.testzip() is None
