import gzip
import json
import os
from pathlib import Path

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


def test_what_cannot_be_written_is_counted():
    audit = Audit("/dev/full")
    with audit.running():
        audit.record({"path": "/"})
    assert audit.failures == 2
