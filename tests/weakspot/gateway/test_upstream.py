"""Where a request goes, what goes with it, and connections that are used again."""

import contextlib
import socket

import aiohttp
import pytest
from aiohttp import connector
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from tests.servers import Reply, Server

from weakspot.access.adapters import note_client
from weakspot.access.client_keys import Client
from weakspot.config import load
from weakspot.gateway.upstream import GatewayError, Upstream


@pytest.fixture
def upstream_at(tmp_path):
    def made(address: str, *more: str) -> Upstream:
        return Upstream(load(tmp_path / "none.toml", [f"gateway.upstream={address}", *more]))

    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prefix", "path", "expected"),
    [
        ("/v1", "/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/", "/v1/models?a=b", "/v1/models?a=b"),
        ("/api/v1", "/v1/chat/completions", "/api/v1/chat/completions"),
        ("/openai/v2", "/v1/chat/completions", "/openai/v2/chat/completions"),
        ("", "/v1/chat/completions", "/chat/completions"),
        ("/v1", "/props", "/props"),
        ("/api/v1", "/props", "/api/props"),
        ("/v1", "/v10/x", "/v10/x"),
        ("/v1", "/v1/%2e%2e/a%2Fb", "/v1/%2e%2e/a%2Fb"),
        ("/v1", "//evil.example/x", "//evil.example/x"),
    ],
)
async def test_a_path_leads_to_the_server_wherever_its_own_begin(upstream_at, prefix, path, expected):
    async with Server(Reply(data=b"a")) as server:
        one = upstream_at(server.url + prefix)
        async with one.request("GET", path, {}) as answer:
            assert answer.status == 200
        await one.close()
        assert [asked.path for asked in server.asked] == [expected]


@pytest.mark.parametrize("path", ["@evil.example/", "http://evil.example/", ".evil.example/", "*", ""])
async def test_what_is_no_path_leads_nowhere(upstream_at, path):
    one = upstream_at("http://127.0.0.1:9")
    with pytest.raises(GatewayError, match="not a path"):
        async with one.request("GET", path, {}):
            pass
    await one.close()


def request(*headers: tuple[str, str]):
    return make_mocked_request("POST", "/", headers=CIMultiDict(headers))


CLIENT = [
    ("Authorization", "Bearer client"),
    ("X-Api-Key", "client"),
    ("Cookie", "client"),
    ("X-Request-Id", "7"),
    ("X-Weakspot-Consult", "sonnet"),
    ("Content-Length", "5"),
    ("Connection", "x-hop"),
    ("X-Hop", "1"),
]


def test_the_client_s_headers_go_on_but_for_the_connection_s_and_ours(upstream_at):
    found = upstream_at("http://localhost/v1").headers(request(*(one for one in CLIENT if one[0] != "X-Api-Key")))
    assert list(found.items()) == [CLIENT[0], CLIENT[3]]


@pytest.mark.parametrize(
    "shown",
    [
        ("X-Api-Key", "k"),
        ("Anthropic-Version", "2023-06-01"),
        ("Authorization", "Bearer sk-ant-x"),
        ("X-Own", "sk-ant-x"),
    ],
    ids=str,
)
def test_a_client_of_a_provider_has_no_key_passed_on(upstream_at, shown):
    keys = [("Authorization", "Bearer the-canary"), ("Api-Key", "the-canary"), ("X-Request-Id", "7")]
    found = upstream_at("http://localhost/v1").headers(request(*keys, shown))
    assert not {"Authorization", "Api-Key", "X-Api-Key"} & set(found)
    assert found["X-Request-Id"] == "7"
    assert all("sk-ant" not in value for value in found.values())


@pytest.mark.parametrize(
    ("address", "setting"),
    [
        ("http://u:p@localhost/v1", "gateway.model=m"),
        ("http://localhost/v1", "gateway.token_env=MINE"),
        ("http://localhost/v1", "gateway.listen=0.0.0.0:0"),
    ],
)
def test_a_key_that_is_not_for_the_server_is_not_passed_on(upstream_at, address, setting):
    found = upstream_at(address, setting).headers(request(("Authorization", "Bearer client"), ("X-Request-Id", "7")))
    assert list(found.items()) == [("X-Request-Id", "7")]


def test_a_key_of_a_named_client_is_not_passed_on_in_any_header(upstream_at):
    key = "wk-" + "A" * 43
    one = upstream_at("http://localhost/v1")
    odd = request(("Authorization", f"Bearer {key}"), ("X-Odd", f"see {key}."), ("X-Request-Id", "7"))
    assert list(one.headers(odd).items()) == [("X-Request-Id", "7")]
    named = request(("Authorization", "Bearer of-another-server"), ("X-Request-Id", "7"))
    note_client(named, Client(client="alice", sha256="0" * 64, timestamp="t"))
    assert list(one.headers(named).items()) == [("X-Request-Id", "7")]


def test_a_key_of_the_settings_replaces_the_client_s(upstream_at, monkeypatch):
    monkeypatch.setenv("LOCAL_KEY", " ours ")
    one = upstream_at("http://localhost/v1", "gateway.upstream_api_key_env=LOCAL_KEY")
    assert list(one.headers(request(*CLIENT)).items()) == [("X-Request-Id", "7"), ("Authorization", "Bearer ours")]
    assert one.json_headers(request(*CLIENT))["Authorization"] == "Bearer ours"
    plain = request(("Authorization", "Bearer client"), ("Api-Key", "client"))
    assert list(one.headers(plain).items()) == [("Authorization", "Bearer ours")]
    assert one.without_key(b"not ours, not ours") == b"not <API_KEY>, not <API_KEY>"


def test_what_the_gateway_asks_itself_has_no_key_of_the_client(upstream_at):
    found = upstream_at("http://localhost/v1").json_headers(request(*CLIENT))
    assert dict(found) == {"X-Request-Id": "7", "Content-Type": "application/json", "Accept-Encoding": "identity"}


@pytest.mark.slow
async def test_an_idle_connection_is_given_up_before_the_server_does_it(upstream_at, monkeypatch):
    """Servers close a connection after five seconds without a request: it must not be used just then."""
    seconds = 0.0
    monkeypatch.setattr(connector, "monotonic", lambda: seconds)
    async with Server(lambda asked: Reply(data=b"a")) as server:
        one = upstream_at(server.url)
        for pause in (0.0, 3.0, 5.0):
            seconds += pause
            async with one.request("POST", "/x", {}, b"b") as answer:
                await answer.read()
        await one.close()
    first, second, third = (asked.client for asked in server.asked)
    assert first == second != third


async def test_a_server_that_does_not_accept_in_time_is_an_error(upstream_at):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as waiting:
        for _ in range(4):  # whoever comes now waits for somebody to be accepted
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        full = upstream_at(f"http://127.0.0.1:{server.getsockname()[1]}", "gateway.connect_timeout_seconds=0.2")
        with pytest.raises(GatewayError, match="did not answer in time") as error:
            async with full.request("GET", "/x", {}):
                pass
        assert error.value.status == 504
        await full.close()


@pytest.mark.slow
async def test_names_of_models_are_known_for_a_minute_and_asked_for_anew_where_they_must_be_fresh(upstream_at):
    async with Server(models=("a", "b")) as server:
        one = upstream_at(f"{server.url}/v1")
        assert await one.models({}) == ["a", "b"]
        server.models = ("c",)
        assert await one.models({}) == ["a", "b"]
        assert await one.models({}, oldest_seconds=0) == ["c"]
        assert [await one.model_or_default(wanted, {}) for wanted in ("c", "other")] == ["c", "c"]
        server.models = ()
        assert await one.models({}, oldest_seconds=0) == []
        assert await one.model_or_default("other", {}) == "other"
        await one.close()


@pytest.mark.slow
async def test_a_password_in_the_server_s_address_is_sent_there_and_not_shown(world):
    async with world() as one, aiohttp.ClientSession() as session:
        address = one.upstream.url.replace("http://", "http://user:the-canary@")
        async with world(upstream=address) as other, session.get(f"{other.address}/v1/models") as got:
            assert got.status == 200
        assert one.upstream.asked[-1].headers["Authorization"].startswith("Basic ")
    async with world(upstream="http://user:the-canary@127.0.0.1:9") as one, aiohttp.ClientSession() as session:
        got = await session.get(f"{one.address}/v1/models")
        assert "the local model's server http://127.0.0.1:9/v1 is down" in await got.text()
