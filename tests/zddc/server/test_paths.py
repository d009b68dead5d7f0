import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zddc.server.answer import Path
from zddc.server.guard import RefusedError
from zddc.server.paths import is_servable, parse_path, servable

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))

ACCEPTED = {
    "/": ((), True),
    "/a": (("a",), False),
    "/a/": (("a",), True),
    "/a/b": (("a", "b"), False),
    "/a/b/": (("a", "b"), True),
    "/a%20b": (("a b",), False),
    "/%61": (("a",), False),
    "/%C3%BC": (("ü",), False),
    "/%c3%bc": (("ü",), False),
    "/ü": (("ü",), False),
    "/u%CC%88": (("u\u0308",), False),
    "/a+b": (("a+b",), False),
    "/a%2Bb": (("a+b",), False),
    "/A+C1": (("A+C1",), False),
    "/~A": (("~A",), False),
    "/%7EA": (("~A",), False),
    "/a;b=c": (("a;b=c",), False),
    "/a&b": (("a&b",), False),
    "/a%26b": (("a&b",), False),
    "/a%3Fb": (("a?b",), False),
    "/a%23b": (("a#b",), False),
    "/*": (("*",), False),
    "/a:b": (("a:b",), False),
    "/C:/a": (("C:", "a"), False),
    "/a%25b": (("a%b",), False),
    "/%252e%252e/a": (("%2e%2e", "a"), False),
    "/%252f": (("%2f",), False),
    "/%25": (("%",), False),
    "/.a": ((".a",), False),
    "/.zddc": ((".zddc",), False),
    "/.archive/a.html": ((".archive", "a.html"), False),
    "/...a": (("...a",), False),
    "/a..b": (("a..b",), False),
    "/..a": (("..a",), False),
    "/a/..b/": (("a", "..b"), True),
    "/ a": ((" a",), False),
    "/%20a": ((" a",), False),
    "/a%C2%A0": (("a\u00a0",), False),
    "/%E2%80%AE": (("\u202e",), False),
    "/%EF%BC%8F": (("／",), False),
    "/%E2%88%95": (("∕",), False),
    "/%F0%9F%98%80": (("😀",), False),
    "/aux": (("aux",), False),
    "/a|b": (("a|b",), False),
    "/http:": (("http:",), False),
    "/a@b": (("a@b",), False),
    "/'\"<>": (("'\"<>",), False),
    "/%C2%85": (("\u0085",), False),
    "/" + "a" * 255: (("a" * 255,), False),
    "/" + "%C3%BC" * 127: (("ü" * 127,), False),
    "/a.zip/": (("a.zip",), True),
    "/a.zip/b": (("a.zip", "b"), False),
}
REFUSED = {
    "does not begin": ["", "*", "a", "a/b", "../a", "%2Fa", "http://a/b", "\\a", ".", "a:80", "?a"],
    "'#' or '?'": ["/a#b", "/a?b", "/#", "/a/#/b"],
    "hexadecimal": ["/%", "/a%", "/%a", "/%2", "/%zz", "/%2g/", "/%u002e", "/%%32%65", "/% 2e", "/%+2e", "/%c3%b"],
    "not UTF-8": [
        "/%ff",
        "/%c0%ae%c0%ae/a",
        "/%c0%af",
        "/%e0%80%ae",
        "/%c3",
        "/%c3/a",
        "/%bc",
        "/%ed%a0%80",
        "/%f8%88",
        "/%fe",
        "/%c1%9c",
        "/%f4%90%80%80",
        "/%80",
        "/a%80b",
        "/%2e%2e%c0%af",
        "/%e0%80%af",
    ],
    "an empty name": ["//", "//a", "/a//b", "/a//", "///", "////a", "//a/../b", "/a///b"],
    "a control character": [
        "/%00",
        "/a%00",
        "/a%00.pdf",
        "/%0a",
        "/a%0d%0aX:b",
        "/%09",
        "/%1f",
        "/%7f",
        "/%1b",
        "/a/%00/b",
    ],
    "holds '/' or '\\'": [
        "/a%2fb",
        "/a%2Fb",
        "/%2f",
        "/%5c",
        "/a%5Cb",
        "/a\\b",
        "/\\",
        "/..\\a",
        "/..%5ca",
        "/..%2fa",
        "/%2e%2e%2fa",
        "/%2e%2e%5ca",
        "/%2f%2fa",
        "/\\\\a\\b",
        "/a/..\\..\\b",
        "/..%2f..%2fetc",
        "/%2fetc%2fpasswd",
    ],
    "ends with '.' or a blank": [
        "/.",
        "/..",
        "/./",
        "/../",
        "/a/.",
        "/a/..",
        "/a/./b",
        "/a/../b",
        "/%2e",
        "/%2e%2e",
        "/%2E%2E/a",
        "/.%2e/a",
        "/%2e./a",
        "/a/%2e%2e/b",
        "/...",
        "/..../a",
        "/a.",
        "/a.pdf.",
        "/a./b",
        "/a%2e",
        "/a ",
        "/a%20",
        "/a%20/b",
        "/%20",
        "/.. /a",
        "/..%20/a",
        "/. ./a",
        "/a/ /b",
    ],
    "longer than 255": ["/" + "a" * 256, "/" + "%C3%BC" * 128, "/a/" + "b" * 300 + "/c"],
    "longer than 4096": ["/" + "a/" * 2048, "/" + "%61" * 2000],
}


def test_every_spelling_has_one_verdict():
    refused = [spelling for spellings in REFUSED.values() for spelling in spellings]
    assert len(ACCEPTED) + len(set(refused)) >= 120
    assert len(refused) == len(set(refused))


def test_a_path_is_taken_literally():
    for raw, (names, is_folder) in ACCEPTED.items():
        assert parse_path(raw.encode()) == Path(names, is_folder), raw


@pytest.mark.parametrize("reason", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused(reason):
    for raw in REFUSED[reason]:
        with pytest.raises(RefusedError) as refused:
            parse_path(raw.encode())
        assert reason in str(refused.value), raw


@settings(max_examples=200_000 if SOAK else 200, deadline=None)
@given(
    st.binary(max_size=60).map(b"/".__add__) | st.text("/.%2eEfF5cC0aä\\ ", max_size=30).map(lambda one: one.encode())
)
def test_no_name_leads_elsewhere(raw):
    try:
        path = parse_path(raw)
    except RefusedError:
        return
    for name in path.names:
        assert name not in ("", ".", "..")
        assert not {"/", "\\", "\0"} & set(name)


NEVER = ["", ".", "..", ".a", "a.", "a ", "a/b", "a\\b", "\0", "a\x7f", "\udc80", "é" * 128, "a" * 256]
SERVABLE = ["a", "_a", "a" * 255, "é" * 127, "a.b", " a", "~a", "a\u2028b"]


def test_names_that_no_path_can_have():
    assert [name for name in NEVER if is_servable(name)] == []
    assert all(map(is_servable, SERVABLE))


@pytest.mark.parametrize("name", [*NEVER, *SERVABLE])
def test_among_many_names_each_is_judged_as_it_is_alone(name):
    plain = [f"A-{number:04}" for number in range(2500)]
    for before in (0, 1, 1500, 2500):
        many = [*plain[:before], name, *plain[before:]]
        assert list(servable(many)) == [one for one in many if is_servable(one)]
    assert list(servable([name])) == [name] * is_servable(name)
    assert list(servable([])) == []
