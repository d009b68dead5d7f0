"""What people reported of zips of deliveries and of their lists, tried on ``zddc verify`` and ``zddc receive``."""

import struct
import unicodedata
import zipfile

import pytest
from tests.zddc.transmittal.made import FILES, FOLDER, send

from zddc.hashing import LIST_NAME

LAYOUT = next(iter(FILES))
GOOD = "verified: 3; changed: 0; missing: 0; extra: 0; moved: 0; renamed: 0; unreadable: 0\n"


@pytest.fixture(autouse=True)
def known(tmp_path, monkeypatch):
    """A file of known keys that is nobody's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Acme" / "incoming").mkdir(parents=True)
    return send(tmp_path / "Acme" / "incoming")


def pack(folder, prefix="", **more: bytes):
    """Zip a folder beside it, with more members."""
    packed = folder.with_name(f"{FOLDER}.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, f"{prefix}{file.relative_to(folder)}")
        for name, data in more.items():
            archive.writestr(name, data)
    return packed


def test_what_macos_puts_beside_a_folder_is_passed_over(zddc, folder):
    """swcarpentry/python-novice-inflammation#404, ogham/exa#80: a folder __MACOSX nobody has put there."""
    packed = pack(folder, f"{FOLDER}/", **{f"__MACOSX/{FOLDER}/._{LAYOUT}": b"icon", "__MACOSX/._x": b""})
    assert zddc("verify", packed)[1].endswith(GOOD)
    assert zddc("receive", packed)[0] == 0
    assert not [*(folder.parents[1] / "received").rglob("._*")]


def test_what_systems_leave_in_a_folder_is_nothing_that_came(zddc, folder):
    """archivematica/Issues#214, hathitrust/ht_sip_validator#37: a zipped delivery fails for its .DS_Store."""
    packed = pack(folder, **{".DS_Store": b"1", "drawings/Thumbs.db": b"1"})
    assert zddc("verify", packed)[1].endswith(GOOD)


def test_hidden_files_that_nobody_listed_are_told(zddc, folder):
    """LibraryOfCongress/bagit-java#122, wellcomecollection/platform#3688: one says too much of them, one nothing."""
    packed = pack(folder, **{".git/config": b"1"})
    status, out, _ = zddc("verify", packed)
    assert (status, "extra: .git/config\n" in out) == (1, True)


def test_names_in_utf_8_that_do_not_say_so_are_read(zddc, tmp_path):
    """aonez/Keka#577, adamhathcock/sharpcompress#315: what macOS zips has other names elsewhere."""
    name = "ACME-CIV-DWG-0009_A (IFC) - Übersicht 🏗.pdf"
    folder = send(tmp_path, files={name: b"1"})
    # It also writes accents in two parts, and the list of the sender has them in one.
    (folder / name).rename(folder / unicodedata.normalize("NFD", name))
    packed = pack(folder)
    data = bytearray(packed.read_bytes())
    for mark, at in ((b"PK\3\4", 7), (b"PK\1\2", 9)):
        place = data.find(mark)
        while place >= 0:
            data[place + at] &= ~8
            place = data.find(mark, place + 1)
    packed.write_bytes(data)
    with zipfile.ZipFile(packed) as archive:
        assert not [one for one in archive.namelist() if "🏗" in one]
    assert "verified: 1; changed: 0; missing: 0; extra: 0" in zddc("verify", packed)[1]


def test_backslashes_between_folders_are_refused_in_one_line(zddc, folder):
    """icsharpcode/SharpZipLib#617, dotnet/runtime#98247: files called 'drawings\\plan.dwg' in no folder."""
    packed = pack(folder)
    packed.write_bytes(packed.read_bytes().replace(b"drawings/", b"drawings\\"))
    for command in ("verify", "receive"):
        status, out, error = zddc(command, packed)
        assert (status, out, error.count("\n")) == (1, "", 1)
        assert "a path that leads elsewhere, or that not every system can have; ask the sender" in error


def test_a_zip_of_onedrive_is_read(zddc, folder, monkeypatch):
    """pmqs/Fix-OneDrive-Zip#15: above 4 GB it says that there are 0 disks, and most programs call it damaged."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    packed = pack(folder)
    data = bytearray(packed.read_bytes())
    locator = data.index(b"PK\6\7")
    assert struct.unpack_from("<L", data, locator + 16) == (1,)
    struct.pack_into("<L", data, locator + 16, 0)
    packed.write_bytes(data)
    assert zddc("verify", packed)[1].endswith(GOOD)


def test_a_method_of_windows_that_few_can_unpack_is_refused_in_one_line(zddc, folder):
    """rommapp/romm#1155, dotnet/corefx#10923: Explorer zips files above 2 GB by Deflate64, and others say nonsense."""
    packed = pack(folder)
    data = bytearray(packed.read_bytes())
    struct.pack_into("<H", data, data.index(b"PK\1\2") + 10, 9)
    packed.write_bytes(data)
    status, out, error = zddc("verify", packed)
    assert (status, out, error.count("\n")) == (1, "", 1)
    assert "compressed by a method that may take any amount of memory to unpack" in error


def test_a_zip_that_did_not_come_whole_is_refused_in_one_line(zddc, folder):
    """pmqs/Fix-OneDrive-Zip#7, caseflow-efolder#854: 'cannot open' of what was cut off on its way."""
    packed = pack(folder)
    whole = packed.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 30):
        packed.write_bytes(whole[:size])
        line = f"{packed}: the zip cannot be read: file is not a zip file; ask the sender for another zip\n"
        assert zddc("receive", packed) == (1, "", line)
    assert not (folder.parents[1] / "received").exists()


def test_a_list_of_paths_on_the_senders_machine_is_refused_with_its_line(zddc, folder):
    """mimblewimble/grin-wallet#359, namazso/OpenHashTab#277: no file is found by such a path."""
    (folder / LIST_NAME).write_text(f"{'0' * 64}  /home/kim/work/{LAYOUT}\n")
    problem = "the path leads out of the folder; write the list in the folder of its files"
    for place in (folder, pack(folder)):
        assert zddc("verify", place) == (1, "", f"{place / LIST_NAME}:1: {problem}\n")


def test_a_list_with_one_blank_is_refused_with_its_line(zddc, folder):
    """dotnet/core#9958: no program that reads such lists reads it, and some of them say nothing."""
    (folder / LIST_NAME).write_text(f"# sums\n{'0' * 64} {LAYOUT}\n")
    assert zddc("verify", folder) == (
        *(1, ""),
        f"{folder / LIST_NAME}:2: not a SHA-256 and a path; a line is as sha256sum writes it\n",
    )


def test_the_folder_of_a_download_may_have_another_name(zddc, folder):
    """Downloads of one name get ' (1)' behind it, and mail programs take characters away."""
    packed = pack(folder, f"{FOLDER}/")
    packed = packed.rename(packed.with_name("2025-10-31_ACME-TRN-0007 IFC Civil package (1).zip"))
    status, out, _ = zddc("receive", packed)
    assert (status, f"received: {folder.parents[1] / 'received' / FOLDER}\n" in out) == (0, True)
