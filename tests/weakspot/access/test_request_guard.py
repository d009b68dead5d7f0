"""Who may call: decided from the facts of a request alone."""

import base64
import socket

import pytest

from weakspot.access.client_keys import Clients, add_client, remove_client
from weakspot.access.request_guard import FORM, Facts, Rules, find_client, find_refusal, is_loopback
from weakspot.settings import Gateway

PLAIN = Facts("POST", "/v1/chat/completions", "127.0.0.1:8787", None, None, (None,) * 3, "application/json", True)
TOKEN = "a-token-of-the-user-4f9Qz71"


def status_of(rules: Rules, **facts) -> int:
    refusal = find_refusal(rules, PLAIN._replace(**facts))
    return 200 if refusal is None else refusal.status


def rules(listen: str = "127.0.0.1:8787", **settings) -> Rules:
    return Rules.of(Gateway(**settings), listen, uploads=frozenset({"/v1/audio/transcriptions"}))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:8787", "127.0.0.1", "localhost", "LocalHost:1", "localhost.:8787", "[::1]:8787", "192.168.1.5"),
        *("machine.office.example", "MACHINE.office.example:8787", "box.lan", "BOX.lan:80", "listens.here:8787"),
        *("weakspot:8787", "a_container"),  # names that nobody else can own on the internet
        None,  # HTTP/1.0
    ],
)
def test_addresses_and_own_names_are_called(monkeypatch, host):
    monkeypatch.setattr(socket, "gethostname", lambda: "Machine.office.example")
    assert status_of(rules("listens.here:0", hosts=["box.lan"]), host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("", ":8787", "evil.example", "evil.example:8787", "127.0.0.1.evil.example", "localhost.evil.example"),
        *("evil.localhost", "127.0.0.1@evil.example", "[::1", "[evil]", "127.1", "2130706433", "0x7f000001"),
        *("localhost:99999999", "localhost evil", "localhost/evil", "box.lan.evil.example", "127.0.0.1, evil.example"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_every_other_name_is_refused(host, method):
    assert status_of(rules(hosts=["box.lan"]), host=host, method=method) == 421


@pytest.mark.parametrize("host", ["weakspot:8787", None])
def test_pages_are_called_by_no_bare_name(host):
    assert status_of(Rules.of_pages(Gateway(), "127.0.0.1:8787"), host=host, content_type=None) == 421


@pytest.mark.parametrize(
    ("origin", "site", "status"),
    [
        (None, None, 200),
        (None, "none", 200),
        (None, "same-origin", 200),
        (None, "cross-site", 403),
        (None, "same-site", 403),
        (None, "what-comes-next", 403),
        ("https://chat.example", "cross-site", 200),
        ("https://chat.example", None, 200),
        ("vscode-webview://0a1b", "cross-site", 200),
        ("https://chat.example.evil.example", "cross-site", 403),
        ("http://chat.example", "cross-site", 403),
        ("https://chat.example:8443", "cross-site", 403),
        ("http://127.0.0.1:8787", "same-origin", 403),
        ("http://localhost:3000", "same-site", 403),
        ("chrome-extension://0a1b", "none", 403),
        ("null", None, 403),
        ("", None, 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_only_listed_pages_call(origin, site, status, method):
    listed = rules(origins=["https://chat.example", "vscode-webview://*"])
    assert status_of(listed, origin=origin, fetch_site=site, method=method) == status
    assert origin is None or status_of(rules(), origin=origin, fetch_site=site, method=method) == 403


@pytest.mark.parametrize("bad", ["*", "https://*", "http://*", "https://a/b", "chat.example", "https://*.example", ""])
def test_an_origin_that_is_none_is_no_setting(bad):
    with pytest.raises(ValueError, match="write an origin as"):
        Gateway(origins=[bad])


def test_a_server_of_pages_is_called_by_its_own_only():
    pages = Rules.of_pages(Gateway(origins=["https://chat.example"]), "127.0.0.1:8789")
    own = {"host": "127.0.0.1:8789", "origin": "http://127.0.0.1:8789", "content_type": FORM}
    assert status_of(pages, **own, fetch_site="same-origin") == 200
    assert status_of(pages, **own, fetch_site="same-site") == 403
    assert status_of(pages, **own | {"origin": "http://127.0.0.1:8787"}) == 403
    assert status_of(pages, **own | {"origin": "https://chat.example"}) == 403
    assert status_of(pages, **own | {"content_type": "application/json"}) == 415
    assert status_of(pages, **own | {"content_type": None}) == 415


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ((f"Bearer {TOKEN}", None, None), 200),
        ((f"bearer {TOKEN}", None, None), 200),
        ((None, TOKEN, None), 200),
        ((None, None, TOKEN), 200),
        (("Bearer sk-of-a-provider", TOKEN, None), 200),
        ((None, None, None), 401),
        (("Bearer ", "", ""), 401),
        ((f"Basic {TOKEN}", None, None), 401),
        ((f"Bearer {TOKEN}x", TOKEN[:-1], "\udc80ä"), 401),
    ],
)
def test_a_token_is_asked_for_where_there_is_one(keys, status):
    with_token = Rules.of(Gateway(), "0.0.0.0:8787", TOKEN)
    assert status_of(with_token, keys=keys) == status
    assert status_of(with_token, keys=keys, method="GET", path="/health", has_body=False) == status
    assert status_of(rules(), keys=keys) == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        (None, 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/octet-stream", 415),
        ("application/jsonx", 415),
        ("", 415),
    ],
)
def test_bodies_are_json(content_type, status):
    assert status_of(rules(), content_type=content_type) == status
    assert status_of(rules(), content_type=content_type, has_body=False) == 200


def test_files_come_as_forms_where_the_protocol_has_them_so():
    assert status_of(rules(), content_type="multipart/form-data; boundary=x", path="/v1/audio/transcriptions") == 200


def test_a_browser_names_the_form_of_its_body():
    assert status_of(rules(), content_type=None, fetch_site="same-origin") == 415


def test_every_refusal_says_what_to_do():
    wrong = [{"host": "evil.example"}, {"origin": "null"}, {"content_type": "text/plain"}]
    messages = [find_refusal(rules(), PLAIN._replace(**one)).message for one in wrong]
    assert [any(word in line for word in ("[gateway]", "send it")) for line in messages] == [True] * 3


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "[::1]", "::1"])
def test_loopback_is_this_machine_s_alone(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "", "10.0.0.1", "example.org", "localhost.example.org"])
def test_what_is_not_loopback_others_reach(host):
    assert not is_loopback(host)


@pytest.fixture
def clients(tmp_path):
    """Two clients with a key each, in a workspace that a server watches."""
    file = tmp_path / "clients.jsonl"
    return file, {name: add_client(file, name) for name in ("alice", "bob")}


KEYS = {
    "Bearer {alice}": 200,
    "bearer {alice}": 200,
    "BEARER   {alice} ": 200,
    "{alice}": 200,
    "Bearer {alice}x": 401,
    "Bearer {alice} {alice}": 401,
    "Bearer {alice},{bob}": 401,
    "Token {alice}": 401,
    "Bearer wk-": 401,
    "Bearer wk-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": 401,
    "Bearer wk-ä\udc80": 401,
    "wk-of another": 401,
}


@pytest.mark.parametrize("token", ["", TOKEN])
@pytest.mark.parametrize(("header", "status"), KEYS.items())
@pytest.mark.parametrize("place", range(3))
def test_a_client_s_key_is_that_of_one_client_in_whatever_header(clients, token, header, status, place):
    file, keys = clients
    watching = Rules.of(Gateway(), "127.0.0.1:8787", token, clients=Clients(file))
    sent = tuple(header.format(**keys) if n == place else None for n in range(3))
    assert status_of(watching, keys=sent) == status
    assert status_of(watching, keys=sent, path="/health", method="GET", has_body=False) == status
    if status == 200:
        assert find_client(watching, PLAIN._replace(keys=sent)).client == "alice"


def test_without_a_key_all_is_as_it_was(clients):
    file, _ = clients
    near, far = (Rules.of(Gateway(), "127.0.0.1:8787", token, clients=Clients(file)) for token in ("", TOKEN))
    for keys in ((None,) * 3, ("Bearer sk-of-a-provider", "any text", None), ("", "", "")):
        assert (status_of(near, keys=keys), status_of(far, keys=keys)) == (200, 401)
        assert find_client(near, PLAIN._replace(keys=keys)) is None
    assert status_of(far, keys=(f"Bearer {TOKEN}",)) == 200


@pytest.mark.parametrize("user", ["", "x", "alice"])
def test_a_key_that_was_the_password_of_an_address_is_refused(clients, user):
    file, keys = clients
    watching = Rules.of(Gateway(), "127.0.0.1:8787", clients=Clients(file))
    sent = base64.b64encode(f"{user}:{keys['alice']}".encode()).decode()
    assert status_of(watching, keys=(f"Basic {sent}",)) == 401
    for other in (f"Basic {base64.b64encode(b'user:password').decode()}", "Basic", "Basic ä", "basic wk", "Basic =="):
        assert status_of(watching, keys=(other,)) == 200


def test_two_keys_are_one_client_s_or_refused(clients):
    file, keys = clients
    watching = Rules.of(Gateway(), "0.0.0.0:8787", TOKEN, clients=Clients(file))
    alice, bob = keys["alice"], keys["bob"]
    assert status_of(watching, keys=(f"Bearer {alice}", alice)) == 200
    assert status_of(watching, keys=(f"Bearer {alice}", bob)) == 401
    assert status_of(watching, keys=(f"Bearer {TOKEN}", f"wk-{TOKEN}")) == 401
    for sent in ((f"Bearer {TOKEN}", alice), ("Bearer sk-of-a-provider", alice)):
        assert status_of(watching, keys=sent) == 200
        assert find_client(watching, PLAIN._replace(keys=sent)).client == "alice"


def test_a_removed_key_is_refused_from_now_on(clients):
    file, keys = clients
    watching = Rules.of(Gateway(), "127.0.0.1:8787", clients=Clients(file))
    assert status_of(watching, keys=(keys["alice"],)) == 200
    remove_client(file, "alice")
    assert status_of(watching, keys=(keys["alice"],)) == 401
    assert status_of(watching, keys=(keys["bob"],)) == 200


def test_a_key_in_an_address_is_refused_whatever_else_is_sent(clients):
    file, keys = clients
    watching = Rules.of(Gateway(), "127.0.0.1:8787", clients=Clients(file))
    for place in ({"query": f"api_key={keys['alice']}"}, {"path": f"/v1/{keys['alice']}/models"}):
        for sent in ((None,), (f"Bearer {keys['alice']}",)):
            refusal = find_refusal(watching, PLAIN._replace(keys=sent, **place))
            assert refusal.status == 401
            assert "does not belong in an address" in refusal.message
            assert keys["alice"] not in refusal.message


def test_the_user_s_own_token_may_look_like_a_key(clients):
    file, _ = clients
    own = "wk-" + "own" * 10
    watching = Rules.of(Gateway(), "0.0.0.0:8787", own, clients=Clients(file))
    assert status_of(watching, keys=(f"Bearer {own}",)) == 200
    assert status_of(watching, keys=(f"Bearer {own}x",)) == 401


def test_a_page_that_asks_beforehand_sends_no_key(clients):
    file, _ = clients
    listed = Rules.of(Gateway(origins=["https://a.example"]), "0.0.0.0:1", TOKEN, clients=Clients(file))
    asked = {"method": "OPTIONS", "origin": "https://a.example", "has_body": False}
    assert status_of(listed, **asked, keys=(None,) * 3) == 200
