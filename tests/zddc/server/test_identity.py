from ipaddress import ip_network

import pytest

from zddc.server.guard import RefusedError
from zddc.server.identity import UNIX, Identity, Person
from zddc.server.tokens import TokenStore

HEADER = "x-auth-request-email"
SECRET = "a secret of the proxy"
PROXIES = tuple(map(ip_network, ("10.1.2.3", "192.168.7.0/24", "2001:db8::/64")))
TRUSTING = Identity(HEADER, PROXIES)
NAMED = Person("kim@acme.example", "header")

TAKEN = ["kim@acme.example", "KIM@Acme.Example", " kim@acme.example ", "kim@acme.example\t"]
AMBIGUOUS = [
    *([(HEADER, value)] for value in (
        "", " ", "kim", "@", "kim@", "@acme.example", "kim@acme@example", "kim@acme.example,lee@acme.example",
        "kim@acme.example, ", "Kim <kim@acme.example>", "<kim@acme.example>", '"kim"@acme.example', "kim @acme.example",
        "kim@acme.example lee", "mailto:kim@acme.example", "kim@acme.example;lee", "kim@acme.example\0",
        "kim@äcme.example",
        "kim\x1b@acme.example", "kim@acme.example/x", "kim@acme.example\\", "kim@[10.0.0.1]", "(x)kim@acme.example",
        "k" * 250 + "@acme.example", "kim@acme.example\xa0", "'kim'@acme.example",
    )),
    [(HEADER, "kim@acme.example"), (HEADER, "kim@acme.example")],
    [(HEADER, "kim@acme.example"), (HEADER, "lee@acme.example")],
    [(HEADER, ""), (HEADER, "kim@acme.example")],
    [("x_auth_request_email", "kim@acme.example")],
    [("x-auth_request-email", "kim@acme.example")],
    [("x.auth.request.email", "kim@acme.example")],
    [(HEADER, "kim@acme.example"), ("x_auth_request_email", "lee@acme.example")],
    [("x_auth_request_email", ""), (HEADER, "kim@acme.example")],
    [("x!auth-request-email", "kim@acme.example")],
    [("x-auth-request~email", "kim@acme.example")],
]  # fmt: skip
UNTRUSTED_PEERS = ["10.1.2.4", "127.0.0.1", "::1", "192.168.8.1", "2001:db8:0:1::1", UNIX, "", "nonsense", "10.1.2.3.4"]


def test_there_are_forty_variants():
    assert len(TAKEN) + len(AMBIGUOUS) >= 40


@pytest.mark.parametrize("value", TAKEN)
def test_a_trusted_proxy_names_a_person(value):
    assert TRUSTING.recognise([("host", "a"), (HEADER, value)], "10.1.2.3") == NAMED


def test_what_a_trusted_proxy_says_in_two_ways_is_refused():
    for fields in AMBIGUOUS:
        with pytest.raises(RefusedError):
            print(fields, TRUSTING.recognise(fields, "10.1.2.3"))


@pytest.mark.parametrize("peer", UNTRUSTED_PEERS)
def test_nobody_else_names_anybody(peer):
    for fields in [*([(HEADER, value)] for value in TAKEN), *AMBIGUOUS]:
        assert TRUSTING.recognise(fields, peer) == Person(None, "none", was_ignored=True), fields


@pytest.mark.parametrize("peer", ["10.1.2.3", "192.168.7.255", "2001:db8::9", "::ffff:10.1.2.3", "2001:db8::9%eth0"])
def test_peers_are_trusted_by_address(peer):
    assert TRUSTING.recognise([(HEADER, TAKEN[0])], peer) == NAMED


def test_a_trusted_proxy_that_names_nobody_asks_for_nobody():
    assert TRUSTING.recognise([("host", "a"), ("x-forwarded-email", "kim@acme.example")], "10.1.2.3") == Person(
        None, "none"
    )


def test_a_socket_file_is_trusted_only_where_it_is_said():
    assert Identity(HEADER, trusts_unix=True).recognise([(HEADER, TAKEN[0])], UNIX) == NAMED
    assert Identity(HEADER, trusts_unix=True).recognise([(HEADER, TAKEN[0])], "127.0.0.1").email is None


@pytest.mark.parametrize("sent", [[], ["wrong"], [""], [SECRET, SECRET], [SECRET, "wrong"], [f"{SECRET} "], ["ü"]])
def test_without_its_secret_a_proxy_is_refused(sent):
    identity = Identity(HEADER, PROXIES, secret=SECRET)
    for named in ([], [(HEADER, TAKEN[0])]):
        with pytest.raises(RefusedError, match="secret"):
            identity.recognise([*named, *(("x-zddc-proxy-secret", one) for one in sent)], "10.1.2.3")


def test_with_its_secret_a_proxy_names_a_person():
    identity = Identity(HEADER, PROXIES, secret=SECRET)
    assert identity.recognise([("x-zddc-proxy-secret", SECRET), (HEADER, TAKEN[0])], "10.1.2.3") == NAMED


def test_a_local_person_is_not_replaced_by_a_header():
    local = Identity(HEADER, local="kim@acme.example")
    assert local.recognise([], "127.0.0.1") == Person("kim@acme.example", "local")
    assert local.recognise([(HEADER, "lee@acme.example")], "127.0.0.1").email == "kim@acme.example"


@pytest.fixture
def tokens(tmp_path):
    return TokenStore(tmp_path / "tokens")


def test_a_token_names_a_person_from_anywhere(tokens):
    text, token = tokens.issue("kim@acme.example", 1)
    identity = Identity(HEADER, PROXIES, tokens=tokens)
    for peer in ("10.1.2.3", "127.0.0.1", UNIX):
        for scheme in ("Bearer", "bearer"):
            person = identity.recognise([("authorization", f"{scheme} {text}")], peer)
            assert person == Person("kim@acme.example", f"token:{token.id}")


@pytest.mark.parametrize(
    "sent", ["Bearer", "Bearer ", "Bearer x", "Bearer ../../etc/passwd", "bearer zddc_" + "A" * 43]
)
def test_a_token_that_is_none_is_not_nobody(tokens, sent):
    with pytest.raises(RefusedError) as refused:
        Identity(HEADER, PROXIES, tokens=tokens).recognise([("authorization", sent)], "127.0.0.1")
    assert refused.value.status == 401


def test_a_revoked_token_is_none(tokens):
    text, token = tokens.issue("kim@acme.example", 1)
    tokens.revoke(token.id)
    with pytest.raises(RefusedError):
        Identity(HEADER, tokens=tokens).recognise([("authorization", f"Bearer {text}")], "127.0.0.1")


def test_a_token_and_a_header_together_are_refused(tokens):
    sent = [("authorization", f"Bearer {tokens.issue('kim@acme.example', 1)[0]}"), (HEADER, "lee@acme.example")]
    identity = Identity(HEADER, PROXIES, tokens=tokens)
    with pytest.raises(RefusedError, match="both"):
        identity.recognise(sent, "10.1.2.3")
    assert identity.recognise(sent, "127.0.0.1").email == "kim@acme.example"


def test_other_ways_of_authorization_are_not_ours(tokens):
    identity = Identity(HEADER, PROXIES, tokens=tokens)
    assert identity.recognise([("authorization", "Basic a2lt"), (HEADER, TAKEN[0])], "10.1.2.3") == NAMED
