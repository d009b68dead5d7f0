import asyncio

from starlette.datastructures import Headers

from zddc.server.content import Content


def content_of(*pieces, ends=True):
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if ends:
        messages[-1]["more_body"] = False

    async def receive():
        return messages.pop(0) if messages else await asyncio.Event().wait()

    return Content(receive), messages


def pass_over(content, **headers):
    asyncio.run(content.pass_over(Headers(headers)))


def test_what_nobody_wants_is_read_to_its_end_and_no_further():
    content, left = content_of(b"a", b"b", b"c")
    assert asyncio.run(content())["body"] == b"a"
    pass_over(content)
    assert not left
    pass_over(content)


def test_more_than_64_mebibytes_are_not_read():
    content, left = content_of(*[bytes(1024**2)] * 70, ends=False)
    pass_over(content)
    assert len(left) == 6


def test_who_asks_before_sending_is_not_waited_for():
    content, left = content_of(b"a")
    pass_over(content, expect="100-Continue")
    assert len(left) == 1


def test_what_comes_too_slowly_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("zddc.server.content._LONGEST_SECONDS", 0)
    content, _ = content_of(b"a", ends=False)
    pass_over(content)


def test_who_has_left_is_not_waited_for():
    async def receive():
        return {"type": "http.disconnect"}

    pass_over(Content(receive))
