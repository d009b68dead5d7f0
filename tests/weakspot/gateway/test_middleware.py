"""Who may not ask, too many at once, and errors that each client understands."""

import asyncio
import json
import logging

import aiohttp
import pytest
from tests.servers import NEVER_SECONDS, Reply
from tests.waiting import PATIENCE_SECONDS, happens
from tests.weakspot.gateway.worlds import World

from weakspot.access import bodies
from weakspot.access.token import token_file
from weakspot.gateway.middleware import SecretFreeLogFilter

TOKEN = "a-token-of-the-user-4f9Qz71"
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
JSON = {"Content-Type": "application/json"}
QUESTION = [{"role": "user", "content": "q"}]
CONSULT = [*QUESTION, {"role": "assistant", "content": "a"}, {"role": "user", "content": "consult {}"}]


def asking(teacher: str) -> list[dict]:
    return [{**one, "content": one["content"].format(teacher)} for one in CONSULT]


async def errors(world: World, messages: list[dict], **options) -> list[tuple[type, int, str, dict]]:
    """Ask with both clients, streaming and whole; return kind, status, message and headers of each error."""
    import anthropic
    import openai

    found = []
    async with world.openai() as ours, world.anthropic() as theirs:
        for create, more in ((ours.chat.completions.create, {}), (theirs.messages.create, {"max_tokens": 9})):
            for stream in (True, False):
                with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as error:
                    await create(model=options.get("model", "m"), messages=messages, stream=stream, **more)
                one = error.value
                message = one.body["error"]["message"] if "error" in one.body else one.body["message"]
                found.append((type(one).__name__, one.status_code, message, one.response.headers))
    return found


async def expect(world: World, messages: list[dict], kind: str, status: int, words: str, **options) -> dict:
    found = await errors(world, messages, **options)
    assert {(name, code) for name, code, _, _ in found} == {(kind, status)}
    assert all(words in message for _, _, message, _ in found), found
    return found[0][3]


# who may ask


@pytest.mark.slow
async def test_a_browser_s_cross_site_post_spends_no_money(world):
    async with world() as one, aiohttp.ClientSession() as session:
        for path in (CHAT, MESSAGES, "/v1/embeddings"):
            body = json.dumps({"messages": asking("coder")})
            headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
            async with session.post(one.address + path, data=body, headers=headers) as answer:
                assert answer.status == 403
        assert [server.asked for server in one.servers] == [[], [], []]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
    ids=str,
)
async def test_what_a_page_of_elsewhere_asks_reaches_no_endpoint(world, headers, status):
    async with world() as one, aiohttp.ClientSession() as session:
        for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
            for path in ("/health", "/metrics", "/v1/models", CHAT, MESSAGES, "/"):
                async with session.request(method, one.address + path, headers=headers) as answer:
                    assert answer.status == status
                    assert "Access-Control-Allow-Origin" not in answer.headers
        assert [server.asked for server in one.servers] == [[], [], []]


@pytest.mark.slow
async def test_a_listed_page_asks_beforehand_and_reads_the_answer(world):
    async with world('origins = ["https://chat.example"]') as one, aiohttp.ClientSession() as session:
        headers = {"Origin": "https://chat.example", "Sec-Fetch-Site": "cross-site"}
        async with session.options(one.address + CHAT, headers=headers) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "https://chat.example")
            assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert one.upstream.asked == []
        for stream in (False, True):
            body = {"messages": QUESTION, "stream": stream}
            async with session.post(one.address + CHAT, json=body, headers=headers) as answer:
                assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://chat.example")


@pytest.mark.slow
async def test_a_gateway_with_a_token_answers_to_who_sends_it(world, monkeypatch, caplog):
    import openai

    monkeypatch.setenv("THE_TOKEN", TOKEN)
    async with world('token_env = "THE_TOKEN"') as one, aiohttp.ClientSession() as session:
        for path in ("/health", "/metrics", "/v1/models", MESSAGES):
            async with session.get(one.address + path) as answer:
                assert answer.status == 401
        async with one.openai(api_key=TOKEN) as ours, one.anthropic(api_key=TOKEN) as theirs:
            await ours.chat.completions.create(model="m", messages=QUESTION)
            await theirs.messages.create(model="m", max_tokens=9, messages=QUESTION)
        async with one.openai() as ours:
            with pytest.raises(openai.AuthenticationError, match="the token is missing or wrong"):
                await ours.models.list()
    assert "clients send the token of THE_TOKEN" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.slow
async def test_a_gateway_that_other_machines_reach_makes_a_token_and_says_so(world, monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    async with world(listen="0.0.0.0:0") as one, aiohttp.ClientSession() as session:
        address = one.address.replace("0.0.0.0", "127.0.0.1")
        token = token_file().read_text().strip()
        for key, status in (("", 401), (token, 200)):
            async with session.get(f"{address}/v1/models", headers={"Authorization": f"Bearer {key}"}) as answer:
                assert answer.status == status
    assert "other machines reach it" in caplog.text
    assert token in caplog.text


# how many


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_too_many_at_once_are_told_to_come_again_and_are_served_then(world, protocol):
    import anthropic
    import openai

    async with world("max_in_flight = 20") as one, one.openai() as ours, one.anthropic() as theirs:

        async def ask(retries: int = 0) -> str:
            if protocol == "openai":
                completions = ours.with_options(max_retries=retries).chat.completions
                return (await completions.create(model="m", messages=QUESTION)).choices[0].message.content
            messages = theirs.with_options(max_retries=retries).messages
            return (await messages.create(model="m", max_tokens=9, messages=QUESTION)).content[0].text

        async def at_least(name: str, count: int) -> bool:
            return await one.metric(name) >= count

        async def all_ask(count: int, shed: int, **options: int) -> list:
            """Ask that many times at once; nobody is answered before so many have been told to come again."""
            one.upstream.script = Reply("Here.", held=(held := asyncio.Event()))
            asking = asyncio.gather(*(ask(**options) for _ in range(count)), return_exceptions=True)
            # On a slow machine some have come again before that is seen.
            await happens(lambda: at_least("weakspot_shed_total", shed))
            held.set()
            return await asking

        answers = await all_ask(50, shed=30)
        refused = [answer for answer in answers if answer != "Here."]
        assert len(answers) - len(refused) == 20
        for error in refused:
            assert error.status_code == 503
            assert error.response.headers["Retry-After"] == "1"
            assert "too many requests" in str(error)
            assert isinstance(error, openai.InternalServerError | anthropic.InternalServerError)
        # The official clients come again by themselves.
        assert await all_ask(40, shed=50, retries=8) == ["Here."] * 40
        assert await one.metric("weakspot_in_flight") == 0


@pytest.mark.slow
async def test_health_and_metrics_are_there_when_nothing_else_is(world):
    async with world("max_in_flight = 1") as one, aiohttp.ClientSession() as session:
        one.upstream.script = Reply("a", seconds_before_headers=NEVER_SECONDS)
        slow = asyncio.create_task(session.post(one.address + CHAT, json={"messages": QUESTION}).__aenter__())
        await one.upstream.next_asked()
        for path, status in (("/v1/models", 503), ("/health", 200), ("/metrics", 200)):
            async with session.get(one.address + path) as answer:
                assert answer.status == status
        slow.cancel()
        await asyncio.wait([slow])


# errors


@pytest.mark.slow
async def test_a_server_that_is_down_is_an_error_of_each_protocol(world):
    async with world(upstream="http://127.0.0.1:9") as one:
        await expect(
            one, QUESTION, "InternalServerError", 502, "the local model's server http://127.0.0.1:9/v1 is down"
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "BadRequestError"), (404, "NotFoundError"), (429, "RateLimitError"), (500, "InternalServerError")],
)
async def test_an_error_of_the_local_server_is_one_of_each_protocol(world, status, kind):
    async with world() as one:
        one.upstream.script = Reply("the context is too long", status=status)
        await expect(one, QUESTION, kind, status, "the context is too long")


@pytest.mark.slow
async def test_a_page_of_the_local_server_is_an_error(world):
    import anthropic

    async with world() as one, one.anthropic() as client:
        one.upstream.script = Reply(status=502, data=b"<html>Bad Gateway</html>")
        with pytest.raises(anthropic.InternalServerError, match="Bad Gateway"):
            await client.messages.create(model="m", max_tokens=9, messages=QUESTION)
        one.upstream.script = Reply(data=b"<html>Welcome</html>")
        with pytest.raises(anthropic.InternalServerError, match="a web page instead of an answer: <html>Welcome"):
            await client.messages.create(model="m", max_tokens=9, messages=QUESTION)


@pytest.mark.slow
@pytest.mark.parametrize("teacher", ["sonnet", "coder"])
@pytest.mark.parametrize(
    ("reply", "kind", "status", "retry_after"),
    [
        (Reply("slow down", status=429, headers={"Retry-After": "17"}), "RateLimitError", 429, "17"),
        (Reply("bad key", status=401), "InternalServerError", 502, None),
        (Reply("too long", status=400), "BadRequestError", 400, None),
        (Reply("oops", status=500), "InternalServerError", 502, "5"),
    ],
)
async def test_an_error_of_a_teacher_is_one_of_each_protocol(world, teacher, reply, kind, status, retry_after):
    async with world() as one:
        one.teacher(teacher).script = reply
        headers = await expect(
            one, asking(teacher), kind, status, f"teacher {teacher}: HTTP {reply.status}: {reply.text}"
        )
        assert headers.get("Retry-After") == retry_after
        assert headers.get("x-should-retry") == (None if retry_after else "false")
        assert one.records == []
        assert len(one.teacher(teacher).chats) == 4


@pytest.mark.slow
async def test_a_missing_key_is_named(world, monkeypatch):
    async with world() as one:
        for teacher, name in (("sonnet", "SONNET_KEY"), ("coder", "CODER_KEY")):
            monkeypatch.delenv(name)
            await expect(one, asking(teacher), "InternalServerError", 502, f"{name} is not set where weakspot runs")


@pytest.mark.slow
async def test_a_teacher_that_nobody_knows_is_named(world):
    async with world() as one:
        words = "there is no teacher gemini; there are sonnet, opus, coder"
        await expect(one, QUESTION, "NotFoundError", 404, words, model="expert/gemini")


@pytest.mark.slow
async def test_what_no_teacher_can_be_asked_is_an_error(world):
    async with world() as one, aiohttp.ClientSession() as session:
        for path, body, words in (
            (CHAT, b"{", "the body is not JSON"),
            (CHAT, b"[1]", "the body is not a JSON object"),
            (CHAT, b"\xff\xfe", "the body is not JSON"),
            (CHAT, b"[" * 100_000, "the body is not JSON"),
            (CHAT, {"model": "expert/sonnet"}, "messages: field required"),
            (CHAT, {"model": "expert/sonnet", "messages": []}, "there is no question"),
            (CHAT, {"model": "expert/sonnet", "messages": "q"}, "messages: input should be"),
            (CHAT, {"model": "expert/sonnet", "messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
            (
                CHAT,
                {"model": "expert/sonnet", "messages": [{"role": "user", "content": [{"type": "text"}]}]},
                "text is missing",
            ),
            (CHAT, {"model": "expert/sonnet", "messages": QUESTION, "tools": {}}, "tools"),
            (
                CHAT,
                {"model": "expert/sonnet", "messages": QUESTION, "tools": [{"type": "function"}]},
                "tools.0.function",
            ),
            (CHAT, {"model": "expert/sonnet", "messages": QUESTION, "stream_options": 5}, "stream_options"),
            (MESSAGES, {"model": "m"}, "'messages' is missing"),
            (MESSAGES, {"model": "m", "messages": [5]}, "not a request of the Messages API"),
            (MESSAGES, {"model": "m", "messages": [{"role": "user", "content": [{"type": "tool_use"}]}]}, "is missing"),
            (f"{MESSAGES}/count_tokens", b"{}", "'messages' is missing"),
        ):
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            async with session.post(one.address + path, data=data, headers=JSON) as answer:
                assert answer.status == 400, (body, await answer.text())
                error = await answer.json()
                assert words in error["error"]["message"], (body, error)
                assert error.get("type") == ("error" if path.startswith(MESSAGES) else None)
        assert [server.chats for server in one.servers] == [[], [], []]


@pytest.mark.slow
async def test_a_body_that_is_too_large_is_an_error_of_each_protocol(world):
    async with world("max_body_bytes = 1_000_000") as one:
        found = await errors(one, [{"role": "user", "content": "x" * 2_000_000}])
        assert {(status, message) for _, status, message, _ in found} == {
            (413, "the body is larger than 1000000 bytes; send less, or raise [gateway] max_body_bytes")
        }
        assert one.upstream.chats == []


@pytest.mark.slow
async def test_a_text_that_no_model_reads_is_an_error_of_each_protocol_and_a_picture_is_none(world):
    async with world("max_text_characters = 1000") as one:
        found = await errors(one, [*QUESTION, {"role": "user", "content": "x" * 1001}])
        words = "a message has 1001 characters, more than 1000; send less, or raise [gateway] max_text_characters"
        assert {(status, message) for _, status, message, _ in found} == {(413, words)}
        assert one.upstream.chats == []
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400_000}}
        content = [{"type": "text", "text": "x" * 900}, picture]
        async with one.openai() as client:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}])
        assert one.upstream.chats[0].body["messages"][0]["content"] == content


@pytest.mark.slow
async def test_bodies_that_are_not_here_yet_keep_nobody_out(world):
    async with world("max_in_flight = 2") as one, one.openai() as client:
        host, port = one.address.removeprefix("http://").split(":")
        writers = []
        for _ in range(20):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{".encode())
            await writer.drain()
            writers.append(writer)
        await client.chat.completions.create(model="m", messages=QUESTION)
        assert await one.metric("weakspot_in_flight") == 0
        for writer in writers:
            writer.close()


@pytest.mark.slow
async def test_a_body_that_comes_too_slowly_is_an_error(world, monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    async with world() as one:
        request = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{{"
        answer = await talk(one, request.encode())
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"send it again" in answer


@pytest.mark.slow
async def test_a_bug_of_ours_is_an_error_of_each_protocol_and_logged_without_what_was_said(world, monkeypatch, caplog):
    from weakspot.capture import consultation

    def broken(*_: object) -> None:
        raise RuntimeError(CONSULT[0]["content"] * 9)

    async with world() as one:
        monkeypatch.setattr(consultation, "question", broken)
        await expect(one, asking("coder"), "InternalServerError", 500, "a bug of the gateway")
    assert "RuntimeError" in caplog.text
    assert "test_middleware.py" in caplog.text
    assert "qqq" not in caplog.text


# what is no HTTP


async def talk(world: World, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.address.rpartition(":")[2]))
    writer.write(request)
    if b"Content-Length: 500" in request:
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    writer.close()
    await writer.wait_closed()
    return answer


BODY = b'{"messages": []}'


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_",
    [
        b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET @evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 16\r\n\r\n" + BODY,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: nine\r\n\r\n" + BODY,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n" + BODY,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer the-canary\x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer the-canary" + b"x" * 100_000 + b"\r\n\r\n",
        b"the-canary\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
    ids=range(12),
)
async def test_what_is_no_proper_request_gets_nowhere_and_is_not_quoted(world, request_, caplog):
    caplog.set_level(logging.DEBUG)
    async with world() as one:
        answer = await talk(one, request_)
        assert answer == b"" or answer.split(b" ", 2)[1][:1] == b"4"
        assert [server.asked for server in one.servers] == [[], [], []]
        async with aiohttp.ClientSession() as session, session.get(f"{one.address}/health") as health:
            assert health.status == 200
    assert "the-canary" not in caplog.text


@pytest.mark.slow
async def test_what_follows_a_request_is_a_request_of_its_own(world):
    async with world() as one:
        one.upstream.script = Reply(data=b"a")
        second = b"GET /v1/models/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        request = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc" + second
        answer = await talk(one, request)
        assert answer.count(b"HTTP/1.1 200") == 2
        assert [(asked.path, asked.data) for asked in one.upstream.asked] == [
            ("/v1/embeddings", b"abc"),
            ("/v1/models/x", b""),
        ]


def test_a_log_line_keeps_the_kind_of_error_only():
    record = logging.LogRecord("n", logging.ERROR, "", 0, "Error from %s", ("::1",), None)
    assert SecretFreeLogFilter().filter(record)
    assert record.getMessage() == "Error from ::1"
    record.exc_info = (ValueError, ValueError("the-canary"), None)
    assert SecretFreeLogFilter().filter(record)
    assert logging.Formatter().format(record) == "Error from ::1: ValueError"
