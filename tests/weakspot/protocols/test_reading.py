"""A reader passes nothing over: what it cannot read is an error, unless it is where the stream was cut."""

from collections.abc import Iterator
from typing import Any

import pytest

from weakspot.protocols.parts import Finished, Part, StreamError, Text
from weakspot.protocols.reading import StreamReader, error_text, token_count


class Reader(StreamReader):
    """A protocol of one key."""

    def _event(self, event: dict[str, Any]) -> Iterator[Part]:
        yield Text(event["text"])

    def _final_part(self) -> Finished | None:
        return Finished("stop")


def test_events_become_parts_and_the_end_comes_last():
    reader = Reader()
    assert list(reader.feed(b'data: {"text": "a"}\n\ndata: {"te')) == [Text("a")]
    assert list(reader.feed(b'xt": "b"}\n\ndata: [DONE]\n\n')) == [Text("b")]
    assert list(reader.end()) == [Finished("stop")]


def test_the_last_event_needs_no_blank_line_but_to_be_whole():
    reader = Reader()
    assert list(reader.feed(b'data: {"text": "a"}')) == []
    assert list(reader.end()) == [Text("a"), Finished("stop")]
    reader = Reader()
    assert list(reader.feed(b'data: {"text": "a')) == []
    assert list(reader.end()) == [Finished("stop")]


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: 5\n\n", b'data: {"other": 1}\n\n'])
def test_an_event_in_the_middle_that_cannot_be_read_is_an_error(data):
    with pytest.raises(StreamError):
        list(Reader().feed(data))


def test_errors_have_words_in_several_places():
    assert [error_text(one) for one in ({"message": "a"}, {"code": 5}, "b")] == ["a", "{'code': 5}", "b"]


def test_a_count_is_a_number():
    assert [token_count(one) for one in (5, 0, None, "5", True, 5.0)] == [5, 0, None, None, None, None]
