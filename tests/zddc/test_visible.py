"""What a terminal would obey or a reader could not see is shown; all else is as it was."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zddc.visible import restore, split_visible, visible, visible_in_json

DANGEROUS = [*map(chr, [*range(9), *range(11, 32), *range(0x7F, 0xA0)])]
UNSEEN = [*map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0x200B, 0x2010), 0x2060, 0xFEFF, 0xE0041])]


@pytest.mark.parametrize("character", [*DANGEROUS, *UNSEEN], ids=lambda one: f"{ord(one):x}")
def test_it_becomes_visible(character):
    shown = visible(f"a{character}b")
    assert shown.isprintable()
    assert f"{ord(character):x}" in shown.lower()


def test_the_forms():
    assert visible("\x1b]0;t\x07 \x9b \u202e \ud800") == r"\x1b]0;t\x07 \x9b <U+202E> <U+D800>"


@pytest.mark.parametrize("text", ["", "a\n\tb", "Übersicht 平面図 עברית 👍 ❤️", "é", "\xa0"])
def test_all_else_stays(text):
    assert visible(text) == text


@given(st.text(st.characters(exclude_categories=())))
def test_pieces_json_and_edits_lose_nothing(text):
    assert "".join(piece for piece, _ in split_visible(text)) == visible(text)
    line = visible_in_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(line) == text
    assert visible(line) == line
    assert restore(visible(text), text) == text
    line.encode()


def test_an_edit_keeps_what_was_there_and_reads_no_more_into_it():
    assert restore("x <U+200B> y", "a \u200b b") == "x \u200b y"
    assert restore("<U+202E>", "a \u200b b") == "<U+202E>"
    assert restore(r"new \x1b", "old \\x1b and \x1b") == r"new \x1b"
