"""A reader passes nothing over: what it cannot read is an error, unless it is where the stream was cut."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.waiting import run_in_no_time

from weakspot.protocols import openai_chat
from weakspot.protocols.parts import Answer, Finished, Part, StreamError, Text, Thought
from weakspot.protocols.reading import StreamReader, error_text, read_parts, token_count


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


def test_a_whole_body_is_read_in_place_of_a_stream():
    reader = Reader()
    assert list(reader.feed(b' {"text"')) == []
    assert list(reader.feed(b': "a"}')) == []
    assert list(reader.end()) == [Text("a"), Finished("stop")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html><title>Just a\nmoment...</title>", "a web page instead of an answer: Just a moment..."),
        (b"<html>no</html>", "a web page instead of an answer: <html>no</html>"),
        (b"{no", "a body that is not in the protocol"),
        (b"[1]", "a body that is not in the protocol"),
    ],
)
def test_what_is_no_answer_at_all_is_said_in_one_line(data, words):
    reader = Reader()
    assert list(reader.feed(data)) == []
    with pytest.raises(StreamError) as error:
        list(reader.end())
    assert str(error.value) == words


def test_thoughts_are_told_from_the_text():
    reader = Reader()
    parts = [*reader.feed(b'data: {"text": "<thi"}\n\ndata: {"text": "nk>hm</think>\\n\\na"}\n\n'), *reader.end()]
    assert parts == [Thought("hm"), Text("a"), Finished("stop")]


REASON = b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n'
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}\n\n'


@pytest.mark.parametrize("ending", [[REASON, USAGE, b"data: [DONE]\n\n"], [REASON, USAGE], [REASON]])
@pytest.mark.parametrize("talks", [True, False])
def test_an_answer_ends_though_the_server_goes_on(ending, talks):
    async def pieces() -> AsyncIterator[bytes]:
        for one in ending:
            yield one
        while True:
            await asyncio.sleep(0.2 if talks else 3600)
            yield b": keep-alive\n\n"

    async def heard() -> Answer:
        return Answer.of([part async for part in read_parts(openai_chat.Reader(), pieces())])

    answer = run_in_no_time(heard())
    assert answer.text == "a"
    assert answer.finished == Finished("stop", "", *((3, 4) if USAGE in ending else (None, None)))


def test_a_timeout_of_the_server_is_none_of_the_reader_s():
    async def pieces() -> AsyncIterator[bytes]:
        yield b"data: {}\n\n"
        raise TimeoutError

    async def heard() -> list[Part]:
        return [part async for part in read_parts(openai_chat.Reader(), pieces())]

    with pytest.raises(TimeoutError):
        asyncio.run(heard())


def test_an_answer_goes_on_behind_a_reason():
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield REASON
            await asyncio.sleep(0.2)

    async def heard() -> Answer:
        return Answer.of([part async for part in read_parts(openai_chat.Reader(), pieces())])

    assert run_in_no_time(heard()).text == "a" * 8
