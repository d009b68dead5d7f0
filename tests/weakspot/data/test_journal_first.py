"""The first record of a journal: where it cannot be stored, nothing of it is left."""

import pytest

from weakspot.data import journal

pytestmark = pytest.mark.slow


def test_a_first_record_that_could_not_be_synced_leaves_an_empty_file(faults, tmp_path):
    file = tmp_path / "raw" / "interactions.jsonl"
    act = """
try:
    journal.append(file, ['{"new": "a"}', '{"new": "b"}'])
except journal.JournalError:
    pass
else:
    os._exit(1)
"""
    assert faults.run(act, file, "-e", "inject=fdatasync:error=EIO:when=1")
    assert file.read_bytes() == b""
    journal.append(file, ["after"])
    assert file.read_bytes() == b"after\n"
