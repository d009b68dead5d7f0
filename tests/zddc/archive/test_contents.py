"""The bytes of an archive's files are read, also where a zip holds them, and never over a link."""

import hashlib
import zipfile

import pytest

from zddc.archive.contents import open_entry, sha256_of
from zddc.archive.tree import Entry, walk

TRANSMITTAL = "2025-10-31_A-TRN-1 (IFC) - Title.zip"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.pdf").write_bytes(b"plain")
    with zipfile.ZipFile(tmp_path / TRANSMITTAL, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("native/y.pdf", b"zipped" * 1000)
    return tmp_path


def test_every_file_has_its_digest(root):
    digests = {one.path: sha256_of(root, one) for listing in walk(root) for one in listing.entries}
    assert digests == {
        "a/x.pdf": hashlib.sha256(b"plain").hexdigest(),
        f"{TRANSMITTAL}/native/y.pdf": hashlib.sha256(b"zipped" * 1000).hexdigest(),
    }


@pytest.mark.parametrize(
    ("folder", "name"),
    [("a", "missing"), (TRANSMITTAL, "missing"), ("", "link"), ("", "a"), (f"{TRANSMITTAL}/..", "a")],
)
def test_what_is_no_file_any_more_is_an_error(root, folder, name):
    (root / "link").symlink_to(root / "a/x.pdf")
    with pytest.raises(OSError), open_entry(root, Entry(folder, name, 0, 0)):
        pass


def test_a_damaged_member_is_an_error(root):
    file = root / TRANSMITTAL
    data = bytearray(file.read_bytes())
    data[data.index(b"y.pdf") + 10] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(OSError, match="damaged"):
        sha256_of(root, Entry(f"{TRANSMITTAL}/native", "y.pdf", 0, 0))


def test_a_folder_may_be_called_like_a_zip(root):
    (root / "b").mkdir()
    (root / "b" / TRANSMITTAL).mkdir()
    (root / "b" / TRANSMITTAL / "z.pdf").write_bytes(b"folder")
    assert sha256_of(root, Entry(f"b/{TRANSMITTAL}", "z.pdf", 0, 0)) == hashlib.sha256(b"folder").hexdigest()


def test_a_name_that_is_no_text_in_its_own_place_is_an_error(root):
    file = root / TRANSMITTAL
    data = bytearray(file.read_bytes())
    at = data.index(b"PK\3\4")
    data[at + 7] |= 8  # the name is UTF-8
    data[at + 30] = 0xFF
    file.write_bytes(data)
    with pytest.raises(OSError, match="damaged"):
        sha256_of(root, Entry(f"{TRANSMITTAL}/native", "y.pdf", 0, 0))
