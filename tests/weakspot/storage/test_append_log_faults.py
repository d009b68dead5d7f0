"""A system call that fails, or in which the process dies, loses nothing that was acknowledged, whichever it is."""

import pytest

from weakspot.storage import append_log
from weakspot.storage.append_log import Journal

pytestmark = pytest.mark.slow

OLD = ['{"old": "a"}', '{"old": "secret"}', '{"old": "c"}']
NEW = ['{"new": "d"}', '{"new": "e"}']
SCRUBBED = '{"old": "scrubbed"}'


def texts(file) -> list[str]:
    return [line.data.decode() for line in append_log.read_lines(file)]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "raw" / "interactions.jsonl"


@pytest.mark.parametrize("durability", ["process", "disk"])
@pytest.mark.parametrize("torn", ["", '{"torn": "'], ids=["whole", "torn"])
def test_an_append_stores_all_or_none_and_hurts_no_other(faults, file, torn, durability):
    def prepare() -> None:
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"{record}\n" for record in OLD) + torn)

    before = [*OLD, torn] if torn else OLD
    tried = 0
    for fault, acknowledged in faults.each(f"append_log.append(file, {NEW}, {durability!r})", file, prepare):
        assert texts(file) == [*before, *NEW] or (texts(file) == before and not acknowledged), fault
        append_log.append(file, ["after"])
        assert [text for text in texts(file) if text not in NEW] == [*before, "after"], fault
        tried += 1
    assert tried > 10


def test_the_first_append_makes_the_file_or_leaves_that_to_the_next(faults, file):
    def prepare() -> None:
        file.unlink(missing_ok=True)
        if file.parent.exists():
            file.parent.rmdir()

    for fault, acknowledged in faults.each(f"append_log.append(file, {NEW})", file, prepare):
        assert texts(file) == NEW or (texts(file) == [] and not acknowledged), fault
        append_log.append(file, ["after"])
        assert texts(file) in (["after"], [*NEW, "after"]), fault


def test_a_replacement_that_failed_lost_nothing_and_is_finished_when_done_again(faults, file):
    def prepare() -> None:
        file.unlink(missing_ok=True)
        append_log.append(file, OLD)

    def replace() -> None:
        changes = {line: SCRUBBED for line in append_log.read_lines(file) if b"secret" in line.data}
        append_log.replace(file, changes)

    act = f"lines = list(append_log.read_lines(file)); append_log.replace(file, {{lines[1]: {SCRUBBED!r}}})"
    for fault, acknowledged in faults.each(act, file, prepare):
        found = texts(file)
        assert found in (OLD, [*OLD, SCRUBBED], [OLD[0], OLD[2], SCRUBBED]), fault
        assert found == [OLD[0], OLD[2], SCRUBBED] or not acknowledged, fault
        append_log.append(file, NEW)
        replace()
        assert sorted(texts(file)) == sorted([OLD[0], OLD[2], SCRUBBED, *NEW]), fault
        assert b"secret" not in file.read_bytes(), fault


def test_what_could_not_be_synced_is_taken_back_and_not_acknowledged(faults, file):
    """Stored again after the journal was opened anew, the record is there once."""
    append_log.append(file, OLD)
    act = f"""
from weakspot.storage.append_log import Journal, JournalError
shared = Journal(file)
shared.append(["first"])
for _ in range(2):
    try:
        shared.append({NEW})
    except JournalError:
        continue
    os._exit(1)
shared.reopen()
shared.append({NEW})
"""
    assert faults.run(act, file, "-e", "inject=fdatasync:error=EIO:when=2")
    assert texts(file) == [*OLD, "first", *NEW]


def test_a_disk_that_goes_on_failing_acknowledges_nothing(faults, file):
    append_log.append(file, OLD)
    act = f"""
from weakspot.storage.append_log import Journal, JournalError
shared = Journal(file)
for attempt in (shared.append, lambda _: shared.reopen(), shared.append):
    try:
        attempt({NEW})
    except JournalError:
        continue
    os._exit(1)
"""
    assert faults.run(act, file, "-e", "inject=fdatasync,fsync:error=EIO")
    assert texts(file) == OLD


def test_while_reopening_fails_nothing_is_acknowledged(faults, file):
    def prepare() -> None:
        file.unlink(missing_ok=True)
        append_log.append(file, OLD)

    act = f"""
shared = append_log.Journal(file)
shared.failed = True
try:
    shared.reopen()
except OSError:
    try:
        shared.append({NEW})
    except append_log.JournalError:
        os._exit(1)
shared.append({NEW})
"""
    for fault, acknowledged in faults.each(act, file, prepare):
        assert texts(file) == [*OLD, *NEW] or (texts(file) == OLD and not acknowledged), fault
        shared = Journal(file)
        shared.append(["after"])
        assert [text for text in texts(file) if text not in NEW] == [*OLD, "after"], fault


def test_a_sync_of_the_folder_that_fails_is_a_failure_of_the_journal(faults, file):
    file.parent.mkdir()
    act = """
shared = append_log.Journal(file)
try:
    shared.append(["a"])
except append_log.JournalError:
    assert shared.failed
    shared.reopen()
    shared.append(["b"])
"""
    assert faults.run(act, file, "-e", "inject=fsync:error=EIO:when=1")
    assert texts(file) == ["b"]


def test_a_writer_does_not_wait_for_the_disk_of_another(faults, file):
    append_log.append(file, OLD)
    with faults.held_up(f"append_log.append(file, {NEW})", file, "fdatasync") as ended:
        while texts(file) != [*OLD, *NEW]:
            assert not ended()
        append_log.append(file, ["after"])
        assert not ended()
    assert texts(file) == [*OLD, *NEW, "after"]
