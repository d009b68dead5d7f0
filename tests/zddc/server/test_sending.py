"""What is sent of an answer; how a body in pieces is sent, and cut, is in test_app.py."""

import asyncio

from zddc.server.answer import Answer, Pieces
from zddc.server.sending import first_messages, send_answer


def test_a_body_at_hand_is_sent_with_its_head():
    entry = {"method": "GET", "bytes": 0}
    head, body = first_messages(Answer(200, [("x", "\xfc")], b"hello"), entry)
    assert head == {"type": "http.response.start", "status": 200, "headers": [(b"x", b"\xfc")]}
    assert body == {"type": "http.response.body", "body": b"hello"}
    assert entry["bytes"] == 5


def test_head_has_no_body():
    entry = {"method": "HEAD", "bytes": 0}
    assert first_messages(Answer(404, [], b"none\n"), entry)[1]["body"] == b""
    assert entry["bytes"] == 0


def test_a_body_in_pieces_comes_after_its_head():
    sent, closed = [], []
    answer = Answer(200, [], Pieces(iter([b"a", b"bc"]), lambda: closed.append(True)))
    entry = {"method": "GET", "path": "/", "bytes": 0}
    assert len(first_messages(answer, entry)) == 1

    async def send(message):
        sent.append(message)

    asyncio.run(send_answer(answer, asyncio.Event().wait, send, entry))
    assert b"".join(message.get("body", b"") for message in sent) == b"abc"
    assert (entry["bytes"], closed, sent[-1].get("more_body", False)) == (3, [True], False)
