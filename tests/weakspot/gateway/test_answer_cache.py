"""The latest answers are remembered as they were heard, up to a number of bytes."""

import json

import pytest
from tests.servers import Reply, chunks, completion

from weakspot.capture.conversation import Conversation
from weakspot.gateway.answer_cache import AnswerCache

Q = {"role": "user", "content": "q"}
STEPS = [
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "r"},
]


def stream(text: str) -> bytes:
    return b"".join(chunks(Reply(text)))


def whole(text: str) -> bytes:
    return json.dumps(completion(Reply(text))).encode()


def user(number: int) -> list[dict]:
    return [{"role": "user", "content": f"question {number}"}]


@pytest.mark.parametrize("answer", [stream("a"), whole("a")])
def test_an_answer_is_recalled_by_the_conversation_in_front_of_it(answer):
    attempts = AnswerCache(10_000)
    attempts.remember(Conversation([{"role": "system", "content": "s"}, Q, *STEPS]), answer)
    assert attempts.recall(Conversation([Q])) == [*STEPS, {"role": "assistant", "content": "a"}]
    assert attempts.recall(Conversation([{"role": "user", "content": "other"}])) == []


def test_the_latest_of_several_answers_counts():
    attempts = AnswerCache(10_000)
    for text in ("first", "second"):
        attempts.remember(Conversation([Q]), whole(text))
    assert attempts.recall(Conversation([Q]))[0]["content"] == "second"


@pytest.mark.parametrize("answer", [b"<html>", b"data: {\n\n", b"", whole(" "), stream("a")[:50]])
def test_what_is_no_answer_is_no_attempt(answer):
    attempts = AnswerCache(10_000)
    attempts.remember(Conversation([Q]), answer)
    assert attempts.recall(Conversation([Q])) == []


def test_the_oldest_are_forgotten_where_all_are_too_large():
    size = len(whole("a"))
    attempts = AnswerCache(10 * size + 100)
    for number in range(50):
        attempts.remember(Conversation(user(number)), whole("a"))
    assert [n for n in range(50) if attempts.recall(Conversation(user(n)))] == list(range(40, 50))


def test_what_is_too_large_for_itself_is_forgotten_at_once():
    attempts = AnswerCache(1000)
    attempts.remember(Conversation(user(1)), whole("a"))
    attempts.remember(Conversation([Q, {"role": "tool", "tool_call_id": "1", "content": "x" * 5000}]), whole("a"))
    assert attempts.recall(Conversation([Q])) == []
    attempts.remember(Conversation(user(2)), whole("a"))
    assert attempts.recall(Conversation(user(2))) != []


def test_nothing_is_remembered_where_there_is_no_room():
    attempts = AnswerCache(0)
    attempts.remember(Conversation([Q]), whole("a"))
    assert attempts.recall(Conversation([Q])) == []
