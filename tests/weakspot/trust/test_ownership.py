"""A settings file that was found counts only where nobody else could have written it."""

import os

import pytest

from weakspot.trust.ownership import find_stranger

NOBODY = 65534


@pytest.fixture
def found(tmp_path):
    file = tmp_path / "a/b/weakspot.toml"
    file.parent.mkdir(parents=True)
    file.touch(0o644)
    return file


def needs_root():
    if os.geteuid():
        pytest.skip("only root gives files away")


def test_the_users_own_file_counts(found):
    assert find_stranger(found) == ""


@pytest.mark.parametrize("which", ["file", "folder", "above"])
def test_what_everybody_may_write_to_does_not_count(found, which):
    path = {"file": found, "folder": found.parent, "above": found.parent.parent}[which]
    path.chmod(0o777)
    assert find_stranger(found) == f"everybody may write to {path}"


def test_a_sticky_folder_counts_as_not_writable(found):
    found.parent.chmod(0o1777)
    assert find_stranger(found) == ""


@pytest.mark.parametrize("which", ["file", "folder", "above"])
def test_what_belongs_to_somebody_else_does_not_count(found, which):
    needs_root()
    path = {"file": found, "folder": found.parent, "above": found.parent.parent}[which]
    os.chown(path, NOBODY, -1)
    assert find_stranger(found).startswith(f"{path} belongs to ")


def test_what_a_group_may_write_to_counts_only_for_the_users_own(found):
    needs_root()
    found.chmod(0o664)
    assert find_stranger(found) == ""  # root's own
    os.chown(found, -1, 100)
    assert find_stranger(found) == f"a group may write to {found}"


def test_a_link_to_somebody_elses_file_does_not_count(found, tmp_path):
    other = tmp_path / "other/weakspot.toml"
    other.parent.mkdir()
    other.touch()
    other.parent.chmod(0o777)
    found.unlink()
    found.symlink_to(other)
    assert find_stranger(found) == f"everybody may write to {other.parent}"
