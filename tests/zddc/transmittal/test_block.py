"""The data is found in a page where spec/transmittal.json says, or the page is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zddc.transmittal.made import SPEC, by_rule

from zddc.canonical import JsonError
from zddc.transmittal import block
from zddc.transmittal.block import CLOSING, OPENING, BlockError, find_block
from zddc.transmittal.data import DataError, parse_transmittal

PIECES = ("<script", "</script", " id=", '"transmittal-data"', "'transmittal-data'", ">", "<!--", "-->", "{}", " ", "=")


@pytest.mark.parametrize("case", SPEC["blocks"], ids=by_rule)
def test_the_data_of_a_page_is_found_or_the_page_is_refused(case):
    if "payload" in case:
        assert parse_transmittal(case["html"]).payload == case["payload"]
        return
    with pytest.raises((BlockError, JsonError, DataError)) as caught:
        parse_transmittal(case["html"])
    if "line" in case:
        assert (caught.value.reason, caught.value.line, caught.value.column) == (
            case["reason"],
            case["line"],
            case["column"],
        )
    else:
        assert str(caught.value) == case["reason"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join))
def test_any_page_has_one_block_or_is_refused(html):
    try:
        start, end = find_block(html)
    except BlockError:
        return
    assert "<" not in html[start:end]
    assert html[end:].lower().startswith("</script")


@given(st.text(st.characters(exclude_characters="<", exclude_categories=["Cs"])))
def test_what_is_put_into_a_page_is_found_there(data):
    html = f"<html>{OPENING}{data}{CLOSING}</html>"
    start, end = find_block(html)
    assert html[start:end] == data


# One way to read it, with no thought for how long that takes.
TAG = re.compile(r"""<script(?=[\s/>])((?:"[^"]*"|'[^']*'|[^>"'])*)>""", re.IGNORECASE | re.ASCII)
OF_TAGS = ("<script ", "<script>", "<SCRIPT/", "<script", "'", '"', ">", "a", " ")


@given(st.lists(st.sampled_from(OF_TAGS), max_size=14).map("".join))
def test_tags_are_found_where_one_attempt_after_the_other_finds_them(html):
    expected = [(found.start(1), found.end()) for found in TAG.finditer(html)]
    assert [(found.start(1), found.end()) for found in block._tags(html)] == expected


@pytest.mark.parametrize("piece", ["<script ", "<script '", "<script \"<script '", "<script a='>"])
def test_tags_that_never_end_take_no_longer_than_the_page_is_long(piece):
    """One attempt after the other takes an hour for this."""
    with pytest.raises(BlockError, match="no data block"):
        find_block(piece * (1 << 15))
