"""What is not for a teacher goes through as it is: bytes, headers, methods, errors, and breaks."""

import asyncio
import gzip
import io
import json
import random

import aiohttp
import pytest
from tests.servers import Reply, completion, endless_server, raw_server, sse
from tests.waiting import PATIENCE_SECONDS
from tests.weakspot.gateway.worlds import SOAK
from yarl import URL

from weakspot.gateway.passthrough import EndOfStream

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}
CHAT = "/v1/chat/completions"
STREAMS = 1000 if SOAK else 160
WORDS = ["Grüße", "from", "日本", "😀😀", "data: x", "\u2028", "{", "a\\nb", "", " "]


def chat_stream(chance: random.Random) -> tuple[bytes, str]:
    """Return the bytes of a stream as some server may send them, and what they say."""
    words = ["Well:", *chance.choices(WORDS, k=chance.randint(1, 12))]
    end = chance.choice(["\n", "\r\n", "\r"]).encode()
    parts: list[bytes] = [chance.choice([b"", b"\xef\xbb\xbf"])]
    for number, word in enumerate([*words, None]):
        choice = {"delta": {"content": word}} if word is not None else {"delta": {}, "finish_reason": "stop"}
        event = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, **choice}]}
        data = json.dumps(event, ensure_ascii=chance.random() < 0.5)
        space = " " if chance.random() < 0.8 else ""
        if chance.random() < 0.3:
            parts.append(f": keep-alive {number}".encode() + end * chance.randint(1, 2))
        parts.append(f"data:{space}{data}".encode() + end * 2)
    if chance.random() < 0.7:
        parts.append(b"data: [DONE]" + end * 2)
    return b"".join(parts), "".join(words)


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    pieces = []
    while data:
        size = chance.choice([1, 2, 3, 7, 50, 1000])
        pieces.append(data[:size])
        data = data[size:]
    return pieces


async def test_a_stream_is_the_same_bytes_however_it_is_cut(world):
    chance = random.Random(7)
    sent: dict[int, tuple[bytes, str]] = {}

    def answer(request: bytes) -> list[bytes]:
        if request.startswith(b"GET /v1/models"):
            return [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]
        number = json.loads(request.partition(b"\r\n\r\n")[2])["seed"]
        data, _ = sent[number] = chat_stream(random.Random(number))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
        if number % 3 == 0:  # delimited by the connection's end
            return [head + b"\r\n", *cut(data, chance)]
        if number % 3 == 1:
            return [head + b"Content-Length: %d\r\n\r\n" % len(data), *cut(data, chance)]
        chunked = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in cut(data, chance)) + b"0\r\n\r\n"
        return [head + b"Transfer-Encoding: chunked\r\n\r\n", *cut(chunked, chance)]

    async with raw_server(answer) as upstream, world(upstream=upstream) as one, aiohttp.ClientSession() as session:

        async def ask(number: int) -> None:
            messages = [{"role": "user", "content": f"question {number}"}]
            body = {"model": "m", "messages": messages, "stream": True, "seed": number}
            async with session.post(one.address + CHAT, json=body) as got:
                assert await got.read() == sent[number][0]
            if number % 50 == 0:  # what was heard is remembered as what was said
                async with session.post(
                    one.address + CHAT, json={**body, "model": "expert/coder", "stream": False}
                ) as got:
                    assert got.status == 200

        for first in range(0, STREAMS, 20):
            await asyncio.gather(*(ask(number) for number in range(first, first + 20)))
        assert {record.query.content: record.local.content for record in one.records} == {
            f"question {number}": sent[number][1] for number in range(0, STREAMS, 50)
        }
        assert {record.metadata.attempt for record in one.records} == {"remembered"}


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/embeddings", "/v1/rerank?d=%C3%BC&e", "/infill", "/tokenize"])
async def test_other_paths_go_through(world, path):
    async with world('pass = ["POST /tokenize"]') as one, aiohttp.ClientSession() as session:
        one.upstream.script = Reply(data=b"\x00any bytes", headers={"Content-Type": "application/x-any"})
        async with session.post(URL(one.address + path, encoded=True), data=b"\xff{no json", headers=JSON) as got:
            assert (got.status, await got.read(), got.content_type) == (200, b"\x00any bytes", "application/x-any")
        [asked] = one.upstream.asked
        assert (asked.method, asked.path, asked.data) == ("POST", path, b"\xff{no json")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PROPFIND"])
@pytest.mark.parametrize("path", ["/v1/models/x", "/slots/3"])
async def test_every_method_that_is_opened_goes_through(world, method, path):
    async with world('pass = ["GET /slots/*", "PUT /slots/*", "PUT /v1/models/x", "PROPFIND /**"]') as one:
        one.upstream.script = Reply(status=207, data=b"abc", headers={"Allow": "GET"})
        async with aiohttp.ClientSession() as session, session.request(method, one.address + path) as got:
            assert (got.status, got.headers["Allow"], got.headers["Content-Length"]) == (207, "GET", "3")
            assert await got.read() == (b"" if method == "HEAD" else b"abc")
        assert [(asked.method, asked.path, asked.data) for asked in one.upstream.asked] == [(method, path, b"")]


@pytest.mark.parametrize(
    "request_",
    [
        *("POST /v1/load_lora_adapter", "DELETE /api/delete", "POST /lora-adapters", "POST /slots/0?action=erase"),
        *("GET /slots", "POST /props", "POST /tokenize", "DELETE /v1/models/x", "PUT /v1/chat/completions", "GET /"),
        *("GET /v1/models/..%2f..%2fslots", "GET /v1/models/%252e%252e/slots", "POST /v1/completions/../sleep"),
    ],
)
async def test_what_changes_the_server_or_shows_others_words_is_not_passed_on(world, request_, monkeypatch):
    monkeypatch.setenv("LOCAL_KEY", "local-3Gh5Kp92")
    method, path = request_.split(" ")
    async with world('upstream_api_key_env = "LOCAL_KEY"') as one, aiohttp.ClientSession() as session:
        async with session.request(method, URL(one.address + path, encoded=True)) as got:
            assert got.status == 404
            assert "[gateway] pass = [" in (await got.json())["error"]["message"]
        assert one.upstream.asked == []


@pytest.mark.parametrize("status", [204, 301, 304, 400, 404, 429, 500, 503])
async def test_every_status_goes_through(world, status):
    async with world() as one, aiohttp.ClientSession() as session:
        body = b"" if status in (204, 304) else b"<html>no</html>"
        one.upstream.script = Reply(status=status, data=body, headers={"Retry-After": "7", "Location": "/elsewhere"})
        async with session.post(one.address + CHAT, json={"messages": []}, allow_redirects=False) as got:
            assert (got.status, await got.read()) == (status, body)
            assert (got.headers["Retry-After"], got.headers["Location"]) == ("7", "/elsewhere")


async def test_headers_go_through_but_for_those_of_the_connection_and_ours(world):
    headers = [
        *(("X-Twice", "1"), ("X-Twice", "2"), ("Accept", "x/y"), ("X-Empty", "")),
        *(("Authorization", "Bearer client"), ("Content-Type", "application/json; charset=utf-8")),
        *(("Connection", "close, X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "9"), ("TE", "gzip"), ("Upgrade", "h2c")),
        *(("Proxy-Authorization", "secret"), ("X-Weakspot-Other", "1"), ("Via", "1.1 me")),
    ]
    async with world() as one, aiohttp.ClientSession(skip_auto_headers=["User-Agent", "Accept-Encoding"]) as session:
        one.upstream.script = Reply(data=b"a")
        async with session.post(f"{one.address}/v1/embeddings", headers=headers, data=b"b") as got:
            await got.read()
        [asked] = one.upstream.asked
        assert sorted(asked.headers.items()) == sorted(
            [
                *headers[:6],
                ("Via", "1.1 me"),
                ("Content-Length", "1"),
                ("Host", one.upstream.url.removeprefix("http://")),
            ]
        )


async def test_headers_of_the_answer_go_through_but_for_those_of_the_connection(world):
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        b"X-Hop: 1\r\nConnection: close, x-hop\r\nKeep-Alive: 5\r\nServer: theirs\r\nDate: then\r\n\r\na"
    )
    async with (
        raw_server(lambda _: [head]) as upstream,
        world(upstream=upstream) as one,
        aiohttp.ClientSession() as session,
        session.get(f"{one.address}/v1/models/x") as got,
    ):
        assert sorted(got.headers.items()) == [
            ("Content-Length", "1"),
            ("Content-Type", "text/plain"),
            ("Date", "then"),
            ("Server", "theirs"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
        ]


@pytest.mark.parametrize("path", ["/v1/embeddings", CHAT])
@pytest.mark.parametrize(
    "framed", [b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
)
async def test_an_answer_that_comes_with_its_head_goes_on_with_it(world, framed, path):
    head = b"HTTP/1.1 201 Fine\r\nContent-Type: application/json\r\nConnection: close\r\n"
    async with raw_server(lambda _: [head + framed]) as upstream, world(upstream=upstream) as one:
        address = URL(one.address)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        asked = b'{"messages": [{"role": "user", "content": "q"}]}'
        writer.write(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(asked)}\r\n\r\n".encode() + asked)
        got, _, body = (await reader.read(65536)).partition(b"\r\n\r\n")
        writer.close()
    assert got.startswith(b"HTTP/1.1 201 Fine\r\n")
    assert b"\r\nContent-Length: 2\r\n" in got
    assert body == b"{}"


@pytest.mark.parametrize("path", ["/v1/embeddings", CHAT])
async def test_a_compressed_answer_goes_through_as_it_is(world, path):
    data = gzip.compress(b'{"choices": [{"message": {"content": "hi"}}]}')
    async with world() as one, aiohttp.ClientSession(auto_decompress=False) as session:
        one.upstream.script = Reply(data=data, headers={"Content-Encoding": "gzip"})
        async with session.post(one.address + path, json={"messages": [{"role": "user", "content": "q"}]}) as got:
            assert (got.headers["Content-Encoding"], await got.read()) == ("gzip", data)


async def test_a_compressed_request_goes_through_where_nobody_reads_it(world):
    data = gzip.compress(b'{"input": "a"}')
    async with world() as one, aiohttp.ClientSession() as session:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        async with session.post(f"{one.address}/v1/embeddings", data=data, headers=headers) as got:
            await got.read()
        assert one.upstream.asked[0].headers["Content-Encoding"] == "gzip"
        async with session.post(one.address + CHAT, data=data, headers=headers) as got:
            assert got.status == 415
            assert "compressed" in (await got.json())["error"]["message"]
        assert len(one.upstream.asked) == 1


async def test_a_large_body_goes_through_in_either_framing(world):
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 3_000_000}]}).encode()

    async def pieces():
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    async with world() as one, aiohttp.ClientSession() as session:
        for path, data in ((CHAT, io.BytesIO(body)), (CHAT, pieces()), ("/v1/embeddings", pieces())):
            async with session.post(one.address + path, data=data, headers=JSON, expect100=True) as got:
                assert got.status == 200
        assert [asked.data == body for asked in one.upstream.asked] == [True] * 3


@pytest.mark.parametrize("stream", [True, False])
async def test_a_server_that_breaks_off_is_seen_to(world, stream):
    event = sse({"choices": [{"delta": {"content": "half"}}]})
    size = b"%x\r\n%b\r\n" % (len(event), event)
    framing = b"Transfer-Encoding: chunked\r\n\r\n" + size if stream else b"Content-Length: 5000\r\n\r\n" + event
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framing
    async with (
        raw_server(lambda _: [head]) as upstream,
        world(upstream=upstream) as one,
        aiohttp.ClientSession() as session,
    ):
        body = {"model": "m", "messages": [{"role": "user", "content": "q"}], "stream": stream}
        async with session.post(one.address + CHAT, json=body) as got:
            with pytest.raises(aiohttp.ClientPayloadError):
                await got.read()
        # Nothing is remembered that was not whole.
        async with one.openai() as client:
            await client.chat.completions.create(model="expert/coder", messages=body["messages"])
        assert one.record.metadata.attempt == "missing"


async def test_an_error_does_not_name_our_key_to_the_server(world, monkeypatch):
    monkeypatch.setenv("LOCAL_KEY", "local-3Gh5Kp92")
    async with world('upstream_api_key_env = "LOCAL_KEY"') as one, aiohttp.ClientSession() as session:
        one.upstream.script = Reply(status=401, data=b'{"error": "no such key: local-3Gh5Kp92"}')
        for path in (CHAT, "/v1/embeddings", "/v1/messages"):
            body = {"messages": [], "max_tokens": 1}
            async with session.post(one.address + path, json=body, headers={"Authorization": "Bearer client"}) as got:
                assert got.status == 401
                assert "no such key: <API_KEY>" in await got.text()
        assert {asked.headers["Authorization"] for asked in one.upstream.asked} == {"Bearer local-3Gh5Kp92"}


@pytest.mark.skipif(not SOAK, reason="WEAKSPOT_SOAK=1 asks for it")
async def test_nothing_piles_up_in_a_thousand_long_streams(world):
    async with world("remembered_bytes = 1_000_000") as one, aiohttp.ClientSession() as session:
        one.upstream.script = Reply("word " * 20_000, pieces=100)
        for number in range(1000):
            body = {"messages": [{"role": "user", "content": f"q{number}"}], "stream": True}
            async with session.post(one.address + CHAT, json=body) as got:
                assert len(await got.read()) > 100_000
        assert len(asyncio.all_tasks()) < 20


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", sse({"choices": [], "usage": {"prompt_tokens": 1}}), b""])
@pytest.mark.parametrize("ping", [b": ping\n\n", b""])
async def test_a_completion_ends_though_the_server_keeps_the_connection(world, ping, end):
    sent = sse({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}) + end
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "q"}]}
    async with (
        endless_server(sent, ping) as (url, left),
        world(upstream=url) as one,
        aiohttp.ClientSession() as session,
    ):
        async with session.post(one.address + CHAT, json=body) as got:
            assert (await asyncio.wait_for(got.read(), PATIENCE_SECONDS)).startswith(sent)
        await asyncio.wait_for(left.wait(), PATIENCE_SECONDS)
        # The answer is an attempt.
        async with session.post(one.address + CHAT, json={**body, "model": "expert/coder", "stream": False}) as got:
            assert got.status == 200
        assert one.record.local.content == "a"


CUTS = [1, 7, 1000]
REASON = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
SAYING = sse({"choices": [{"index": 0, "delta": {"content": '"finish_reason": "stop"'}, "finish_reason": None}]})


@pytest.mark.parametrize("size", CUTS)
@pytest.mark.parametrize(
    ("stream", "ends"),
    [
        (REASON, True),
        (SAYING + REASON + sse({"choices": [], "usage": {}}) + b": ping\n\n", True),
        (b"data: [DONE]\n\n" + SAYING, True),
        (SAYING, False),
        (sse({"choices": [{"delta": {"content": "a"}, "finish_reason": ""}]}), False),
        (REASON + SAYING, False),
    ],
)
async def test_a_stream_ends_behind_a_reason_only(stream, ends, size):
    end = EndOfStream(has_events=True)
    for place in range(0, len(stream), size):
        end.feed(stream[place : place + size])
    assert (end.deadline is not None) == ends


async def test_a_compressed_answer_is_an_attempt(world):
    answer = gzip.compress(json.dumps(completion(Reply("Local."))).encode())
    body = {"model": "m", "messages": [{"role": "user", "content": "q"}]}
    async with world() as one, aiohttp.ClientSession(auto_decompress=False) as session:
        one.upstream.script = Reply(data=answer, headers={"Content-Encoding": "gzip"})
        async with session.post(one.address + CHAT, json=body) as got:
            assert await got.read() == answer
        async with session.post(one.address + CHAT, json={**body, "model": "expert/coder"}) as got:
            assert got.status == 200
        assert (one.record.local.content, one.record.metadata.attempt) == ("Local.", "remembered")


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/v1/chat/completions", "//v1/chat/completions/"])
async def test_an_endpoint_is_reached_by_other_paths(world, path):
    async with world() as one, aiohttp.ClientSession() as session:
        asked = {"model": "m", "messages": [{"role": "user", "content": "q"}]}
        async with session.post(URL(one.address + path, encoded=True), json=asked) as got:
            assert got.status == 200
        assert one.upstream.chats[-1].path == CHAT
        async with session.post(URL(one.address + path, encoded=True), json={**asked, "model": "expert/coder"}) as got:
            assert (await got.json())["choices"][0]["message"]["content"] == "Coder's answer."
