"""A file of somebody else neither hangs nor fills the memory."""

import os

import pytest

from weakspot.storage.regular_file import bounded_lines, open_regular
from zddc.errors import UserError


def test_only_a_regular_file_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(UserError, match="a pipe or a device, not a file; write"):
            open_regular(path)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)


@pytest.mark.parametrize("content", [b"", b"a", b"a\n", b"a\r\nbb\n\nccc", b"1234\n12345\n123456\n1\n", b"123456"])
def test_lines_are_read_up_to_a_limit(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with open_regular(tmp_path / "file") as stream:
        found = list(bounded_lines(stream, len(content), 5))
    lines = content.splitlines(keepends=True)
    assert [one.number for one in found] == list(range(1, len(lines) + 1))
    assert [one.data for one in found] == [
        None if len(line.rstrip(b"\n")) > 5 else line.rstrip(b"\r\n") for line in lines
    ]
    assert [content[one.offset :].splitlines(keepends=True)[0] for one in found] == lines


def test_nothing_after_the_end_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"aa\nbb\ncc\n")
    with open_regular(tmp_path / "file") as stream:
        assert [one.data for one in bounded_lines(stream, 4)] == [b"aa", b"b"]
