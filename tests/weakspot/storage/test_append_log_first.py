"""The first record of a journal: where it cannot be stored, nothing of it is left."""

import pytest

from weakspot.storage import append_log

pytestmark = pytest.mark.slow


def test_a_first_record_that_could_not_be_synced_leaves_an_empty_file(faults, tmp_path):
    file = tmp_path / "raw" / "interactions.jsonl"
    act = """
try:
    append_log.append(file, ['{"new": "a"}', '{"new": "b"}'])
except append_log.JournalError:
    pass
else:
    os._exit(1)
"""
    assert faults.run(act, file, "-e", "inject=fdatasync:error=EIO:when=1")
    assert file.read_bytes() == b""
    append_log.append(file, ["after"])
    assert file.read_bytes() == b"after\n"
