"""A workspace's files are for their owner, whatever the umask; nothing is written through a link."""

import os
import stat

import pytest

from weakspot.storage import append_log, atomic, permissions
from zddc.errors import UserError


@pytest.fixture(params=[0o000, 0o022, 0o027, 0o077])
def umask(request):
    """Any umask."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def write_everything(root):
    atomic.write_atomically(root / "a" / "whole", b"x")
    append_log.append(root / "b" / "log", ["x"])
    with atomic.hold_lock(root / "c" / "lock", "test"):
        pass
    with atomic.write_folder_atomically(root / "d") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"x")
        (folder / "deep" / "read-only").write_bytes(b"x")
        (folder / "deep" / "read-only").chmod(0o444)


@pytest.mark.parametrize(
    ("root_mode", "folder", "file"), [(0o755, 0o700, 0o600), (0o700, 0o700, 0o600), (0o750, 0o750, 0o640)]
)
def test_what_is_written_has_the_mode_of_a_workspace(tmp_path, umask, root_mode, folder, file):
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(root_mode)
    write_everything(root)
    modes = {path.relative_to(root).as_posix(): mode(path) for path in root.rglob("*")}
    assert modes.pop("d/deep/read-only") == file & 0o440
    assert {modes[name] for name in ("a", "b", "c", "d", "d/deep")} == {folder}
    assert {modes[name] for name in ("a/whole", "b/log", "d/deep/file")} == {file}
    assert not any(one & 0o007 for one in modes.values())


@pytest.mark.parametrize("group", [False, True])
def test_old_modes_are_mended_once(tmp_path, group):
    part = tmp_path / "raw"
    (part / "deep").mkdir(parents=True)
    for file in (part / "file", part / "deep" / "file"):
        file.write_text("x")
        file.chmod(0o644)
    part.chmod(0o755)
    assert permissions.mend([part, tmp_path / "missing"], group=group) == 4
    assert (mode(part), mode(part / "deep" / "file")) == ((0o750, 0o640) if group else (0o700, 0o600))
    assert permissions.mend([part], group=group) == 0


@pytest.mark.parametrize("deep", ["", "deep/deeper"])
def test_a_link_is_refused_and_what_it_leads_to_stays(tmp_path, deep):
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "raw" / deep / "link"
    elsewhere.write_text("precious")
    elsewhere.chmod(0o644)
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(UserError, match="link: a link, and"):
        permissions.mend([tmp_path / "raw"], group=False)
    with pytest.raises(OSError, match="symbolic links"):
        append_log.append(link, ["x"])
    with pytest.raises(OSError, match="symbolic links"), atomic.hold_lock(link, "test"):
        pass
    atomic.write_atomically(link, b"new")
    assert not link.is_symlink()
    assert (elsewhere.read_text(), mode(elsewhere)) == ("precious", 0o644)


def test_a_temporary_name_is_guessed_by_nobody(tmp_path, monkeypatch):
    """Where somebody did guess it, what is there is not written through."""
    (tmp_path / "elsewhere").write_text("precious")
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda size: "0" * size)
    (tmp_path / f".file.{'0' * 8}.tmp").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        atomic.write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "elsewhere").read_text() == "precious"
