"""White space is folded in prose, and tells two codes or two names of files apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.records.white_space import normalise_prose

CODE = "for x in xs:\n    if x:\n        go(x)\n    stop()"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Call it  twice,\nthen stop.", " Call it twice, then  stop.\n"),
        ("First.\n\n\nSecond.", "First. Second."),
        (f"So:\n```python\n{CODE}\n```\nand  done", f"So:\n\n```python\n{CODE}  \n```\n\nand done"),
        ("a\u00a0b", "a b"),
        ("Cafe\u0301", "Café"),
    ],
)
def test_prose_is_the_same_however_it_is_spaced(one, other):
    assert normalise_prose(one) == normalise_prose(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (CODE, CODE.replace("    stop", "        stop")),
        (f"```\n{CODE}\n```", f"```\n{CODE.replace('    stop', 'stop')}\n```"),
        ("```\na = 1\nb = 2\n```", "```\na = 1 b = 2\n```"),
        ("~~~\nx  y\n~~~", "~~~\nx y\n~~~"),
        ("a:\n  b: 1\n  c: 2", "a:\n  b: 1\nc: 2"),
        ("\tx", "y\n\tx"),
        ("Open 123-EM  Title.pdf first", "Open 123-EM Title.pdf first"),
        ("Write `a  b`.", "Write `a b`."),
        ("````\n```\na  b\n````", "````\n```\na b\n````"),
    ],
)
def test_code_and_names_of_files_are_told_apart_by_their_white_space(one, other):
    assert normalise_prose(one) != normalise_prose(other)


@given(st.text(alphabet="ab `~\n\t.  ", max_size=60))
def test_normalising_twice_is_normalising_once(text):
    assert normalise_prose(normalise_prose(text)) == normalise_prose(text)
