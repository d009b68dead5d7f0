"""A conversation knows its query, its key and its turns, and finds each of them once."""

from weakspot.capture import conversation as module
from weakspot.capture.conversation import Conversation

SYSTEM = {"role": "system", "content": "Be brief."}
Q, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}
REMINDER = "<system-reminder>\nThe date has changed.\n</system-reminder>"


def result(identity="1"):
    return {"role": "tool", "tool_call_id": identity, "content": "r"}


def key(messages):
    return Conversation(messages).key


def test_it_is_known_again_by_what_was_said():
    parts = {"role": "user", "content": [{"type": "text", "text": "q"}]}
    assert key([Q, A]) == key([SYSTEM, parts, {**A, "content": " a\n"}]) == key([{**Q, "name": "n"}, A])
    assert len({key(one) for one in ([Q], [Q, A], [A, Q], [Q, A, result()], [Q, A, result("2")])}) == 5


def test_the_query_ends_with_what_the_user_said_last():
    whole = Conversation([SYSTEM, Q, CALL, result(), {"role": "user", "content": REMINDER}])
    assert (whole.end_of_query, whole.ends_in_query, whole.query, whole.words) == (2, False, "q", "q")
    assert Conversation([SYSTEM]).end_of_query == 1
    assert Conversation([]).end_of_query == 0
    assert Conversation([SYSTEM, Q]).ends_in_query


def test_without_a_user_there_is_no_query():
    assert Conversation([SYSTEM]).query == ""
    assert (Conversation([]).query, Conversation([]).words, bool(Conversation([]))) == ("", "", False)


def test_turns_are_the_last_first_with_their_places():
    again = {"role": "user", "content": f"again\n{REMINDER}"}
    assert list(Conversation([SYSTEM, Q, A, again]).iter_user_turns()) == [(3, "again"), (1, "q")]


def test_its_first_question_is_that_of_every_later_one():
    first = Conversation([SYSTEM, Q]).first_question
    assert first == Conversation([SYSTEM, Q, A, {"role": "user", "content": "and?"}]).first_question
    assert first.messages == [SYSTEM, Q]


def test_what_was_found_is_not_looked_for_again(monkeypatch):
    counted = []
    plain = module.unframe
    monkeypatch.setattr(module, "unframe", lambda text: counted.append(text) or plain(text))
    one = Conversation([Q, A, {"role": "user", "content": "and?"}])
    for _ in range(3):
        assert (one.end_of_query, one.query, one.ends_in_query) == (3, "and?", True)
    assert counted == ["and?"]
    for _ in range(3):
        assert (one.key, one.is_client_request) == (Conversation(one.messages).key, False)
    assert counted.count(Q["content"]) == 4  # once for it, and once for each new one
