"""What is opened is no link and no pipe that is waited for, and a file that changed has another identity."""

import os

import pytest

from zddc.file_identity import FILE, FOLDER, identity


def test_a_link_is_not_opened(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "to-file").symlink_to("file")
    (tmp_path / "to-folder").symlink_to(".")
    for name, flags in (("to-file", FILE), ("to-folder", FOLDER), ("file", FOLDER)):
        with pytest.raises(OSError):
            os.open(tmp_path / name, flags)


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.close(os.open(tmp_path / "pipe", FILE))


def test_a_file_that_was_written_again_or_replaced_has_another_identity(tmp_path):
    file = tmp_path / "file"
    file.write_text("a")
    before = file.stat()
    file.write_text("ab")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    (tmp_path / "other").write_text("a")
    seen = {identity(before), identity(file.stat()), identity((tmp_path / "other").stat())}
    assert len(seen) == 3
    assert identity(file.stat()) == identity(file.stat())
