"""What was acknowledged is read exactly once, by every read, whatever its neighbours and the disk do."""

import contextlib
import errno
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.storage import append_log, filesystem, locks
from weakspot.storage.append_log import Journal, Line
from zddc.errors import UserError

ONE_LINE = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))


def texts(file) -> list[str]:
    return [line.data.decode() for line in append_log.read_lines(file)]


def line_of(file, text: str) -> Line:
    return next(line for line in append_log.read_lines(file) if line.data.decode() == text)


@contextlib.contextmanager
def started(script: str, file: Path) -> Iterator[subprocess.Popen]:
    """Run a script in another process, with ``file`` and ``journal`` at hand; it must end well, and is ended anyway."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom weakspot.storage import append_log\n"
        f"file = Path(sys.argv[1])\n{script}"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(file)], stdin=subprocess.PIPE, text=True) as process:
        try:
            yield process
            process.stdin.close()
            assert process.wait() == 0
        finally:
            process.kill()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "raw" / "interactions.jsonl"


# Appending


def test_records_are_appended_one_a_line(file):
    append_log.append(file, ["a", "b"])
    append_log.append(file, ["c"])
    assert file.read_bytes() == b"a\nb\nc\n"


def test_a_torn_tail_is_closed_and_swallows_nothing(file):
    append_log.append(file, ['{"a": 1}'])
    with file.open("ab") as stream:
        stream.write(b'{"b":')
    append_log.append(file, ['{"c": 3}'])
    assert texts(file) == ['{"a": 1}', '{"b":', '{"c": 3}']


@given(st.lists(ONE_LINE), st.sampled_from(["process", "disk"]))
def test_what_is_appended_is_what_is_read(tmp_path_factory, records, durability):
    file = tmp_path_factory.mktemp("journal") / "f.jsonl"
    records = [f"x{record}x" for record in records]
    append_log.append(file, records, durability)
    assert texts(file) == records


@given(ONE_LINE)
def test_a_record_is_read_back_as_it_is_or_refused(tmp_path_factory, record):
    file = tmp_path_factory.mktemp("journal") / "f.jsonl"
    try:
        append_log.append(file, [record])
    except ValueError:
        assert not record.strip() or record[0] in "\ufeff\x18"
        assert not file.exists()
    else:
        assert texts(file) == [record]


@pytest.mark.parametrize("record", ["", " ", "a\nb", "a\n", "a\r", "\ufeffa", "\x18a", "\ud800"])
def test_what_would_not_be_read_back_is_refused(file, record):
    with pytest.raises(ValueError):
        append_log.append(file, ["good", record])
    assert not file.exists()


def test_a_full_disk_takes_back_what_was_half_written(small_disk):
    file = small_disk / "f.jsonl"
    append_log.append(file, ["a" * 1000])
    before = file.read_bytes()
    with pytest.raises(OSError, match="No space left") as caught:
        append_log.append(file, ["b" * 100_000])
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(file))
    assert file.read_bytes() == before
    append_log.append(file, ["c"])
    assert texts(file) == ["a" * 1000, "c"]


def test_a_part_that_the_disk_took_is_taken_back(file):
    """A file that may not grow past 10,000 bytes takes a part of a write and refuses the rest with the next."""
    append_log.append(file, ["a" * 6000])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            append_log.append(file, ["b" * 6000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(file)
    assert texts(file) == ["a" * 6000]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        append_log.append(tmp_path / "f.jsonl", ["a"])


def test_a_journal_is_shared_by_threads(file):
    shared = Journal(file)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(shared.append, ([f"{n} {'x' * 5000}"] for n in range(400))))
    assert sorted(int(text.split()[0]) for text in texts(file)) == list(range(400))


@pytest.mark.slow
def test_a_journal_is_used_on_after_a_fork(file):
    script = """
import os
shared = append_log.Journal(file, "process")
shared.append(["from the parent"])
for name in "abcd":
    if os.fork() == 0:
        for number in range(300):
            shared.append([f"{name}{number} " + name * 20000])
        os._exit(0)
sys.exit(any(os.wait()[1] for _ in "abcd"))
"""
    with started(script, file):
        pass
    written = {f"{name}{number} " + name * 20000 for name in "abcd" for number in range(300)}
    assert len(texts(file)) == 1201
    assert set(texts(file)) == written | {"from the parent"}


# Reading


def test_lines_have_their_number_and_the_offset_of_what_they_hold(file):
    file.parent.mkdir()
    file.write_bytes(b"\xef\xbb\xbfa\r\n\n  \r\nb\nlast")
    assert list(append_log.read_lines(file)) == [Line(1, 3, b"a"), Line(4, 11, b"b"), Line(5, 13, b"last")]


def test_only_a_line_feed_ends_a_line(file):
    append_log.append(file, ["a\u2028b\u0085c\x0bd\x0ce"])
    assert len(texts(file)) == 1


def test_a_file_that_is_not_there_has_no_lines(file):
    assert texts(file) == []


@given(st.binary())
def test_the_lines_of_any_file_stand_where_they_are_said_to(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("journal") / "f.jsonl"
    file.write_bytes(data)
    for line in append_log.read_lines(file):
        assert data[line.offset :].startswith(line.data)
        assert data[: line.offset].count(b"\n") == line.number - 1


def test_a_read_is_of_the_moment_when_it_began(file):
    append_log.append(file, [str(number) for number in range(5000)])
    lines = append_log.read_lines(file)
    first = next(lines)
    append_log.append(file, ["later"])
    assert [first, *lines][-1].data == b"4999"


@pytest.mark.slow
def test_a_read_never_meets_a_write_that_is_under_way(file):
    """The records are long enough that an unlocked reader finds most of them half written."""
    script = """
record = "x" * 4_000_000
for _ in sys.stdin:
    append_log.append(file, [record], "process")
"""
    with started(script, file) as writer:
        for _ in range(30):
            file.unlink(missing_ok=True)
            append_log.append(file, ["first"], "process")
            writer.stdin.write("now\n")
            writer.stdin.flush()
            while (found := [len(line.data) for line in append_log.read_lines(file)]) == [5]:
                assert writer.poll() is None
            assert found == [5, 4_000_000]


# Replacing


def test_a_line_is_replaced_by_a_record_at_the_end_and_by_spaces(file):
    append_log.append(file, ["a", "secret", "c"])
    append_log.replace(file, {line_of(file, "secret"): "scrubbed"})
    assert file.read_bytes() == b"a\n      \nc\nscrubbed\n"
    assert [(line.number, line.offset) for line in append_log.read_lines(file)] == [(1, 0), (3, 9), (4, 11)]


def test_a_line_is_forgotten(file):
    append_log.append(file, ["a", "b", "c"])
    append_log.replace(file, {line_of(file, "a"): None, line_of(file, "c"): None})
    assert file.read_bytes() == b" \nb\n \n"


def test_line_ends_and_a_byte_order_mark_stay_where_a_line_is_forgotten(file):
    file.parent.mkdir()
    file.write_bytes(b"\xef\xbb\xbffirst\r\nsecond\r\nlast")
    append_log.replace(file, dict.fromkeys(append_log.read_lines(file)))
    assert file.read_bytes() == b"\xef\xbb\xbf     \r\n      \r\n    \n"
    append_log.append(file, ["new"])
    assert texts(file) == ["new"]


@given(st.lists(ONE_LINE, min_size=1, unique=True), st.data())
def test_only_the_lines_that_are_named_change(tmp_path_factory, records, data):
    file = tmp_path_factory.mktemp("journal") / "f.jsonl"
    append_log.append(file, [f"x{record}x" for record in records], "process")
    lines = list(append_log.read_lines(file))
    chosen = data.draw(st.lists(st.sampled_from(lines), unique=True))
    changes = {line: data.draw(st.sampled_from([None, f"new {line.number}"])) for line in chosen}
    append_log.replace(file, changes)
    kept = [line for line in lines if line not in changes]
    found = list(append_log.read_lines(file))
    assert found[: len(kept)] == kept
    assert [line.data.decode() for line in found[len(kept) :]] == [new for new in changes.values() if new]


def test_a_line_that_is_not_any_more_what_was_read_stops_everything(file):
    append_log.append(file, ["a", "b"])
    a, b = append_log.read_lines(file)
    append_log.replace(file, {a: "A"})
    before = file.read_bytes()
    with pytest.raises(UserError, match=r"interactions.jsonl:1: the line has changed since it was read; run"):
        append_log.replace(file, {b: "B", a: "Z"})
    assert file.read_bytes() == before


def test_a_file_that_is_not_there_is_not_made(file):
    with pytest.raises(FileNotFoundError):
        append_log.replace(file, {Line(1, 0, b"a"): None})
    assert not file.exists()


def test_lines_change_places(file):
    append_log.append(file, ["a", "b"])
    a, b = append_log.read_lines(file)
    append_log.replace(file, {a: "b", b: "a"})
    assert texts(file) == ["b", "a"]
    assert file.read_bytes() == b" \n \nb\na\n"


def test_the_same_changes_again_add_nothing(file):
    """A replacement that was killed before the old line was marked left both."""
    append_log.append(file, ["a", "old", "c", "new"])
    append_log.replace(file, {line_of(file, "old"): "new"})
    assert texts(file) == ["a", "c", "new"]


def test_what_was_marked_is_not_read_and_is_overwritten_by_the_next_call(file):
    append_log.append(file, ["a", "secret", "c"])
    with file.open("r+b") as stream:
        stream.seek(2)
        stream.write(b"\x18")
    assert texts(file) == ["a", "c"]
    append_log.replace(file, {})
    assert file.read_bytes() == b"a\n      \nc\n"


@pytest.mark.slow
def test_others_append_and_read_while_lines_are_replaced(file, monkeypatch):
    """Every read has each record once, in one version or the other, however far the replacing is."""
    monkeypatch.setattr(locks, "_PATIENCE_SECONDS", 120.0)
    append_log.append(file, [f"{n} old {'x' * 30_000}" for n in range(40)])
    script = """
for n in range(300):
    append_log.append(file, [f"{n + 1000} old " + "y" * 3000])
"""
    read = threading.Semaphore(0)
    with ThreadPoolExecutor(1) as threads, started(script, file) as writer:
        replacing = threads.submit(replace_all, file, 40, read)
        try:
            while not replacing.done() or writer.poll() is None:
                found = [text.split()[0] for text in texts(file)]
                read.release()
                assert len(found) == len(set(found))
                assert {str(n) for n in range(40)} <= set(found)
        finally:
            read.release(40)
    replacing.result()
    assert {text.split()[0] for text in texts(file)} == {*map(str, range(40)), *map(str, range(1000, 1300))}
    assert sum(text.split()[1] == "new" for text in texts(file)) == 40


def replace_all(file, count: int, read: threading.Semaphore) -> None:
    """Replace that many lines; in front of each fifth, wait until another has read the file once more."""
    for n in range(count):
        if n % 5 == 0:
            assert read.acquire(timeout=120)
        old = next(line for line in append_log.read_lines(file) if line.data.startswith(b"%d old" % n))
        append_log.replace(file, {old: f"{n} new {'z' * 30_000}"})


# Network file systems


def test_a_network_file_system_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    kind = filesystem.kind(tmp_path)
    monkeypatch.setattr(filesystem, "NETWORK", {kind})
    file = tmp_path / "new" / "f.jsonl"
    refused = rf"f.jsonl: lies on a network file system \({kind}\), where locks and syncs cannot be relied on; keep it"
    with pytest.raises(UserError, match=refused):
        Journal(file)
    with pytest.raises(UserError, match=refused):
        append_log.append(file, ["a"])
    assert not file.parent.exists()
    append_log.append(file, ["a"], allow_network=True)
    with pytest.raises(UserError, match=refused):
        append_log.replace(file, {line_of(file, "a"): None})
    append_log.replace(file, {line_of(file, "a"): "b"}, allow_network=True)
    assert texts(file) == ["b"]
