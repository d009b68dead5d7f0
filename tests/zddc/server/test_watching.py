"""The index follows the disk, whether the system tells of a change or not."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from tests import waiting
from tests.zddc.archive.changes import World, snapshot

from zddc.archive.index import Index
from zddc.archive.tree import walk
from zddc.server.inotify import Inotify
from zddc.server.watching import Watcher, network_file_system

# Each waits for what the system tells, and for the end of a watcher.
pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
NAME = "A-1_{} (IFC) - Plan.pdf"


def fresh(root: Path) -> Index:
    return Index(walk(root))


def names(index: Index) -> tuple[object, ...]:
    """Return what an index knows but for sizes and times: a file written in its place changes no folder."""
    return [entry.path for entry in index.entries()], list(index.left_out()), sorted(index.listings)


def in_step(root: Path, watcher: Watcher) -> None:
    """Wait until the watched index is that of the root, in which nothing changes any more."""
    wanted = snapshot(fresh(root))
    waiting.until(lambda: snapshot(watcher.index) == wanted)


@pytest.mark.parametrize("seed", range(20 if SOAK else 1))
def test_after_random_changes_the_watched_index_equals_a_fresh_one(tmp_path, seed):
    world = World(tmp_path, seed)
    with Watcher(tmp_path, rescan_seconds=0) as watcher:
        waiting.until(lambda: watcher.is_ready)
        assert watcher.problem == ""
        for _ in range(25 if SOAK else 3):
            for _ in range(20):
                world.change()
            in_step(tmp_path, watcher)


@pytest.mark.parametrize("seed", range(20 if SOAK else 1))
def test_after_random_changes_that_nobody_told_of_a_rescan_finds_them_all(tmp_path, seed):
    world = World(tmp_path, seed)
    watcher = Watcher(tmp_path)
    watcher.read_all()
    for _ in range(500 if SOAK else 60):
        world.change()
        watcher.rescan()
        assert names(watcher.index) == names(fresh(tmp_path))
    watcher.read_all()
    assert snapshot(watcher.index) == snapshot(fresh(tmp_path))


@pytest.fixture
def watched(tmp_path):
    """A root, and a watcher of it that has read all and looks at nothing unless the system tells of a change."""
    (tmp_path / "P").mkdir()
    (tmp_path / "P" / NAME.format("A")).touch()
    with Watcher(tmp_path, rescan_seconds=0) as watcher:
        waiting.until(lambda: watcher.is_ready)
        yield tmp_path, watcher


def test_folders_made_at_once_one_in_the_other_are_all_found(watched):
    root, watcher = watched
    for number in range(20):
        deep = root / "P" / f"{number}" / "a" / "b" / "c"
        deep.mkdir(parents=True)
        (deep / NAME.format("B")).touch()
    in_step(root, watcher)
    for number in range(20):
        (root / "P" / f"{number}" / "a" / "b" / "c" / NAME.format("C")).touch()
    in_step(root, watcher)


def test_a_folder_that_was_renamed_and_back_again_is_still_watched(watched):
    root, watcher = watched
    for old, new in (("P", "Q"), ("Q", "P")):
        (root / old).rename(root / new)
        in_step(root, watcher)
    (root / "P" / NAME.format("B")).touch()
    in_step(root, watcher)
    assert watcher.index.document("A-1").current.text == "B"


def test_a_folder_that_takes_the_name_of_another_is_read_with_all_below(watched):
    root, watcher = watched
    for name in ("one", "two"):
        (root / name / "deep").mkdir(parents=True)
        (root / name / "deep" / f"{name}.pdf").touch()
    in_step(root, watcher)
    (root / "one").rename(root / "old")
    (root / "two").rename(root / "one")
    in_step(root, watcher)
    (root / "one" / "deep" / "more.pdf").touch()
    in_step(root, watcher)


def test_a_file_that_becomes_a_folder_and_the_other_way_round(watched):
    root, watcher = watched
    place = root / "P" / NAME.format("B")
    for _ in range(3):
        place.touch()
        in_step(root, watcher)
        place.unlink()
        place.mkdir()
        (place / "in.pdf").touch()
        in_step(root, watcher)
        shutil.rmtree(place)


def test_nothing_behind_a_link_comes_into_the_index(watched, tmp_path_factory):
    root, watcher = watched
    outside = tmp_path_factory.mktemp("outside")
    (outside / "deep").mkdir()
    (outside / "deep" / NAME.format("Z")).touch()
    (root / "P" / "deep").mkdir()
    in_step(root, watcher)
    (root / "P").rename(root / "old")
    (root / "P").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (outside / "deep" / "new.pdf").touch()
    in_step(root, watcher)
    watcher.refresh(["P", "P/deep", "loop", "loop/old"])
    assert snapshot(watcher.index) == snapshot(fresh(root))


def test_more_changes_than_the_system_keeps_for_us_are_found(watched):
    root, watcher = watched
    for number in range(3000):
        (root / "P" / f"{number}.pdf").touch()
        if number % 100 == 0:
            (root / f"{number}").mkdir()
            (root / f"{number}" / NAME.format(number)).touch()
    in_step(root, watcher)


def test_what_a_server_writes_for_itself_is_not_looked_at(watched):
    root, watcher = watched
    (root / ".zddc.d" / "logs").mkdir(parents=True)
    (root / "_build").mkdir()
    (root / "P" / "last.pdf").touch()
    in_step(root, watcher)
    read = watcher.folders_read
    for number in range(100):
        (root / ".zddc.d" / "logs" / "audit").write_text(f"{number}")
        (root / "_build" / f"{number}").touch()
    (root / "P" / "sentinel.pdf").touch()
    in_step(root, watcher)
    assert watcher.folders_read <= read + 2


def test_a_rule_file_that_comes_or_goes_is_known(watched):
    root, watcher = watched
    (root / "P" / ".zddc").touch()
    waiting.until(lambda: watcher.index.listings["P"].has_rules)
    (root / "P" / ".zddc").unlink()
    waiting.until(lambda: not watcher.index.listings["P"].has_rules)


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSPC, "the system watches no more folders; raise fs.inotify.max_user_watches"),
        (errno.EMFILE, "the system has no more watchers; raise fs.inotify.max_user_instances"),
    ],
)
def test_without_news_from_the_system_a_rescan_is_enough(tmp_path, monkeypatch, caplog, number, problem):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Inotify, "watch" if number == errno.ENOSPC else "__init__", refuse)
    with Watcher(tmp_path, rescan_seconds=0.01) as watcher:
        waiting.until(lambda: watcher.is_ready)
        (tmp_path / NAME.format("A")).touch()
        in_step(tmp_path, watcher)
        assert watcher.problem == problem
    assert [record.getMessage() for record in caplog.records] == [
        f"not every change is seen at once: {problem}; all folders are looked at every 0.01 seconds"
    ]


def test_a_rescan_may_be_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(Inotify, "wait", lambda *_: [])
    with Watcher(tmp_path, rescan_seconds=0) as watcher:
        waiting.until(lambda: watcher.is_ready)
        (tmp_path / NAME.format("A")).touch()
        watcher.ask_for_rescan()
        in_step(tmp_path, watcher)


def test_a_watcher_that_is_stopped_while_it_reads_ends(tmp_path):
    (tmp_path / "a").mkdir()
    watcher = Watcher(tmp_path)
    watcher._stopping.set()
    watcher.start()
    watcher.stop()
    assert not watcher.is_ready
    assert not watcher._thread.is_alive()


def test_a_root_that_goes_away_and_comes_back_is_found_again(watched):
    root, watcher = watched
    root.rename(root.with_name("elsewhere"))
    watcher.rescan()
    assert list(watcher.index.entries()) == []
    root.with_name("elsewhere").rename(root)
    watcher.rescan()
    assert snapshot(watcher.index) == snapshot(fresh(root))


def test_a_folder_of_this_machine_is_not_on_a_network(tmp_path):
    assert network_file_system(tmp_path) == ""
