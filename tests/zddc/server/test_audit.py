import gzip
import json
import os
from pathlib import Path

import pytest

from zddc.server import audit as module
from zddc.server.audit import Audit


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]


def test_each_line_is_numbered_and_for_its_owner_only(tmp_path):
    file = tmp_path / "new" / "audit.jsonl"
    audit = Audit(str(file))
    with audit.running():
        audit.record({"path": "/ü\u202e\x7f", "email": None})
    assert [(one["seq"], one["pid"]) for one in lines(file)] == [(0, os.getpid()), (1, os.getpid())]
    assert lines(file)[0]["event"] == "start"
    assert lines(file)[1]["path"] == "/ü\u202e\x7f"
    assert "\x7f" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_restart_appends(tmp_path):
    file = tmp_path / "audit.jsonl"
    for _ in range(2):
        with Audit(str(file)).running():
            pass
    assert [one["seq"] for one in lines(file)] == [0, 0]


def test_a_file_is_written_by_one_server(tmp_path, monkeypatch):
    """The lines of another would be lost when the full file is removed; a new one is for one server, too."""
    monkeypatch.setattr(module, "MOST_BYTES", 300)
    file = tmp_path / "audit.jsonl"
    audit = Audit(str(file))
    with audit.running():
        for _ in range(3):
            with pytest.raises(BlockingIOError, match="another server writes to it"):
                Audit(str(file))
            audit.record_now({"path": "/"})
    assert list(tmp_path.glob("*.gz"))
    with Audit(str(file)).running():
        pass


def test_standard_error_and_nowhere(capsys):
    for target in ("-", "off"):
        audit = Audit(target)
        with audit.running():
            audit.record({"path": target})
    assert [json.loads(line).get("path") for line in capsys.readouterr().err.splitlines()] == [None, "-"]


def test_a_full_file_is_compressed_and_none_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 2000)
    file = tmp_path / "audit.jsonl"
    audit = Audit(str(file))
    with audit.running():
        for number in range(40):
            audit.record({"number": number})
    old = sorted(tmp_path.glob("*.gz"), key=lambda one: -int(one.suffixes[-2][1:]))
    found = [json.loads(line)["seq"] for one in old for line in gzip.decompress(one.read_bytes()).splitlines()]
    assert old
    assert found + [one["seq"] for one in lines(file)] == list(range(41))
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}


def test_where_no_new_file_can_be_begun_the_lines_go_on_in_the_full_one(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "MOST_BYTES", 2000)
    file = tmp_path / "audit.jsonl"
    audit = Audit(str(file))

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with audit.running(), monkeypatch.context() as patched:
        patched.setattr(module.gzip, "open", fail)
        for number in range(40):
            assert audit.record_now({"number": number})
    assert [one["seq"] for one in lines(file)] == list(range(41))
    assert list(tmp_path.iterdir()) == [file]
    assert (audit.failures, caplog.text.count("cannot begin a new file")) == (0, 1)


def test_a_line_can_be_waited_for(tmp_path):
    file = tmp_path / "audit.jsonl"
    audit = Audit(str(file))
    with audit.running():
        assert audit.record_now({"path": "/now"})
        assert "/now" in file.read_text()
    assert Audit("off").record_now({})


def test_after_a_failure_it_may_be_written_again(tmp_path, monkeypatch):
    audit = Audit(str(tmp_path / "audit.jsonl"))
    with audit.running():
        with monkeypatch.context() as patched:
            patched.setattr(module.logging.StreamHandler, "emit", lambda handler, record: handler.handleError(record))
            assert not audit.record_now({})
        assert (audit.is_failing, audit.failures) == (True, 1)
        assert audit.record_now({})
        assert (audit.is_failing, audit.failures) == (False, 1)


def test_what_cannot_be_written_is_counted():
    audit = Audit("/dev/full")
    with audit.running():
        audit.record({"path": "/"})
    assert (audit.failures, audit.is_failing) == (2, True)
    with audit.running():
        assert not audit.record_now({})


def test_a_line_is_what_json_writes(tmp_path):
    """Whatever is in it; most are formatted by a faster way."""
    file = tmp_path / "audit.jsonl"
    audit = Audit(str(file))
    entries = [
        {"ms": 0.1, "by": None},
        {"path": "/ü \U0001f600"},
        {"path": '\x7f"\\/<&'},
        {"by": "\udcff"},
        {"ms": 1234.5},
    ]
    with audit.running():
        for entry in entries:
            audit.record(entry)
    for line, entry in zip(file.read_text(encoding="ascii").splitlines()[1:], entries, strict=True):
        whole = json.loads(line)
        assert {key: whole[key] for key in entry} == entry
        assert json.dumps(whole).replace("\x7f", "\\u007f") == line


def test_lines_that_come_together_are_written_in_their_order(tmp_path):
    file = tmp_path / "audit.jsonl"
    audit = Audit(str(file))
    with audit.running():
        for number in range(3000):
            audit.record({"number": number})
    assert [one["seq"] for one in lines(file)] == list(range(3001))


def test_a_full_file_is_removed_when_its_copy_is_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 300)
    file, synced = tmp_path / "audit.jsonl", []
    sync = os.fsync

    def sync_and_remember(descriptor):
        sync(descriptor)
        synced.append((file.exists(), gzip.decompress(Path(f"/proc/self/fd/{descriptor}").read_bytes()) != b""))

    monkeypatch.setattr(module.os, "fsync", sync_and_remember)
    audit = Audit(str(file))
    with audit.running():
        for _ in range(5):
            audit.record_now({"path": "/"})
    assert synced
    assert set(synced) == {(True, True)}
