"""Conditions and ranges of requests: a table of what RFC 9110 says of each, and inputs that nobody should send."""

import email.parser
import email.policy
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zddc.server.asking import body_of, get_file, request, without_dates

from zddc.server.answers import tag_of
from zddc.server.conditions import Range, UnsatisfiableError, Validators, format_date, ranges, status_of_conditions

DATA = b"0123456789"
AT, BEFORE, AFTER = (f"Sun, 06 Nov 1994 08:49:{second} GMT" for second in (37, 36, 38))
SECONDS = 784_111_777
AT_RFC_850, AT_C = "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"
WHOLE, SAME, FAILED, NONE = (200, ""), (304, ""), (412, ""), (416, "bytes */10")


def part(first, last):
    return 206, f"bytes {first}-{last}/10"


# In a value T stands for the present entity tag, with its quotes. Each row: method, headers, status and Content-Range.
GET, HEAD = "GET", "HEAD"
TABLE = [
    # no condition
    (GET, {}, WHOLE),
    (HEAD, {}, WHOLE),
    # 13.1.1: If-Match, by strong comparison
    (GET, {"if-match": "T"}, WHOLE),
    (HEAD, {"if-match": "T"}, WHOLE),
    (GET, {"if-match": "*"}, WHOLE),
    (HEAD, {"if-match": "*"}, WHOLE),
    (GET, {"if-match": ' "x" , T '}, WHOLE),
    (GET, {"if-match": ',,"x",,T,'}, WHOLE),
    (GET, {"if-match": '"a,b",T'}, WHOLE),
    (GET, {"if-match": '"x"'}, FAILED),
    (HEAD, {"if-match": '"x"'}, FAILED),
    (GET, {"if-match": "W/T"}, FAILED),
    (GET, {"if-match": 'W/"x", W/T'}, FAILED),
    (GET, {"if-match": ""}, FAILED),
    (GET, {"if-match": '""'}, FAILED),
    (GET, {"if-match": "t"}, FAILED),
    (GET, {"if-match": "*, T"}, FAILED),
    (GET, {"if-match": '"x" T'}, FAILED),
    (GET, {"if-match": "w/T"}, FAILED),
    # 13.1.2: If-None-Match, by weak comparison
    (GET, {"if-none-match": "T"}, SAME),
    (HEAD, {"if-none-match": "T"}, SAME),
    (GET, {"if-none-match": "W/T"}, SAME),
    (HEAD, {"if-none-match": "W/T"}, SAME),
    (GET, {"if-none-match": "*"}, SAME),
    (HEAD, {"if-none-match": "*"}, SAME),
    (GET, {"if-none-match": '"x", T'}, SAME),
    (GET, {"if-none-match": 'T, "x"'}, SAME),
    (GET, {"if-none-match": '"x",W/T'}, SAME),
    (GET, {"if-none-match": ' , "x",\t T'}, SAME),
    (GET, {"if-none-match": '"a,b", "", T'}, SAME),
    (GET, {"if-none-match": '"x"'}, WHOLE),
    (HEAD, {"if-none-match": '"x"'}, WHOLE),
    (GET, {"if-none-match": '"x", "y"'}, WHOLE),
    (GET, {"if-none-match": ""}, WHOLE),
    (GET, {"if-none-match": "nonsense"}, WHOLE),
    (GET, {"if-none-match": '"open'}, WHOLE),
    (GET, {"if-none-match": "w/T"}, WHOLE),
    # 13.1.3: If-Modified-Since, and the three forms of a date of 5.6.7
    (GET, {"if-modified-since": AT}, SAME),
    (HEAD, {"if-modified-since": AT}, SAME),
    (GET, {"if-modified-since": AFTER}, SAME),
    (GET, {"if-modified-since": AT_RFC_850}, SAME),
    (GET, {"if-modified-since": AT_C}, SAME),
    (GET, {"if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"}, SAME),
    (GET, {"if-modified-since": BEFORE}, WHOLE),
    (HEAD, {"if-modified-since": BEFORE}, WHOLE),
    (GET, {"if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"}, WHOLE),
    (GET, {"if-modified-since": "yesterday"}, WHOLE),
    (GET, {"if-modified-since": ""}, WHOLE),
    (GET, {"if-modified-since": "784111777"}, WHOLE),
    (GET, {"if-modified-since": "Sun, 06 Nov 1994 08:49:37"}, WHOLE),
    (GET, {"if-modified-since": "Sun, 06 Nov 1994 08:49:37 +0000"}, WHOLE),
    (GET, {"if-modified-since": "Sun, 99 Nov 1994 08:49:37 GMT"}, WHOLE),
    (GET, {"if-modified-since": "1994-11-06T08:49:37Z"}, WHOLE),
    (GET, {"if-modified-since": f"{AT}, {AT}"}, WHOLE),
    # 13.1.4: If-Unmodified-Since
    (GET, {"if-unmodified-since": AT}, WHOLE),
    (HEAD, {"if-unmodified-since": AT}, WHOLE),
    (GET, {"if-unmodified-since": AFTER}, WHOLE),
    (GET, {"if-unmodified-since": AT_RFC_850}, WHOLE),
    (GET, {"if-unmodified-since": AT_C}, WHOLE),
    (GET, {"if-unmodified-since": BEFORE}, FAILED),
    (HEAD, {"if-unmodified-since": BEFORE}, FAILED),
    (GET, {"if-unmodified-since": "yesterday"}, WHOLE),
    # 13.2.2: which condition goes before which
    (GET, {"if-match": "T", "if-unmodified-since": BEFORE}, WHOLE),
    (GET, {"if-match": '"x"', "if-unmodified-since": AFTER}, FAILED),
    (GET, {"if-match": "T", "if-none-match": "T"}, SAME),
    (GET, {"if-match": '"x"', "if-none-match": "T"}, FAILED),
    (GET, {"if-match": '"x"', "if-modified-since": AT}, FAILED),
    (GET, {"if-match": "T", "if-modified-since": AT}, SAME),
    (GET, {"if-none-match": '"x"', "if-modified-since": AT}, WHOLE),
    (GET, {"if-none-match": "T", "if-modified-since": BEFORE}, SAME),
    (GET, {"if-none-match": "", "if-modified-since": AT}, WHOLE),
    (GET, {"if-unmodified-since": BEFORE, "if-none-match": "T"}, FAILED),
    (GET, {"if-unmodified-since": AT, "if-none-match": "T"}, SAME),
    (GET, {"if-unmodified-since": AT, "if-modified-since": AT}, SAME),
    (GET, {"if-unmodified-since": BEFORE, "if-modified-since": AT}, FAILED),
    (GET, {"if-match": '"x"', "range": "bytes=0-1"}, FAILED),
    (GET, {"if-none-match": "T", "range": "bytes=0-1"}, SAME),
    (GET, {"if-none-match": '"x"', "range": "bytes=0-1"}, part(0, 1)),
    (GET, {"if-modified-since": AT, "range": "bytes=0-1"}, SAME),
    (GET, {"if-modified-since": BEFORE, "range": "bytes=0-1"}, part(0, 1)),
    (GET, {"if-match": "T", "range": "bytes=0-1"}, part(0, 1)),
    (GET, {"if-match": '"x"', "range": "bytes=10-"}, FAILED),
    (GET, {"if-none-match": "T", "range": "bytes=10-"}, SAME),
    (GET, {"if-match": "T", "range": "bytes=10-"}, NONE),
    # 14.1.2 and 14.2: one range
    (GET, {"range": "bytes=0-0"}, part(0, 0)),
    (GET, {"range": "bytes=0-4"}, part(0, 4)),
    (GET, {"range": "bytes=9-9"}, part(9, 9)),
    (GET, {"range": "bytes=0-9"}, part(0, 9)),
    (GET, {"range": "bytes=0-10"}, part(0, 9)),
    (GET, {"range": "bytes=0-"}, part(0, 9)),
    (GET, {"range": "bytes=5-"}, part(5, 9)),
    (GET, {"range": "bytes=9-"}, part(9, 9)),
    (GET, {"range": "bytes=-1"}, part(9, 9)),
    (GET, {"range": "bytes=-10"}, part(0, 9)),
    (GET, {"range": "bytes=-11"}, part(0, 9)),
    (GET, {"range": "BYTES=0-1"}, part(0, 1)),
    (GET, {"range": "bytes=00000000000000000000000001-0003"}, part(1, 3)),
    (GET, {"range": "bytes= 1-2 "}, part(1, 2)),
    (GET, {"range": "bytes=5-99999999999999999999999999999"}, part(5, 9)),
    (GET, {"range": f"bytes=-{'9' * 5000}"}, part(0, 9)),
    (GET, {"range": "bytes=10-"}, NONE),
    (GET, {"range": "bytes=10-20"}, NONE),
    (GET, {"range": "bytes=-0"}, NONE),
    (GET, {"range": f"bytes={'9' * 5000}-"}, NONE),
    (GET, {"range": "bytes=18446744073709551616-"}, NONE),
    # 14.2: what is no set of byte ranges is ignored
    (GET, {"range": ""}, WHOLE),
    (GET, {"range": "bytes"}, WHOLE),
    (GET, {"range": "bytes="}, WHOLE),
    (GET, {"range": "bytes=,"}, WHOLE),
    (GET, {"range": "bytes=-"}, WHOLE),
    (GET, {"range": "bytes=5"}, WHOLE),
    (GET, {"range": "bytes=4-3"}, WHOLE),
    (GET, {"range": "bytes=a-b"}, WHOLE),
    (GET, {"range": "bytes=0x1-2"}, WHOLE),
    (GET, {"range": "bytes=1-2-3"}, WHOLE),
    (GET, {"range": "bytes=--1"}, WHOLE),
    (GET, {"range": "bytes=+1-2"}, WHOLE),
    (GET, {"range": "bytes=1_0-"}, WHOLE),
    (GET, {"range": "bytes=1 - 2"}, WHOLE),
    (GET, {"range": "bytes =0-1"}, WHOLE),
    (GET, {"range": "bytes:0-1"}, WHOLE),
    (GET, {"range": "bytes=\u00b2-\u00b3"}, WHOLE),
    (GET, {"range": "items=0-1"}, WHOLE),
    (GET, {"range": "0-1"}, WHOLE),
    (GET, {"range": "bytes=0-1,x"}, WHOLE),
    (GET, {"range": "bytes=0-1;2-3"}, WHOLE),
    (GET, {"range": "bytes=20-,4-3"}, WHOLE),
    (HEAD, {"range": "bytes=0-1"}, WHOLE),
    (HEAD, {"range": "bytes=10-"}, WHOLE),
    # 14.2 and 15.3.7.2: several ranges
    (GET, {"range": "bytes=0-1,4-5"}, (206, "0-1 4-5")),
    (GET, {"range": "bytes=4-5,0-1"}, (206, "4-5 0-1")),
    (GET, {"range": "bytes=0-0,-1"}, (206, "0-0 9-9")),
    (GET, {"range": "bytes=0-0 , ,\t2-2,4-"}, (206, "0-0 2-2 4-9")),
    (GET, {"range": "bytes=0-1,20-30"}, part(0, 1)),
    (GET, {"range": "bytes=20-30,0-1"}, part(0, 1)),
    (GET, {"range": "bytes=0-1,2-3"}, part(0, 3)),
    (GET, {"range": "bytes=0-1,2-3,8-"}, (206, "0-3 8-9")),
    (GET, {"range": "bytes=0-4,5-9"}, part(0, 9)),
    (GET, {"range": "bytes=20-30,40-"}, NONE),
    (GET, {"range": "bytes=-0,20-"}, NONE),
    (GET, {"range": "bytes=0-5,5-9"}, WHOLE),
    (GET, {"range": "bytes=0-,0-"}, WHOLE),
    (GET, {"range": "bytes=5-9,0-5"}, WHOLE),
    (GET, {"range": "bytes=0-9,3-4"}, WHOLE),
    (GET, {"range": f"bytes={',' * 4000}0-1"}, part(0, 1)),
    (GET, {"range": f"bytes={'0-,' * 1300}0-"}, WHOLE),
    # 13.1.5: If-Range, by strong comparison; a date alone cannot be strong here
    (GET, {"if-range": "T", "range": "bytes=0-1"}, part(0, 1)),
    (GET, {"if-range": "T", "range": "bytes=0-1,4-5"}, (206, "0-1 4-5")),
    (GET, {"if-range": "T", "range": "bytes=10-"}, NONE),
    (GET, {"if-range": '"x"', "range": "bytes=0-1"}, WHOLE),
    (GET, {"if-range": '"x"', "range": "bytes=10-"}, WHOLE),
    (GET, {"if-range": "W/T", "range": "bytes=0-1"}, WHOLE),
    (GET, {"if-range": "*", "range": "bytes=0-1"}, WHOLE),
    (GET, {"if-range": 'T, "x"', "range": "bytes=0-1"}, WHOLE),
    (GET, {"if-range": "", "range": "bytes=0-1"}, WHOLE),
    (GET, {"if-range": AT, "range": "bytes=0-1"}, WHOLE),
    (GET, {"if-range": AFTER, "range": "bytes=0-1"}, WHOLE),
    (GET, {"if-range": "T"}, WHOLE),
    (GET, {"if-range": '"x"'}, WHOLE),
    (HEAD, {"if-range": "T", "range": "bytes=0-1"}, WHOLE),
    (GET, {"if-range": "T", "if-none-match": "T", "range": "bytes=0-1"}, SAME),
    (GET, {"if-range": "T", "if-match": '"x"', "range": "bytes=0-1"}, FAILED),
    (GET, {"if-range": '"x"', "if-none-match": '"y"', "range": "bytes=0-1"}, WHOLE),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file of ten bytes, last changed on a known date."""
    made = tmp_path_factory.mktemp("matrix") / "a.bin"
    made.write_bytes(DATA)
    os.utime(made, (SECONDS, SECONDS))
    return made


def test_the_table_is_large():
    assert len(TABLE) >= 120
    assert len({repr(row) for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]}"[:80])
def test_what_rfc_9110_says(file, row):
    method, given_headers, (status, expected) = row
    tag = tag_of(file.stat())
    headers = [(name, re.sub(r"\bT\b", tag, value)) for name, value in given_headers.items()]
    answer = get_file(file, request(method, "/a.bin", headers))
    found, body = without_dates(answer), body_of(answer)
    assert answer.status == status
    assert found["etag"] == tag
    assert ("content-length" in found) == (status != 304)
    if method == "HEAD" or status == 304:
        assert body == b""
    else:
        assert len(body) == int(found["content-length"])
    if status == 200:
        assert "content-range" not in found
        assert body == (DATA if method == "GET" else b"")
        assert found["content-length"] == "10"
    elif status == 206 and expected.startswith("bytes"):
        first, last = map(int, expected[6:].partition("/")[0].split("-"))
        assert found["content-range"] == expected
        assert body == DATA[first : last + 1]
    elif status == 206:
        assert "content-range" not in found
        assert parts_of(found["content-type"], body) == [
            (f"bytes {one}/10", DATA[int(one[0]) : int(one[2]) + 1]) for one in expected.split()
        ]
    else:
        assert found.get("content-range", "") == expected


def parts_of(content_type, body):
    """Return range and bytes of each part, read by the rules of MIME."""
    head = f"content-type: {content_type}\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + b"\r\n" + body.lstrip(b"\r\n"))
    assert {part.get_content_type() for part in message.iter_parts()} == {"application/octet-stream"}
    return [(part["content-range"], part.get_payload(decode=True)) for part in message.iter_parts()]


def test_lines_of_one_list_are_one_list(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(DATA)
    tag = tag_of(file.stat())
    for lines, status in (([tag], 304), (['"x"', tag], 304), ([tag, '"x"'], 304), (['"x"', '"y"'], 200)):
        asked = request(headers=[("If-None-Match", line) for line in lines])
        assert get_file(file, asked).status == status


def test_two_range_headers_are_none(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(DATA)
    answer = get_file(file, request(headers=[("range", "bytes=0-1"), ("range", "bytes=4-5")]))
    assert (answer.status, body_of(answer)) == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=-5", "bytes=0-0", "bytes=7-"])
def test_an_empty_file_is_sent_whole(tmp_path, asked):
    file = tmp_path / "empty"
    file.touch()
    answer = get_file(file, request(headers=[("range", asked)]))
    assert (answer.status, body_of(answer), dict(answer.headers)["content-length"]) == (200, b"", "0")


def test_seventeen_ranges_are_too_many():
    asked = ",".join(f"{n}-{n}" for n in range(0, 34, 2))
    tag = Validators('"x"')
    assert ranges(request(headers=[("range", f"bytes={asked}")]), tag, 100) == []
    sixteen = asked.rpartition(",")[0]
    assert len(ranges(request(headers=[("range", f"bytes={sixteen}")]), tag, 100)) == 16


@given(st.text("0123456789-, \t=", max_size=40), st.integers(0, 30))
def test_no_range_leads_out_of_the_file(text, size):
    try:
        found = ranges(request(headers=[("range", f"bytes={text}")]), Validators('"x"'), size)
    except UnsatisfiableError:
        return
    assert all(isinstance(one, Range) and 0 <= one.start < one.stop <= size for one in found)
    assert sum(one.stop - one.start for one in found) <= size


@given(st.text("\"Wx/*, \t'\\", max_size=30))
def test_no_list_of_tags_is_more_than_it_says(text):
    asked = request(headers=[("if-match", text)])
    if status_of_conditions(asked, Validators('"not-there"')) == 0:
        assert text.strip() == "*"


def test_a_time_that_cannot_be_told_is_no_condition(tmp_path):
    file = tmp_path / "future.bin"
    file.write_bytes(DATA)
    os.utime(file, (1 << 33, 1 << 33))
    for name in ("if-modified-since", "if-unmodified-since"):
        answer = get_file(file, request(headers=[(name, AT)]))
        assert answer.status == 200
        assert "last-modified" not in dict(answer.headers)


def test_dates_are_written_as_rfc_9110_wants():
    assert format_date(SECONDS) == AT
    assert format_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
