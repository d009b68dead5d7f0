"""The kernel tells of changes in the folder itself, and in nothing that a link leads to."""

import os
from pathlib import Path

import pytest

from zddc.server import inotify
from zddc.server.inotify import LOST, Inotify


@pytest.fixture
def kernel():
    opened = Inotify()
    yield opened
    opened.close()


def names(kernel):
    return {event.name for event in kernel.wait(10)}


def test_what_happens_in_a_folder_is_told(kernel, tmp_path):
    watch = kernel.watch(tmp_path)
    (tmp_path / "ä new").touch()
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff", os.O_CREAT))
    assert {(event.watch, event.name) for event in kernel.wait(10)} == {(watch, "ä new"), (watch, "\udcff")}
    for change in (lambda: (tmp_path / "ä new").rename(tmp_path / "old"), (tmp_path / "old").unlink):
        change()
        assert "old" in names(kernel)
    (tmp_path / "kept").write_text("1")
    names(kernel)
    (tmp_path / "kept").write_text("2")
    assert names(kernel) == {"kept"}
    assert kernel.wait(0) == []


def test_a_folder_has_one_watch_under_any_name(kernel, tmp_path):
    (tmp_path / "a").mkdir()
    watch = kernel.watch(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert kernel.watch(tmp_path / "b") == watch
    kernel.forget(watch)
    kernel.forget(watch)
    kernel.wait(0)
    (tmp_path / "b" / "file").touch()
    assert kernel.wait(0) == []


@pytest.mark.parametrize("what", ["link", "file", "nothing"])
def test_only_a_folder_itself_is_watched(kernel, tmp_path, what):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        kernel.watch(tmp_path / what)


def test_changes_that_were_lost_are_told(kernel, tmp_path):
    kernel.watch(tmp_path)
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    names = [str(tmp_path / name) for name in "01"]
    Path(names[0]).touch()
    for number in range(most // 2 + 1):  # two changes each: it goes, and it comes
        os.rename(names[number % 2], names[1 - number % 2])  # noqa: PTH104 - much faster than by a path
    masks = set()
    while events := kernel.wait(0):
        masks |= {event.mask & LOST for event in events}
    assert LOST in masks


def test_without_any_watcher_left_there_is_an_error(monkeypatch):
    monkeypatch.setattr(inotify._libc, "inotify_init1", lambda _: -1)
    with pytest.raises(OSError):
        Inotify()
