"""The objects of a file are read one at a time, whichever way they are laid out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.importers import json_stream as module
from weakspot.importers.json_stream import entries
from weakspot.records.parsing import RecordError

TWO = [{"a": 'x,]}"\\', "b": [1, {"c": "ü\n"}]}, {"a": "[", "b": []}]
LAYOUTS = {
    "lines": lambda values: "".join(json.dumps(one) + "\n" for one in values),
    "list": json.dumps,
    "indented list": lambda values: json.dumps(values, indent=2),
    "list after a byte-order mark": lambda values: "\ufeff" + json.dumps(values, ensure_ascii=False),
    "answer of a server": lambda values: json.dumps({"data": values, "total": len(values)}),
    "indented answer": lambda values: json.dumps({"data": values}, indent=4),
}


@pytest.fixture
def written(tmp_path):
    def write(text: str | bytes):
        file = tmp_path / "objects"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


@pytest.mark.parametrize("layout", LAYOUTS)
def test_objects_are_found_in_every_layout(layout, written):
    found = list(entries(written(LAYOUTS[layout](TWO))))
    assert [one.value() for one in found] == TWO
    assert [one.number for one in found] == [1, 2]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_entry_stands_where_it_says(layout, written):
    file = written(LAYOUTS[layout](TWO))
    for one in entries(file):
        assert file.read_bytes()[one.offset : one.offset + len(one.data)] == one.data


def test_an_indented_object_is_one_entry(written):
    (one,) = entries(written(json.dumps(TWO[0], indent=2)))
    assert one.value() == TWO[0]


@pytest.mark.parametrize("text", ["", "\n\n", "[]", "[ \n ]", '{"data": []}'])
def test_nothing_is_no_entry(written, text):
    assert list(entries(written(text))) == []


def test_a_list_that_was_torn_off_gives_the_rest_as_it_is(written):
    whole, torn = entries(written(json.dumps(TWO)[:-5]))
    assert whole.value() == TWO[0]
    with pytest.raises(RecordError):
        torn.value()


def test_half_a_character_becomes_a_replacement_and_a_whole_one_stays(written):
    text = r'{"a": "cut \ud83d", "b": "\ud83d\ude00 \\ud83d", "c": "\ude00!"}'
    (one,) = entries(written(text))
    assert one.value() == {"a": "cut \ufffd", "b": "\U0001f600 \\ud83d", "c": "\ufffd!"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    values=st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=4), max_size=5),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
    chunk=st.integers(1, 40),
)
def test_any_list_is_read_whole_wherever_the_chunks_end(tmp_path_factory, values, indent, ascii_only, chunk):
    file = tmp_path_factory.mktemp("list") / "list.json"
    file.write_bytes(json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK_BYTES", chunk)
        assert [one.value() for one in entries(file)] == values


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("bytes") / "any"
    file.write_bytes(data)
    for one in entries(file):
        try:
            assert isinstance(one.value(), dict)
        except RecordError:
            continue


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("chunk", [5, 1 << 20])
def test_what_is_too_long_is_skipped_and_the_rest_is_read(layout, chunk, written, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_BYTES", chunk)
    file = written(LAYOUTS[layout]([{"a": 1}, {"a": "x" * 500}, {"a": 2}]))
    monkeypatch.setattr(module, "LONGEST_BYTES", 300)
    first, long, last = entries(file)
    assert (first.value(), last.value(), last.number) == ({"a": 1}, {"a": 2}, 3)
    if layout == "lines" or chunk < 300:
        with pytest.raises(RecordError, match="longer than"):
            long.value()


def test_a_document_that_is_too_long_is_no_object(written, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_BYTES", 10)
    (one,) = entries(written(json.dumps(TWO[0], indent=2)))
    with pytest.raises(RecordError, match="longer than"):
        one.value()


@pytest.mark.parametrize(
    "text",
    [
        "Exporting session: ses_1" + json.dumps(TWO[0], indent=2),
        "Exporting session: ses_1\n" + json.dumps(TWO[0], indent=2),
        "[opencode] exporting\n\n" + json.dumps([TWO[0]], indent=2),
        "\ufeffExporting: " + json.dumps(TWO[0]),
    ],
)
def test_a_programs_words_in_front_of_the_json_are_passed_over(written, text):
    file = written(text)
    (one,) = entries(file)
    assert one.value() == TWO[0]
    assert file.read_bytes()[one.offset : one.offset + len(one.data)] == one.data


def test_a_line_of_words_among_lines_is_a_bad_line(written):
    words, one = entries(written("exporting\n" + json.dumps(TWO[0])))
    assert (words.number, one.number, one.value()) == (1, 2, TWO[0])
    with pytest.raises(RecordError):
        words.value()


def test_a_bracket_too_many_hides_nothing(written):
    one, rest = entries(written(json.dumps(TWO[:1]) + ", " * 0 + "x" + json.dumps(TWO[1])))
    assert one.value() == TWO[0]
    with pytest.raises(RecordError):
        rest.value()
