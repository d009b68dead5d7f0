"""The data is written byte for byte as spec/transmittal.json has it, and read back the same."""

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zddc.transmittal.made import FIELDS, SPEC, by_rule

from zddc.transmittal.data import SELF, ListedFile, Transmittal, check_data, parse_transmittal
from zddc.transmittal.publishing import PRESENTATION
from zddc.transmittal.signatures import make_envelope, payload_digest
from zddc.transmittal.writing import format_block, format_row, make_payload, row_key


def rows(listed: list[dict]) -> list[ListedFile]:
    return list(check_data({"payload": {"version": 1, "files": listed}}).files)


@pytest.mark.parametrize("case", SPEC["written"], ids=by_rule)
def test_the_block_is_written(case):
    payload = make_payload(case["fields"], rows(case["files"]), draft=case["draft"], revision=case["revision"])
    envelope = {} if case["draft"] else make_envelope(payload, datetime.fromisoformat(case["now"]))
    assert payload_digest(payload) == case["digest"]
    assert format_block(Transmittal(payload, envelope, PRESENTATION)) == case["block"]


def test_rows_are_sorted():
    listed = rows(SPEC["order"]["rows"])
    assert [row.place for row in sorted(listed, key=row_key)] == SPEC["order"]["sorted"]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(texts, texts, st.text(st.sampled_from("$&'`\\\"</script>!-\u2028\u2029")))
def test_any_text_is_read_back_from_the_page_of_a_browser(subject, remarks, sender):
    payload = make_payload({**FIELDS, "subject": subject, "remarks": remarks, "from": sender}, [], draft=False)
    block = format_block(Transmittal(payload, {}, {}))
    assert parse_transmittal(f"<html>{block}</html>").payload == payload
    assert not set("<>&\u2028\u2029") & set(block.removeprefix(block[: block.index(">") + 1]).removesuffix("</script>"))


def test_a_row_has_the_known_fields_in_their_order():
    row = format_row(ListedFile("A-1", "B", "IFC", "T", "", "A-1_B (IFC) - T.pdf", "ab" * 32, 7))
    assert json.dumps(row).startswith(
        '{"trackingNumber": "A-1", "revision": "B", "status": "IFC", "title": "T", "path"'
    )
    assert (row["sha256"], row["fileSize"], len(row)) == ("ab" * 32, 7, 8)


def test_the_transmittal_itself_is_the_first_row():
    first, second = make_payload(FIELDS, [ListedFile("A-1", "B")], draft=True)["files"]
    assert (first["sha256"], first["fileSize"], first["revision"]) == (SELF, 0, "2025-10-31")
    assert first["filename"] == "ACME-TRN-0007_~2025-10-31 (IFC) - Civil package.html"
    assert second["trackingNumber"] == "A-1"


def test_a_field_that_is_not_known_is_refused():
    with pytest.raises(KeyError, match="subjekt"):
        make_payload({**FIELDS, "subjekt": "x"}, [], draft=False)
