"""Responses are remembered within a bound, and a conversation is the chain of them."""

import json
import re

import pytest

from weakspot.gateway.response_cache import ResponseCache
from weakspot.gateway.upstream import GatewayError


def question(number):
    return {"type": "message", "role": "user", "content": f"question {number}"}


def response(number, previous=None):
    output = [{"type": "message", "id": f"msg_{number}", "content": f"answer {number}"}]
    return {"id": f"resp_{number}", "previous_response_id": previous, "output": output}


def chain(count, most_bytes=10_000):
    cache = ResponseCache(most_bytes)
    for number in range(count):
        cache.keep([question(number)], response(number, f"resp_{number - 1}" if number else None))
    return cache


def test_a_conversation_is_all_that_was_asked_and_answered():
    cache = chain(3)
    whole = [item for number in range(3) for item in (question(number), *response(number)["output"])]
    assert cache.conversation("resp_2") == whole
    assert cache.conversation("resp_1") == whole[:4]
    assert cache.answer("GET", "resp_2", "input_items", {"order": "asc"})["data"] == whole[:5]
    assert cache.answer("GET", "resp_2", "input_items", {})["data"] == whole[:5][::-1]
    assert cache.answer("GET", "resp_1", "", {}) == response(1, "resp_0")


@pytest.mark.parametrize(
    ("method", "part", "query"), [("GET", "", {"stream": "true"}), ("POST", "cancel", {}), ("POST", "", {})]
)
def test_a_request_of_another_kind_is_not_answered(method, part, query):
    assert chain(1).answer(method, "resp_0", part, query) is None


def test_what_is_not_remembered_is_said_as_openai_says_it():
    cache = chain(2)
    assert cache.answer("DELETE", "resp_0", "", {})["deleted"]
    for identity in ("resp_7", "resp_0", "resp_1"):
        with pytest.raises(GatewayError, match=f"Previous response with id '{identity}' not found.") as error:
            cache.conversation(identity)
        assert error.value.status == 400
        assert (error.value.code, error.value.param) == ("previous_response_not_found", "previous_response_id")
    for method, part in (("GET", ""), ("GET", "input_items"), ("DELETE", "")):
        with pytest.raises(GatewayError, match="Response with id 'resp_0' not found") as error:
            cache.answer(method, "resp_0", part, {})
        assert error.value.status == 404


@pytest.mark.parametrize("reference", [{"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}])
def test_a_reference_is_the_item_that_it_names(reference):
    cache = chain(2)
    given = [question(5), reference]
    assert cache.with_references(given) == [question(5), *response(1)["output"]]
    cache.answer("DELETE", "resp_1", "", {})
    with pytest.raises(GatewayError, match=re.escape("Item with id 'msg_1' not found.")):
        cache.with_references(given)


def test_the_oldest_go_first_and_a_used_conversation_stays():
    size = len(json.dumps([question(0)])) + len(json.dumps(response(0)))
    cache = ResponseCache(3 * size)
    for number in range(3):
        cache.keep([question(number)], response(number))
    cache.conversation("resp_0")
    cache.keep([question(3)], response(3))
    assert [len(cache.conversation(f"resp_{number}")) for number in (0, 2, 3)] == [2, 2, 2]
    with pytest.raises(GatewayError):
        cache.answer("GET", "resp_1", "", {})
    with pytest.raises(GatewayError):
        cache.with_references([{"id": "msg_1"}])


def test_nothing_is_remembered_without_memory():
    cache = chain(1, most_bytes=0)
    with pytest.raises(GatewayError):
        cache.answer("GET", "resp_0", "", {})
