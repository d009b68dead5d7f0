"""Both adapters read the same facts, and the guard before an ASGI application answers for it."""

import asyncio

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from weakspot.access import bodies
from weakspot.access.adapters import AsgiGuard, client_of_scope, facts_of_request, facts_of_scope
from weakspot.access.client_keys import Clients, add_client
from weakspot.access.connections import Connections
from weakspot.access.request_guard import Facts, Rules

HEADERS = {
    "Host": "localhost:1",
    "Origin": "https://chat.example",
    "Sec-Fetch-Site": "cross-site",
    "Authorization": "Bearer a",
    "X-Api-Key": "b",
    "Api-Key": "c",
    "Content-Type": "application/json",
}


def scope(method: str = "POST", kind: str = "http", **headers: str) -> dict:
    pairs = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": kind, "method": method, "path": "/mcp", "headers": pairs}


def asked(scope_: dict, **rules) -> tuple[list[dict], list[str]]:
    """Ask an application behind the guard; return what was sent, and the kinds of what reached it."""
    sent: list[dict] = []
    reached: list[str] = []

    async def app(scope_, _receive, send) -> None:
        reached.append(scope_["type"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(AsgiGuard(app, Rules(**rules))(scope_, None, send))
    return sent, reached


def test_both_read_the_same_facts():
    request = make_mocked_request("POST", "/mcp?key=a%20b", HEADERS)
    expected = Facts(
        "POST",
        "/mcp",
        "localhost:1",
        "https://chat.example",
        "cross-site",
        ("Bearer a", "b", "c"),
        "application/json",
        False,
        "key=a b",
    )
    assert facts_of_request(request, "/mcp") == expected
    assert facts_of_scope({**scope(**HEADERS), "query_string": b"key=a%20b"}) == expected


def test_a_header_that_comes_twice_is_two_keys():
    pairs = [("Authorization", "Bearer a"), ("Authorization", "Bearer b"), ("X-Api-Key", "c")]
    request = make_mocked_request("POST", "/mcp", CIMultiDict(pairs))
    asgi = {**scope(), "headers": [(name.lower().encode(), value.encode()) for name, value in pairs]}
    assert facts_of_request(request, "/mcp").keys == facts_of_scope(asgi).keys == ("Bearer a", "Bearer b", "c")


def test_the_application_is_told_whose_request_it_is(tmp_path):
    key = add_client(tmp_path / "clients.jsonl", "alice")
    found = []

    async def app(scope_, _receive, _send) -> None:
        found.append(client_of_scope(scope_))

    guard = AsgiGuard(app, Rules(clients=Clients(tmp_path / "clients.jsonl")))
    for headers in ({"X-Api-Key": key}, {}):
        asyncio.run(guard(scope(Host="localhost", **headers), None, None))
    assert [one and one.client for one in found] == ["alice", None]


@pytest.mark.parametrize(
    ("headers", "has_body"),
    [
        ({}, False),
        ({"Content-Length": "0"}, False),
        ({"Content-Length": "1"}, True),
        ({"Transfer-Encoding": "chunked"}, True),
    ],
)
def test_a_body_is_announced(headers, has_body):
    assert facts_of_scope(scope(**headers)).has_body is has_body


def test_what_is_refused_does_not_reach_the_application():
    sent, reached = asked(scope(Host="evil.example"))
    assert (sent[0]["status"], reached) == (421, [])
    assert b"[gateway] hosts" in sent[1]["body"]


def test_what_is_allowed_does_and_so_does_the_life_of_the_server():
    assert asked(scope(Host="localhost"))[1] == ["http"]
    assert asked({"type": "lifespan"})[1] == ["lifespan"]
    assert asked({"type": "websocket"}) == ([], [])


def test_a_listed_page_may_ask_beforehand_and_read_the_answer():
    page = {"Host": "localhost", "Origin": "https://chat.example"}
    sent, reached = asked(scope("OPTIONS", **page), origins=("https://chat.example",), token="t")
    assert (sent[0]["status"], reached) == (204, [])
    assert (b"access-control-allow-origin", b"https://chat.example") in sent[0]["headers"]
    sent, reached = asked(scope("GET", **page), origins=("https://chat.example",))
    assert reached == ["http"]
    assert {(b"a", b"b"), (b"access-control-allow-origin", b"https://chat.example")} <= set(sent[0]["headers"])


@pytest.mark.parametrize(("pieces", "reached"), [([b"a", b"b"], [b"a", b"b"]), ([b"a", None], [b"a", "gone"])])
def test_a_body_that_comes_too_slowly_ends(monkeypatch, pieces, reached):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    coming = iter(pieces)
    heard: list[object] = []

    async def receive() -> dict:
        piece = next(coming)
        if piece is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": piece, "more_body": piece == b"a"}

    async def app(_scope, receive, _send) -> None:
        for _ in pieces:
            message = await receive()
            heard.append(message["body"] if message["type"] == "http.request" else "gone")

    asyncio.run(AsgiGuard(app, Rules())(scope(Host="localhost"), receive, None))
    assert heard == reached


def test_the_clock_of_a_connection_stands_still_while_it_is_answered():
    async def run() -> list[bool]:
        connections = Connections(2)
        one = connections.watch(asyncio.Protocol())
        assert connections.admit(one, ("127.0.0.1", 5))
        stood: list[bool] = []

        async def app(_scope, _receive, _send) -> None:
            stood.append(one.works)

        guard = AsgiGuard(app, Rules(), connections)
        await guard({**scope(Host="localhost"), "client": ("127.0.0.1", 5)}, None, None)
        await guard({**scope(Host="localhost"), "client": ("127.0.0.1", 6)}, None, None)
        return [*stood, one.works]

    assert asyncio.run(run()) == [True, False, False]
