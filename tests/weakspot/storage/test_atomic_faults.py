"""A file that is written whole is the old one or the new one, whichever system call fails or is the last."""

import pytest

from weakspot.storage import atomic

pytestmark = pytest.mark.slow


def test_a_file_is_the_old_or_the_new_and_acknowledged_only_when_new(faults, tmp_path):
    file = tmp_path / "folder" / "file"
    atomic.write_atomically(file, b"old")

    def prepare() -> None:
        atomic.write_atomically(file, b"old")

    outcomes = set()
    for fault, acknowledged in faults.each("atomic.write_atomically(file, b'new' * 10000)", file, prepare):
        content = file.read_bytes()
        assert content == b"new" * 10000 or (content == b"old" and not acknowledged), fault
        scraps = [path for path in file.parent.iterdir() if path != file]
        assert scraps == [] or "KILL" in fault or "openat" in fault, fault
        for path in scraps:
            path.unlink()
        outcomes.add((content[:3], acknowledged))
    assert outcomes >= {(b"old", False), (b"new", False)}
