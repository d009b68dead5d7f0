"""Any order of roles, parts, calls and tools is answered, what was paid for is kept, and servers get what they take."""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.servers import Asked, Reply, chunks, message_events
from tests.weakspot.gateway.drawn_requests import requests
from tests.weakspot.gateway.worlds import KEYS, SOAK, World, opened

from weakspot.storage import append_log

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if SOAK else 300)]

CALLS = (("c1", "look", '{"what": "a"}'), ("c1", "look", "{}"))
ERROR = b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n'
UNCLOSED = "<thinking>never closed"
SAFE = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Each with whether anything was paid for.
ANSWERS = [
    (Reply("B is newer."), True),
    (Reply("B is newer.", thought="hm"), True),
    (Reply("<think>hm</think>B is newer."), True),
    (Reply(UNCLOSED), True),
    (Reply("", calls=CALLS[:1]), True),
    (Reply("Let me look.", thought="hm", calls=CALLS), True),
    (Reply(""), True),
    (Reply("", thought="only"), True),
    (Reply("B is", reason="max_tokens"), True),
    (Reply("refused", reason="refusal"), True),
    (Reply("Bad request", status=400), False),
    (Reply("temperature is deprecated for this model", status=400), False),
    (Reply("image input is not supported", status=400), False),
    (Reply("no such key", status=401), False),
    (Reply("slow down", status=429), False),
    (Reply("Overloaded", status=529), False),
    (Reply(data=b"<html><title>Bad gateway</title></html>"), False),
    (Reply(data=b""), False),
]
CUTS = [None, None, None, b"", ERROR]
LOCAL = [
    Reply("No idea."),
    Reply("", calls=CALLS),
    Reply(""),
    Reply("<think>hm</think>No."),
    Reply("too long", status=400),
    Reply("busy", status=503),
    Reply(data=b"<html>"),
]


@contextlib.contextmanager
def kept_open(workspace: Any) -> Iterator[tuple[World, aiohttp.ClientSession, Callable[..., Any]]]:
    """Keep one gateway open for many requests of a test that is no coroutine."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def enter() -> tuple[World, aiohttp.ClientSession]:
            one = await stack.enter_async_context(opened(workspace, '[collect]\ndurability = "process"'))
            return one, await stack.enter_async_context(aiohttp.ClientSession(one.address))

        one, session = runner.run(enter())
        try:
            yield one, session, runner.run
        finally:
            runner.run(stack.aclose())


def cut_script(reply: Reply, cut: bytes | None) -> Callable[[Asked], Reply]:
    """Return a script that leaves out the end of the answer's stream, where ``cut`` says what comes in its place."""

    def script(asked: Asked) -> Reply:
        if cut is None or reply.status != 200 or reply.data is not None:
            return reply
        events = message_events(reply)[:-2] if asked.path.endswith("/messages") else chunks(reply)[:-3]
        return Reply(data=b"".join(events) + cut, headers={"Content-Type": "text/event-stream"})

    return script


EXAMPLES = (requests(), st.sampled_from(ANSWERS), st.sampled_from(CUTS), st.sampled_from(LOCAL))


def check_example(one: World, session: aiohttp.ClientSession, run: Callable[..., Any], example: Any) -> None:
    (path, body, headers), (reply, is_paid), cut, local = example
    one.upstream.script = local
    one.sonnet.script = one.coder.script = cut_script(reply, cut)
    for server in one.servers:
        server.asked.clear()
    before = kept_lines(one)

    async def send() -> tuple[int, str]:
        async with session.post(path, json=body, headers=headers) as answer:
            return answer.status, await answer.text()

    status, text = run(send())
    assert status != 500, text
    if 400 <= status < 500:
        check_error(text)
    asked = [*one.sonnet.chats, *one.coder.chats]
    paid = bool(asked) and is_paid and (cut is None or says_something(reply))
    new = {*kept_lines(one)} - {*before}
    assert len(new) == len(kept_lines(one)) - len(before) == paid
    assert "B is newer" not in reply.text or all(b'"B is newer."' in line for line in new)
    for request in one.upstream.chats:
        check_local(request.body)
    for request in one.sonnet.chats:
        check_anthropic(request.body)
    for request in one.coder.chats:
        check_openai(request.body)
    for request in [*asked, *one.upstream.chats]:
        assert b"[weakspot: " not in request.data
        assert b"x-anthropic-billing-header" not in request.data


def says_something(reply: Reply) -> bool:
    return bool(reply.calls) or reply.text not in ("", UNCLOSED)


def kept_lines(one: World) -> list[Any]:
    files = (one.workspace.raw, one.workspace.unfitted)
    return [line.data for file in files for line in append_log.read_lines(file)]


def check_error(text: str) -> None:
    try:
        error = json.loads(text)["error"]
        said = error["message"]
    except (ValueError, KeyError):
        assert text == "<html>"
        return
    assert said.strip()
    assert "\n" not in said
    assert len(said) < 600


def check_local(body: dict[str, Any]) -> None:
    roles = [message["role"] for message in body["messages"]]
    assert "system" not in roles[1:]
    assert "developer" not in roles
    assert [role for role in roles if role != "system"][:1] != ["assistant"]
    assert not {("user", "user"), ("assistant", "assistant")} & {*itertools.pairwise(roles)}


def check_openai(body: dict[str, Any]) -> None:
    waiting: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        assert waiting == []
        assert message["role"] in ("system", "user", "assistant", "narrator")
        assert message.get("content") is not None or message.get("tool_calls")
        for call in message.get("tool_calls") or ():
            assert SAFE.fullmatch(call["function"]["name"])
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            waiting.append(call["id"])
        assert len({*waiting}) == len(waiting)
    assert waiting == []
    assert body["messages"][-1]["role"] != "assistant"


def check_anthropic(body: dict[str, Any]) -> None:
    turns = body["messages"]
    roles = [turn["role"] for turn in turns]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    assert body.get("system", "x").strip()
    seen: set[str] = set()
    waiting: list[str] = []
    for turn in turns:
        blocks = turn["content"]
        assert blocks
        kinds = [block["type"] for block in blocks]
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert sorted(results) == sorted(waiting)
        assert kinds[: len(results)] == ["tool_result"] * len(results)
        waiting = []
        for block in blocks:
            check_block(block, turn["role"])
            if block["type"] == "tool_use":
                assert block["id"] not in seen
                seen.add(block["id"])
                waiting.append(block["id"])
    names = [tool["name"] for tool in body.get("tools") or ()]
    assert len({*names}) == len(names)
    assert all(map(SAFE.fullmatch, names))
    assert names or not seen
    for tool in body.get("tools") or ():
        assert tool["input_schema"]["type"] == "object"
        assert not {"anyOf", "oneOf", "allOf"} & {*tool["input_schema"]}
    if (choice := body.get("tool_choice")) is not None:
        assert names
        assert choice["type"] != "tool" or choice["name"] in names


def check_block(block: dict[str, Any], role: str) -> None:
    match block["type"]:
        case "text":
            assert block["text"].strip()
        case "image":
            source = block["source"]
            assert source["type"] == "url" or source["media_type"] in (
                "image/png",
                "image/jpeg",
                "image/gif",
                "image/webp",
            )
            assert role == "user"
        case "document":
            assert role == "user"
        case "tool_use":
            assert role == "assistant"
            assert SAFE.fullmatch(block["id"])
            assert SAFE.fullmatch(block["name"])
            assert isinstance(block["input"], dict)
        case "tool_result":
            assert role == "user"
            content = block["content"]
            assert content
            if isinstance(content, str):
                assert content.strip()
            else:
                for one in content:
                    assert one["type"] in ("text", "image", "document")
                    check_block(one, "user")
        case other:
            raise AssertionError(other)


def test_any_request_is_answered_and_what_was_paid_for_is_kept(workspace, monkeypatch):
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    with kept_open(workspace) as (one, session, run):

        @settings(max_examples=2000 if SOAK else 60)
        @given(st.tuples(*EXAMPLES))
        def check_examples(example: Any) -> None:
            check_example(one, session, run, example)

        check_examples()
