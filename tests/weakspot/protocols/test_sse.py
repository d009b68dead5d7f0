"""Events come out the same however their bytes are cut, and as the specification says."""

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from weakspot.protocols.sse import Decoder, event

# What the parsing of events turns on, and characters of two to four bytes.
PIECES = st.sampled_from(
    [
        "data",
        ":",
        " ",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "data: ",
        "event: x\n",
        ": ping\n",
        "id",
        "é",
        "€",
        "😀",
        "\u2028",
        "x",
        "\ufeff",
    ]
)


def reference(text: str) -> list[str]:
    """Read a whole stream as the specification is written: https://html.spec.whatwg.org/#event-stream-interpretation."""
    data, found = "", []
    for line in re.split("\r\n|\n|\r", text.removeprefix("\ufeff"))[:-1]:
        if not line:
            if data:
                found.append(data.removesuffix("\n"))
            data = ""
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            if field == "data":
                data += value.removeprefix(" ") + "\n"
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(bounds)]


@given(st.lists(PIECES, max_size=30).map("".join), st.lists(st.integers(0, 200), max_size=20))
def test_any_text_in_any_pieces_is_read_as_the_reference_reads_it(text, places):
    decoder = Decoder()
    found = [one for piece in cut(text.encode(), places) for one in decoder.feed(piece)]
    assert found == reference(text)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=20))
def test_any_bytes_in_any_pieces_are_read_as_in_one(data, places):
    decoder, whole = Decoder(), Decoder()
    found = [one for piece in cut(data, places) for one in decoder.feed(piece)]
    found += decoder.feed(b"", last=True)
    assert found == list(whole.feed(data, last=True))


def test_a_cr_lf_that_is_cut_apart_ends_one_line():
    decoder = Decoder()
    pieces = [b"data: 1\r", b"\ndata: 2\r", b"\n\r", b"\n"]
    assert [list(decoder.feed(piece)) for piece in pieces] == [[], [], ["1\n2"], []]


def test_an_event_that_nothing_ends_is_given_at_the_end_only():
    decoder = Decoder()
    assert list(decoder.feed(b"data: 1\n\ndata: 2\ndata: 3")) == ["1"]
    assert list(decoder.feed(b"", last=True)) == ["2\n3"]


@given(
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1),
    st.none() | st.just("ping"),
)
def test_what_is_written_is_read(data, name):
    assert list(Decoder().feed(event(data, name))) == [data]


def test_a_long_line_takes_no_longer_than_its_length():
    decoder, found = Decoder(), []
    for piece in [b"data: ", *[b"x" * 1000] * 20_000, b"\n\n"]:
        found += decoder.feed(piece)
    assert found == ["x" * 20_000_000]
