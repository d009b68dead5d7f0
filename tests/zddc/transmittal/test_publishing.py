"""A folder is published once, whole, and nothing in it is overwritten."""

import subprocess

import pytest
from tests.zddc.transmittal.made import FIELDS, FILES, FOLDER, NOW, PAGE, send, write_files

from zddc.errors import UserError
from zddc.hashing import LIST_NAME, verify
from zddc.transmittal.data import read_transmittal
from zddc.transmittal.delivery import check_delivery, find_page
from zddc.transmittal.publishing import NotReadyError, fields_of, now, prepare, publish, rename_folder, today

DRAFT = "ACME-TRN-0007_~2025-10-31 (IFC) - Civil package.html"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_says_what_is_not_given(tmp_path):
    fields = fields_of(tmp_path / FOLDER, {"to": "Pipe-Co", "purpose": "", "subject": "Other"})
    assert fields == {
        **{"type": "Transmittal", "date": "2025-10-31", "trackingNumber": "ACME-TRN-0007", "purpose": "IFC"},
        **{"subject": "Other", "to": "Pipe-Co"},
    }


def test_what_is_sent_is_in_the_page_and_in_a_list_that_sha256sum_reads(tmp_path):
    folder = send(tmp_path, sign=False)
    assert names(folder) == sorted([PAGE, LIST_NAME, "drawings", next(iter(FILES))])
    read = read_transmittal(folder / PAGE)
    assert (read.state, read["from"], {row.place for row in read.files}) == ("digest", "Acme", {*FILES})
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", LIST_NAME], cwd=folder, check=True)
    assert {one.kind for one in verify(folder, None, {PAGE})} == {"verified"}


def test_what_was_published_is_never_published_again(tmp_path):
    folder = send(tmp_path)
    with pytest.raises(UserError, match="published already"):
        prepare(folder, FIELDS, draft=True, now=NOW)


def test_a_draft_may_be_incomplete_and_gives_way(tmp_path):
    folder = write_files(tmp_path / FOLDER, {**FILES, "Meeting notes.txt": b"x"})
    fields = {name: value for name, value in FIELDS.items() if name != "to"}
    for _ in range(2):  # a draft replaces a draft
        assert publish(folder, prepare(folder, fields, draft=True, now=NOW)) == folder / DRAFT
    with pytest.raises(NotReadyError) as caught:
        prepare(folder, fields, draft=False, now=NOW)
    assert caught.value.problems == ["to is missing", "Meeting notes.txt: no '_' after the tracking number"]
    (folder / "Meeting notes.txt").unlink()
    publish(folder, prepare(folder, FIELDS, draft=False, now=NOW))
    assert names(folder) == sorted([PAGE, LIST_NAME, "drawings", next(iter(FILES))])


def test_a_name_that_cannot_be_is_one_line(tmp_path):
    folder = write_files(tmp_path / "documents")
    with pytest.raises(UserError, match="name the folder"):
        prepare(folder, fields_of(folder, {}), draft=False, now=NOW)


def test_a_hash_that_an_older_list_tells_otherwise_stops_it(tmp_path):
    folder = write_files(tmp_path / FOLDER)
    (folder / LIST_NAME).write_text(f"{'0' * 64}  {next(iter(FILES))}\n")
    transmittal = prepare(folder, FIELDS, draft=False, now=NOW)
    with pytest.raises(UserError, match="not the bytes"):
        publish(folder, transmittal)
    assert PAGE not in names(folder)


def test_a_file_of_that_name_is_not_overwritten(tmp_path):
    folder = write_files(tmp_path / FOLDER)
    transmittal = prepare(folder, FIELDS, draft=False, now=NOW)
    (folder / PAGE).write_text("somebody's")
    with pytest.raises(UserError, match="there already"):
        publish(folder, transmittal)
    assert (folder / PAGE).read_text() == "somebody's"


def test_the_folder_gets_its_name_unless_it_is_taken(tmp_path):
    folder = write_files(tmp_path / "documents")
    transmittal = prepare(folder, FIELDS, draft=False, now=NOW)
    assert rename_folder(folder, transmittal) == tmp_path / FOLDER
    assert rename_folder(tmp_path / FOLDER, transmittal) == tmp_path / FOLDER
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="there already"):
        rename_folder(tmp_path / "other", transmittal)


def test_the_time_has_a_zone():
    assert now().tzinfo is not None
    assert abs((today() - now().date()).days) <= 1


def test_the_transmittal_of_somebody_else_is_sent_along(tmp_path):
    other = {**FIELDS, "trackingNumber": "ROCK-TRN-0001", "subject": "Their package"}
    folder = write_files(tmp_path / FOLDER)
    theirs = publish(folder, prepare(folder, other, draft=False, now=NOW))
    publish(folder, prepare(folder, FIELDS, draft=False, now=NOW))
    assert theirs.name in {row.place for row in read_transmittal(folder / PAGE).files}
    assert find_page(folder)[0].name == PAGE
    assert not check_delivery(folder, *find_page(folder), ()).differs
