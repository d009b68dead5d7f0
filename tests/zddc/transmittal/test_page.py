"""The page is readable without a script, holds the data, and takes no text for HTML."""

import re
from html.parser import HTMLParser

import pytest
from tests.zddc.transmittal.made import FIELDS, NOW, signed

from zddc.transmittal import page
from zddc.transmittal.data import ListedFile, Transmittal, parse_transmittal
from zddc.transmittal.page import STATIC_END, STATIC_START, make_page, read_viewer
from zddc.transmittal.signatures import make_envelope
from zddc.transmittal.writing import OPENING, make_payload

HOSTILE = (
    "</script><script>pwned=1</script>", "<img src=x onerror=pwned=1>", "\"><svg onload=pwned=1>", "$& $1 $$ $` $'",
    "<!-- static -->", "<!-- /static -->", "{{x}} ${x} %s", "\u202egpj.exe", "\x1b[31m", "&lt;b&gt; &amp;", "\u2028",
)  # fmt: skip
VIEWER = f"<html><script>let a = 1 < 2;</script>{STATIC_START}old{STATIC_END}{OPENING}{{}}</script></html>"


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, _attributes):
        self.names.append(tag)

    def handle_data(self, data):
        self.text += data


def hostile(text: str) -> Transmittal:
    fields = {**FIELDS, "subject": text, "from": text, "to": text, "remarks": text, "client": text, "project": text}
    listed = ListedFile("A-1", text, text, text, "", "x.pdf", "ab" * 32, 1)
    payload = make_payload(fields, [listed], draft=False)
    return Transmittal(payload, make_envelope(payload, NOW), {})


@pytest.mark.parametrize("viewer", [None, VIEWER], ids=["static", "viewer"])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_html_and_each_is_read_back(text, viewer):
    made = make_page(hostile(text), viewer)
    plain = make_page(hostile("plain"), viewer)
    assert Elements(made).names == Elements(plain).names
    assert parse_transmittal(made).payload == hostile(text).payload


def test_a_person_reads_all_of_it_without_a_script():
    text = Elements(make_page(signed())).text
    for words in ("Civil package", "ACME-TRN-0007", "2025-10-31", "Acme", "Pipe-Co", "IFC", "signed; not checked"):
        assert words in text
    for row in signed().files:
        assert row.filename in text
        assert row.sha256 in text
    assert re.search(rf"ZDDC1 ACME-TRN-0007 2025-10-31 {signed().envelope['digest']}", text)
    assert "Sender, 2025-10-31T14:30:00.000Z" in text


def test_there_is_one_script_and_it_is_data():
    made = make_page(signed())
    assert re.findall("<script[^>]*>", made) == [OPENING]
    assert "default-src 'none'" in made
    assert "http://" not in made
    assert "https://" not in made


def test_a_viewer_gets_the_data_and_the_form_and_stays_the_same_otherwise():
    made = make_page(signed(), VIEWER)
    assert made.startswith("<html><script>let a = 1 < 2;</script>")
    assert "old" not in made
    assert "Civil package" in made
    assert parse_transmittal(made).payload == signed().payload


@pytest.mark.parametrize("viewer", ["<html></html>", f"{STATIC_START}{STATIC_END}", VIEWER.replace(STATIC_END, "")])
def test_a_viewer_without_a_place_is_refused(viewer):
    with pytest.raises(ValueError, match="no "):
        make_page(signed(), viewer)


def test_a_viewer_that_is_built_has_both_places(tmp_path, monkeypatch):
    built = read_viewer()
    if built is not None:
        assert parse_transmittal(make_page(signed(), built)).payload == signed().payload
    monkeypatch.setattr(page, "VIEWER", "no-such-page.html")
    assert read_viewer() is None
