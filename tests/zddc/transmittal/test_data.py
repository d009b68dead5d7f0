"""What others write is read as it stands; what is no transmittal is refused with the wrong part."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zddc.transmittal.made import PAGE, SPEC, by_rule, document, send, signed

from zddc.errors import UserError
from zddc.transmittal import data
from zddc.transmittal.data import SELF, DataError, check_data, parse_transmittal, read_transmittal

NAMES = (
    "payload",
    "envelope",
    "presentation",
    "version",
    "files",
    "digest",
    "signatures",
    "path",
    "filename",
    "sha256",
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | st.text(max_size=4) | st.just(SELF),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=15,
)


@pytest.mark.parametrize("case", SPEC["documents"], ids=by_rule)
def test_a_document_is_read_with_its_state(case):
    read = check_data(case["data"])
    assert read.state == case["state"]
    assert read.payload == case["data"]["payload"]
    assert len(read.files) + (read.self_row is not None) == len(case["data"]["payload"]["files"])


@pytest.mark.parametrize("case", SPEC["malformed"], ids=by_rule)
def test_what_is_no_transmittal_is_refused_with_the_wrong_part(case):
    with pytest.raises(DataError) as caught:
        check_data(case["data"])
    assert str(caught.value) == case["reason"]


@given(values)
def test_any_data_is_read_or_refused(value):
    try:
        read = check_data(value)
    except DataError:
        return
    assert read.state in ("draft", "digest", "signed")
    assert all(".." not in row.place.split("/") and not row.place.startswith("/") for row in read.files)


def test_the_fields_of_a_row_are_read():
    row = check_data(document("a draft, as others write it")).files[1]
    assert (row.tracking_number, row.revision, row.status, row.title) == (
        "ACME-CIV-DWG-0002",
        "0",
        "IFC",
        "Foundation plan",
    )
    assert (row.place, row.sha256, row.size) == (
        "drawings/civil/ACME-CIV-DWG-0002_0 (IFC) - Foundation plan.dwg",
        "b4" * 32,
        4096,
    )


def test_a_text_that_is_not_there_is_empty():
    read = check_data({"payload": {"version": 1, "title": None}})
    assert (read["title"], read["subject"], read.files) == ("", "", ())


def test_a_file_is_read_also_with_a_byte_order_mark(tmp_path):
    page = send(tmp_path) / PAGE
    file = tmp_path / "with.html"
    file.write_bytes(b"\xef\xbb\xbf" + page.read_bytes())
    assert read_transmittal(file) == read_transmittal(page)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff", "not UTF-8"),
        (b"<html>", "no data block"),
        (b'{"payload": {"version": 1,}}', r"file.html:1:27: no key in quotation marks"),
        (b'{"payload": {"version": 2}}', "payload.version is not 1"),
    ],
)
def test_a_file_that_is_no_transmittal_is_one_line(tmp_path, content, words):
    file = tmp_path / "file.html"
    file.write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_transmittal(file)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "LARGEST_PAGE", 1 << 20)
    file = tmp_path / "file.html"
    file.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(UserError, match="more than 1 MiB"):
        read_transmittal(file)


def test_json_is_read_like_a_page():
    whole = {"payload": signed().payload, "envelope": signed().envelope}
    assert parse_transmittal(json.dumps(whole)).state == "signed"
