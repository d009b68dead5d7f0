from pathlib import Path

import pytest

from zddc.errors import UserError
from zddc.server.environment import DIRECT, VARIABLES, check_environment
from zddc.server.settings import Address, Given, make_settings

OPEN = {"listen": "0.0.0.0:8443", "audit_log": "off"}
PROXY = {"trusted_proxy": ["10.1.2.3"], "audit_log": "off"}
SOCKET = {"listen": "unix:/run/zddc.sock", "audit_log": "off"}


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / ".zddc").write_text('acl: {allow: ["*"]}\n')
    return tmp_path


def made(root, environment=None, **given):
    return make_settings(Given(root, **given), environment or {})


def test_alone_the_person_is_local_the_audit_on_standard_error_and_nothing_written(root):
    settings = made(root, as_email="Kim@Acme.example")
    assert (settings.identity.local, settings.tls, settings.audit_log) == ("kim@acme.example", "none", "-")
    assert settings.listen == Address("127.0.0.1", 8443)
    assert [file.name for file in root.iterdir()] == [".zddc"]


def test_otherwise_it_is_encrypted_and_the_audit_below_the_root(root):
    settings = made(root)
    assert (settings.tls, settings.identity.local) == ("self-signed", None)
    assert Path(settings.audit_log).parent == root / ".zddc.d" / "logs"


def test_behind_a_proxy_on_a_socket_file(root):
    settings = made(root, trusted_proxy=["unix"], **SOCKET)
    assert settings.identity.trusts_unix
    assert (settings.tls, settings.identity.header) == ("none", "x-auth-request-email")
    assert str(settings.listen) == "unix:/run/zddc.sock"


def test_behind_a_proxy_elsewhere(root):
    settings = made(root, **OPEN, trusted_proxy=["10.1.2.3", "10.0.0.0/8", "2001:db8::/32"], email_header="X-Email")
    assert [str(one) for one in settings.identity.networks] == ["10.1.2.3/32", "10.0.0.0/8", "2001:db8::/32"]
    assert settings.identity.header == "x-email"


REFUSALS = {
    "a network wider than /8": ({**PROXY, "trusted_proxy": ["10.0.0.0/7"]}, "too many addresses"),
    "every address": ({**PROXY, "trusted_proxy": ["0.0.0.0/0"]}, "too many addresses"),
    "a network wider than /32": ({**PROXY, "trusted_proxy": ["2001::/16"]}, "too many addresses"),
    "every address of IPv6": ({**PROXY, "trusted_proxy": ["::/0"]}, "too many addresses"),
    "a proxy that is a name": ({**PROXY, "trusted_proxy": ["proxy.example"]}, "does not appear to be"),
    "a network with host bits": ({**PROXY, "trusted_proxy": ["10.1.2.3/24"]}, "has host bits set"),
    "a trusted socket on a port": ({**PROXY, "trusted_proxy": ["unix"]}, "listens on a port"),
    "a trusted address on a socket": ({**SOCKET, "trusted_proxy": ["127.0.0.1"]}, "no peer on a socket file"),
    "a header that nobody may send": ({"email_header": "X-Email"}, "no proxy is trusted"),
    "a header with a blank": ({**PROXY, "email_header": "X Email"}, "no name of a header"),
    "a header with an underscore": ({**PROXY, "email_header": "X_Email"}, "no name of a header"),
    "a secret that nobody may send": ({"proxy_secret_file": Path("secret")}, "no proxy is trusted"),
    "a secret that is not there": ({**PROXY, "proxy_secret_file": Path("no-such-secret")}, "cannot be read: no such"),
    "a secret that is empty": ({**PROXY, "proxy_secret_file": Path("/dev/null")}, "not a secret"),
    "a person and a proxy": ({"as_email": "kim@acme.example", **PROXY}, "would be this person"),
    "a person on a socket": ({"as_email": "kim@acme.example", **SOCKET}, "would be this person"),
    "a person for others": ({"as_email": "kim@acme.example", **OPEN, "public": True}, "would be this person"),
    "a person without an address": ({"as_email": "kim"}, "exactly one '@'"),
    "an empty person": ({"as_email": ""}, "exactly one '@'"),
    "everybody without a proxy": (OPEN, "nobody says who they are"),
    "plain HTTP for others": ({**OPEN, **PROXY, "tls": "none"}, "heard and changed"),
    "half a certificate": ({"tls": "cert.pem"}, "not two files"),
    "a host that is a name": ({"listen": "archive.example:8443"}, "not an address and a port"),
    "a port that is none": ({"listen": "127.0.0.1:70000"}, "not an address and a port"),
    "no port": ({"listen": "127.0.0.1"}, "not an address and a port"),
    "a socket by a short path": ({"listen": "unix:zddc.sock"}, "not the full path"),
    "an origin that is none": ({"cors_origin": ["tools.example"]}, "not an origin"),
    "an origin with a path": ({"cors_origin": ["https://tools.example/a"]}, "not an origin"),
    "the origin of everybody": ({"cors_origin": ["*"]}, "not an origin"),
    "metrics on a socket": ({"metrics_listen": "unix:/run/metrics.sock"}, "on a port only"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_it_does_not_start_with(root, what):
    given, reason = REFUSALS[what]
    with pytest.raises(UserError, match=reason) as refused:
        made(root, **given)
    assert "\n" not in str(refused.value)
    assert refused.value.remedy


def test_what_is_handed_in_has_a_limit_or_is_not_taken(root):
    assert made(root).most_bytes == 4 * 1024**3
    assert made(root, max_file_bytes=10).most_bytes == 10
    assert made(root, max_file_bytes=10, drop=False).most_bytes == 0
    assert made(root, cors_origin=["https://Tools.example"]).origins == {"https://tools.example"}


def test_the_variables_of_the_original_give_the_certificate(root):
    assert made(root, {"ZDDC_TLS_CERT": "none"}).tls == "none"
    assert made(root, {"ZDDC_TLS_CERT": "a", "ZDDC_TLS_KEY": "b"}).tls == (Path("a"), Path("b"))
    assert made(root, {"ZDDC_TLS_CERT": "none"}, tls="self-signed").tls == "self-signed"
    with pytest.raises(UserError, match="heard and changed"):
        made(root, {"ZDDC_TLS_CERT": "none"}, **OPEN, trusted_proxy=["10.1.2.3"])


def test_for_others_plain_http_has_to_be_meant(root):
    assert made(root, {DIRECT: "1"}, **OPEN, trusted_proxy=["10.1.2.3"], tls="none").tls == "none"


def test_without_rules_it_is_for_this_machine_only(tmp_path):
    assert not made(tmp_path).has_rules
    with pytest.raises(UserError, match="no rule file"):
        made(tmp_path, **OPEN, trusted_proxy=["10.1.2.3"])
    assert made(tmp_path, **OPEN, public=True).is_public


@pytest.mark.parametrize(("name", "problem"), [("none", "no such folder"), (".zddc", "not a folder")])
def test_the_root_is_a_folder(root, name, problem):
    with pytest.raises(UserError, match=problem):
        made(root / name)


def test_where_the_audit_goes_is_asked_when_the_root_cannot_be_written(root, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UserError, match="audit cannot be written"):
        made(root)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("ZDDC_LISTN", "did you mean ZDDC_LISTEN"),
        ("ZDDC_TRUSTED_PROXIES", "did you mean ZDDC_TRUSTED_PROXY"),
        ("ZDDC_WHATEVER", "zddc serve --help"),
    ],
)
def test_an_unknown_variable_is_no_silent_wish(name, remedy):
    with pytest.raises(UserError, match=remedy):
        check_environment({"HOME": "/", **dict.fromkeys(VARIABLES.values(), ""), name: "1"})
