"""What was written whole is on the disk, with its name, once it is acknowledged: a power cut takes nothing of it."""

import pytest

from weakspot.storage import atomic

pytestmark = pytest.mark.slow


def contents(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_survives_a_power_cut(disk):
    """Its name as well, and those of the folders made for it; and what stands in place of an older one."""
    file = disk.folder / "new" / "folder" / "file"
    for written in (b"first" * 1000, b"second" * 2000):
        atomic.write_atomically(file, written)
        with disk.after_power_cut() as folder:
            assert contents(folder / "new") == {"folder/file": written}


def test_a_folder_survives_a_power_cut(disk):
    """Whatever is in it, however deep, and also where it takes the place of another."""
    whole = disk.folder / "new" / "whole"
    for written in (b"first" * 1000, b"second" * 2000):
        with atomic.write_folder_atomically(whole) as folder:
            (folder / "one").write_bytes(written)
            (folder / "deep" / "deeper").mkdir(parents=True)
            (folder / "deep" / "deeper" / "two").write_bytes(written[::-1])
        with disk.after_power_cut() as folder:
            assert contents(folder / "new") == {"whole/one": written, "whole/deep/deeper/two": written[::-1]}
