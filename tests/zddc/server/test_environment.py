import pytest

from zddc.errors import UserError
from zddc.server.environment import ALIASES, VARIABLES, check_environment, tls_of, variables_of


@pytest.mark.parametrize("name", ["ZDDC_OPA_URL", "ZDDC_OPA_FAIL_OPEN", "ZDDC_NO_AUTH", "ZDDC_APPS_PUBKEY"])
def test_what_the_original_has_and_this_server_has_not_is_named(name):
    with pytest.raises(UserError, match=rf"{name}: not supported here; .*docs/server\.md"):
        check_environment({name: "1"})


def test_other_names_of_the_original_count():
    assert variables_of("listen") == ["ZDDC_LISTEN", "ZDDC_ADDR"]
    assert variables_of("tls") == ["ZDDC_TLS"]
    check_environment(dict.fromkeys([*ALIASES.values(), "ZDDC_TLS_CERT", "ZDDC_INSECURE_DIRECT"], "1"))
    with pytest.raises(UserError, match="the same as ZDDC_LISTEN"):
        check_environment({"ZDDC_LISTEN": "127.0.0.1:1", "ZDDC_ADDR": "127.0.0.1:2"})


def test_an_unknown_one_names_the_nearest():
    for name in VARIABLES.values():
        with pytest.raises(UserError, match="did you mean"):
            check_environment({f"{name}S": "1"})


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, None),
        ({"ZDDC_TLS_CERT": "none"}, "none"),
        ({"ZDDC_TLS_CERT": "a.pem", "ZDDC_TLS_KEY": "b.pem"}, "a.pem,b.pem"),
        ({"ZDDC_TLS_CERT": ""}, None),
    ],
)
def test_the_certificate_and_its_key_may_be_given_apart(environment, found):
    assert tls_of(environment) == found


@pytest.mark.parametrize(("name", "other"), [("ZDDC_TLS_CERT", "ZDDC_TLS_KEY"), ("ZDDC_TLS_KEY", "ZDDC_TLS_CERT")])
def test_one_without_the_other_is_refused(name, other):
    with pytest.raises(UserError, match=f"{other}: missing"):
        tls_of({name: "a.pem"})
