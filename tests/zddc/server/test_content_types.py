"""The type of a file is that of a fixed table, whatever the system thinks."""

import pytest

from zddc.server.content_types import _DOWNLOADED, _SHOWN, UNKNOWN, content_type, is_shown, with_charset


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A-1_B (IFC) - T.dwg", "image/vnd.dwg"),
        ("a.PDF", "application/pdf"),
        ("a.tar.gz", "application/gzip"),
        ("a.pdf.exe", UNKNOWN),
        ("pdf", UNKNOWN),
        (".pdf", "application/pdf"),
        ("a.", UNKNOWN),
        ("a.rvt", UNKNOWN),
        ("", UNKNOWN),
        ("a.İ", UNKNOWN),
    ],
)
def test_the_last_extension_counts(name, expected):
    assert content_type(name) == expected


def test_no_extension_has_two_types():
    extensions = [one for table in (_SHOWN, _DOWNLOADED) for text in table.values() for one in text.split()]
    assert len(extensions) == len(set(extensions))
    assert all(one == one.lower() for one in extensions)
    assert all(content_type(f"a.{one}") != UNKNOWN for one in extensions)


def test_what_a_browser_would_run_as_a_program_is_downloaded():
    assert not is_shown(UNKNOWN)
    assert not any(map(is_shown, _DOWNLOADED))


def test_only_a_text_has_an_encoding():
    assert with_charset("image/svg+xml", b"<svg/>", True) == "image/svg+xml"
    assert with_charset("text/csv", b"\xff\xfe", True) == "text/csv"
    assert with_charset("text/csv", "é".encode()[:1], False) == "text/csv; charset=utf-8"
    assert with_charset("text/csv", "é".encode()[:1], True) == "text/csv"
