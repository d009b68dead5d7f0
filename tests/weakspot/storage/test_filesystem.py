"""The type of a file system is told by the mount through which a path is reached."""

import subprocess

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from weakspot.storage import filesystem
from weakspot.storage.append_log import Journal
from zddc.errors import UserError

# As proc_pid_mountinfo(5) shows them: escaped blanks, optional fields, a mount hidden by a later one, a source of none.
MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw
31 27 0:40 / /mnt/my\040share rw - nfs4 server:/my\040share rw,vers=4.2
32 27 0:41 / /mnt/my\040share rw propagate_from:3 - tmpfs none rw
33 27 0:42 / /home/me/far rw,nosuid - fuse.sshfs me@far: rw,user_id=0
131 27 0:43 / /c rw - 9p C:\134 rw,aname=drvfs
"""


def fdinfo(mount: object) -> str:
    return f"pos:\t0\nflags:\t012000000\nmnt_id:\t{mount}\nino:\t2\n"


@pytest.mark.parametrize(
    ("mount", "kind"),
    [(27, "ext4"), (31, "nfs4"), (32, "tmpfs"), (33, "fuse.sshfs"), (131, "9p"), (3, None), (999, None)],
)
def test_the_type_is_that_of_the_mount_with_the_number(mount, kind):
    assert filesystem.kind_of_mount(fdinfo(mount), MOUNTINFO) == kind


@given(st.text())
@example("mnt_id:")
@example("27 1 254:0 / / rw -")
def test_what_cannot_be_understood_tells_nothing(text):
    assume(" - " not in text)
    assert filesystem.kind_of_mount(text, MOUNTINFO) is None or "mnt_id:" in text
    assert filesystem.kind_of_mount(fdinfo(27), text) is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "ceph", "afs"])
def test_a_journal_on_a_file_system_of_the_network_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(filesystem, "kind", lambda file: kind)
    with pytest.raises(UserError, match=rf"lies on a network file system \({kind}\)"):
        Journal(tmp_path / "f.jsonl")


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse.gocryptfs", None])
def test_a_journal_on_a_file_system_of_this_machine_is_not(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(filesystem, "kind", lambda file: kind)
    Journal(tmp_path / "f.jsonl").append(["a"])
    assert (tmp_path / "f.jsonl").read_text() == "a\n"


def test_what_is_not_there_yet_has_the_type_of_where_it_will_be(tmp_path):
    there = filesystem.kind(tmp_path)
    assert there is not None
    assert filesystem.kind(tmp_path / "not" / "there" / "yet.jsonl") == there


def test_a_link_has_the_type_of_its_target(tmp_path):
    (tmp_path / "link").symlink_to("/proc/self/nothing")
    assert filesystem.kind(tmp_path / "link") == "proc"
    assert filesystem.kind(tmp_path / "link" / "below") == "proc"


def test_the_mount_that_hides_another_counts_whatever_is_listed_below(small_disk):
    """A mount over a folder hides those below it, which stay listed with their longer paths."""
    outer, inner = small_disk / "with a blank", small_disk / "with a blank" / "inner"
    inner.mkdir(parents=True)
    subprocess.run(["mount", "-t", "ramfs", "none", str(inner)], check=True)
    assert filesystem.kind(inner / "file") == "ramfs"
    subprocess.run(["mount", "-t", "tmpfs", "none", str(outer)], check=True)
    try:
        inner.mkdir()
        assert filesystem.kind(inner / "file") == "tmpfs"
        (small_disk / "bound").mkdir()
        subprocess.run(["mount", "--bind", "/proc", str(small_disk / "bound")], check=True)
        assert filesystem.kind(small_disk / "bound" / "file") == "proc"
        subprocess.run(["umount", str(small_disk / "bound")], check=True)
    finally:
        subprocess.run(["umount", str(outer)], check=True)
        subprocess.run(["umount", str(inner)], check=True)
