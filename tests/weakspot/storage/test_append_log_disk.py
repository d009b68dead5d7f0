"""A disk that really fails: what it could not take is not acknowledged, and what was acknowledged is on it."""

import errno
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from weakspot.storage import append_log, locks
from weakspot.storage.append_log import Journal, JournalError

pytestmark = pytest.mark.slow


def texts(file) -> list[str]:
    return [line.data.decode() for line in append_log.read_lines(file)]


def test_what_was_acknowledged_survives_a_power_cut(disk):
    """Its name as well, and those of the folders made for it."""
    file = disk.folder / "new" / "folder" / "f.jsonl"
    acknowledged = []
    for number in range(5):
        append_log.append(file, [f"{number} {'x' * 3000 * number}"])
        acknowledged.append(f"{number} {'x' * 3000 * number}")
        with disk.after_power_cut() as folder:
            assert texts(folder / "new" / "folder" / "f.jsonl") == acknowledged


def test_what_is_to_survive_its_process_only_is_not_waited_for(disk):
    file = disk.folder / "f.jsonl"
    append_log.append(file, ["on the disk"])
    append_log.append(file, ["in memory"], "process")
    with disk.after_power_cut() as folder:
        assert texts(folder / "f.jsonl") == ["on the disk"]
    assert texts(file) == ["on the disk", "in memory"]


def test_a_power_cut_while_replacing_loses_nothing_and_leaves_nothing_that_is_to_go(faults, disk):
    """The process dies at each of its system calls, and what it had not synced is lost with it."""
    file, secret = disk.folder / "f.jsonl", "secret " * 1500

    def prepare() -> None:
        file.unlink(missing_ok=True)
        append_log.append(file, ["one", secret, "three"])

    act = "lines = list(append_log.read_lines(file)); append_log.replace(file, {lines[1]: 'scrubbed'})"
    seen = []
    for fault, acknowledged in faults.each(act, file, prepare, ["signal=KILL"]):
        with disk.after_power_cut() as folder:
            copy = folder / "f.jsonl"
            found = texts(copy)
            assert {"one", "three"} < set(found) <= {"one", "three", secret, "scrubbed"}, fault
            assert "scrubbed" in found or not acknowledged, fault
            append_log.replace(
                copy, {line: "scrubbed" for line in append_log.read_lines(copy) if b"secret" in line.data}
            )
            assert texts(copy) == ["one", "three", "scrubbed"], fault
            assert b"secret" not in copy.read_bytes(), fault
        seen.append(found)
    assert {len(found) for found in seen} == {3, 4}


def failed(disk) -> tuple[Journal, list[str]]:
    """Return a journal of which the last append failed, and what was acknowledged before."""
    shared = Journal(disk.folder / "f.jsonl")
    acknowledged = [f"record {number:02} {'x' * 5000}" for number in range(20)]
    for record in acknowledged:
        shared.append([record])
    before = shared.file.read_bytes()
    disk.fail()
    with pytest.raises(JournalError) as caught:
        shared.append(["y" * 50_000])
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(shared.file))
    assert shared.file.read_bytes() == before
    return shared, acknowledged


def test_after_a_failed_sync_nothing_is_acknowledged_until_reopened(disk):
    shared, acknowledged = failed(disk)
    for _ in range(2):
        with pytest.raises(JournalError, match="an earlier sync failed: nothing is stored until reopened"):
            shared.append(["not stored"])
        assert texts(shared.file) == acknowledged
    disk.mend()
    with pytest.raises(JournalError, match="an earlier sync failed: nothing is stored until reopened"):
        shared.append(["not stored"])
    shared.reopen()
    shared.append(["after"])
    disk.restart()
    assert texts(shared.file) == [*acknowledged, "after"]


def test_on_a_disk_that_goes_on_failing_each_append_fails_anew(disk):
    shared, acknowledged = failed(disk)
    for _ in range(3):
        shared.reopen()
        with pytest.raises(JournalError, match="No space left"):
            shared.append(["z" * 50_000])
        assert texts(shared.file) == acknowledged
    disk.mend()
    shared.reopen()
    shared.append(["after"])
    disk.restart()
    assert texts(shared.file) == [*acknowledged, "after"]


def test_what_one_writer_could_not_sync_does_not_hurt_the_next(disk):
    """The other writer comes after the failure: nobody tells it, and its sync succeeds."""
    shared, acknowledged = failed(disk)
    disk.mend()
    others = [f"another {'o' * (4096 * 3 - 9)}" for _ in range(3)]
    for other in others:
        append_log.append(shared.file, [other])
    disk.restart()
    assert texts(shared.file) == [*acknowledged, *others]


def test_what_a_reader_kept_from_being_taken_back_is_cut_off_when_reopened(disk, monkeypatch):
    monkeypatch.setattr(locks, "_PATIENCE_SECONDS", 0.1)
    shared = Journal(disk.folder / "f.jsonl")
    acknowledged = ["one", "two", "x" * 5000]
    shared.append(acknowledged)
    reading = append_log.read_lines(shared.file)
    next(reading)
    disk.fail()
    with pytest.raises(JournalError):
        shared.append(["y" * 50_000])
    assert texts(shared.file) == [*acknowledged, "y" * 50_000]
    reading.close()
    disk.mend()
    shared.reopen()
    shared.append(["after"])
    disk.restart()
    assert [text for text in texts(shared.file) if text.strip("y")] == [*acknowledged, "after"]
    assert shared.file.stat().st_size < 10_000


def test_writers_at_once_are_all_told_and_lose_nothing(disk):
    """Each appends until the disk fails, opens its journal anew until the disk is mended, and goes on."""
    file, names = disk.folder / "f.jsonl", "abcd"
    # Nobody is at a sync when the disk changes: of one that finds room for a part, a loop device says that it was done.
    changing = threading.Barrier(len(names) + 1, timeout=120)

    def write(name: str) -> list[str]:
        shared, acknowledged = Journal(file), []

        def append(word: str) -> bool:
            record = f"{word} {name} {len(acknowledged)} {'x' * 5000}"
            try:
                if shared.failed:
                    shared.reopen()
                shared.append([record])
            except JournalError:
                assert shared.failed
                return False
            acknowledged.append(record)
            return True

        assert all(append("before") for _ in range(30))
        for _ in range(2):
            changing.wait()
        failures = 0
        while failures < 5:
            failures += not append("meanwhile")
        for _ in range(2):
            changing.wait()
        while not append("after"):
            pass
        return acknowledged

    with ThreadPoolExecutor(len(names)) as threads:
        writing = [threads.submit(write, name) for name in names]
        for change in (disk.fail, disk.mend):
            changing.wait()
            change()
            changing.wait()
        acknowledged = [record for one in writing for record in one.result()]
    disk.restart()
    # Of a record that could not be stored, and behind which others wrote, a part may have reached the disk.
    assert sorted(text for text in texts(file) if text.endswith("x" * 5000)) == sorted(acknowledged)


def test_a_record_that_is_gone_stays_a_failure(disk):
    shared, acknowledged = failed(disk)
    disk.mend()
    disk.damage(b"record 01 ")
    assert texts(shared.file) == acknowledged
    place = len(acknowledged[0]) + 1
    with pytest.raises(JournalError, match=rf"the record that was stored at byte {place} is not there any more"):
        shared.reopen()
    with pytest.raises(JournalError, match="an earlier sync failed"):
        shared.append(["not stored"])


def test_records_that_were_forgotten_meanwhile_are_not_missed(disk):
    """Nor is the place of the last one cut off together with what failed."""
    shared = Journal(disk.folder / "f.jsonl")
    shared.append(["one", "two"])
    shared.append(["three", "four"])
    _, two, _, four = append_log.read_lines(shared.file)
    append_log.replace(shared.file, {four: None})
    disk.fail()
    with pytest.raises(JournalError):
        shared.append(["y" * 50_000])
    disk.mend()
    append_log.replace(shared.file, {two: None})
    shared.reopen()
    shared.append(["after"])
    assert shared.file.read_text() == "one\n   \nthree\n    \nafter\n"
