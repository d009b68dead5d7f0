import os

from tests import waiting

from zddc.access.policy import Policy
from zddc.server.stale_parts import STALE_SECONDS, StalePartRemover, remove_stale_parts
from zddc.server.watching import Watcher

PART = f".{'0' * 16}.part"


def place(root, *paths, seconds=0.0):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("left")
        os.utime(file, (seconds, seconds))


def test_only_old_parts_below_incoming_are_removed(tmp_path):
    kept = (f"P/received/{PART}", "P/incoming/.other.part", f"P/incoming/T/{PART}", "P/incoming/plan.pdf")
    place(tmp_path, f"P/incoming/{PART}", f"Q/Incoming/{PART}", *kept)
    place(tmp_path, f"P/incoming/.{'1' * 16}.part", seconds=10)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "incoming").symlink_to(tmp_path / "P" / "received")
    folders = ["", "P", "P/incoming", "Q/Incoming", "P/received", "P/incoming/T", "link/incoming", "gone/incoming"]
    with Policy(tmp_path) as policy:
        assert remove_stale_parts(policy, folders, STALE_SECONDS + 5) == 2
    left = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {*kept, f"P/incoming/.{'1' * 16}.part"}


def test_a_server_removes_them_when_it_knows_the_folders(tmp_path, monkeypatch):
    monkeypatch.setattr("zddc.server.stale_parts._SECONDS_TO_READY", 0.01)
    place(tmp_path, f"P/incoming/{PART}")
    with Policy(tmp_path) as policy, Watcher(tmp_path) as watcher, StalePartRemover(policy, watcher):
        waiting.until(lambda: not (tmp_path / "P" / "incoming" / PART).exists())
