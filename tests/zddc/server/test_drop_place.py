import hashlib
import os

import pytest
from tests.zddc.access.trees import open_descriptors

from zddc.access.policy import Policy
from zddc.server.drop_names import Target
from zddc.server.drop_place import enter_place, has, require_same
from zddc.server.guard import RefusedError
from zddc.server.opening import AbsentError

KIM = "kim@acme.example"


@pytest.fixture
def policy(tmp_path):
    (tmp_path / "P" / "incoming" / "T").mkdir(parents=True)
    (tmp_path / ".zddc").write_text('acl: {permissions: {"*@acme.example": c}}\n')
    with Policy(tmp_path) as policy:
        yield policy


def enter(policy, *folders, name="a.txt", email=KIM):
    return enter_place(policy, Target(("P", "incoming"), folders, name), email)


def test_what_is_not_there_yet_is_made_when_it_is_asked_for(policy, tmp_path):
    before = open_descriptors()
    with enter(policy, "New", "sub") as place:
        assert not (tmp_path / "P" / "incoming" / "New").exists()
        with place.make_folders() as folder:
            assert os.fstat(folder).st_ino == (tmp_path / "P" / "incoming" / "New" / "sub").stat().st_ino
    with enter(policy, "New", "sub") as place, place.make_folders() as folder:
        assert os.fstat(folder).st_ino == (tmp_path / "P" / "incoming" / "New" / "sub").stat().st_ino
    assert open_descriptors() == before


def test_the_deepest_folder_that_is_there_decides(policy, tmp_path):
    (tmp_path / "P" / "incoming" / "T" / ".zddc").write_text(f"acl: {{deny: [{KIM}]}}\n")
    with enter(policy, "U", "sub") as place:
        assert place.decision.by.file == "/.zddc"
    with pytest.raises(AbsentError) as refused, enter(policy, "T", "sub"):
        pass
    assert refused.value.decision.by.file == "/P/incoming/T/.zddc"
    for email in ("x@pipe.example", None):
        with pytest.raises(AbsentError), enter(policy, "U", email=email):
            pass


def test_a_file_or_a_link_on_the_way_is_nothing(policy, tmp_path):
    (tmp_path / "P" / "incoming" / "file").write_text("")
    (tmp_path / "P" / "incoming" / "link").symlink_to("T")
    before = open_descriptors()
    for name in ("file", "link"):
        with pytest.raises(AbsentError), enter(policy, name):
            pass
    assert open_descriptors() == before


def test_a_name_that_is_taken_or_hardly_differs_is_refused_before_anything_comes(policy, tmp_path):
    (tmp_path / "P" / "incoming" / "T" / "a.txt").write_text("12345")
    (tmp_path / "P" / "incoming" / "T" / "b").mkdir()
    with enter(policy, "T") as place:
        place.refuse_clash(5)
    for folders, name, size in ((["T"], "a.txt", 6), (["T"], "A.txt", 5), (["T"], "b", 0), (["t"], "c", 1)):
        with enter(policy, *folders, name=name) as place, pytest.raises(RefusedError) as refused:
            place.refuse_clash(size)
        assert refused.value.status == 409


def test_only_the_same_bytes_are_the_same_file(tmp_path):
    (tmp_path / "a").write_text("hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("a")
    folder, digest = os.open(tmp_path, os.O_RDONLY), hashlib.sha256(b"hello").digest()
    try:
        require_same(folder, "a", digest)
        for name, other in (("a", b"x" * 32), ("folder", digest), ("link", digest), ("none", digest)):
            with pytest.raises(RefusedError):
                require_same(folder, name, other)
        assert [has(folder, name) for name in ("a", "folder", "link", "none")] == [True, True, True, False]
    finally:
        os.close(folder)
