"""Surroundings give a secret away: a name, a header, an address; and code only looks like it."""

import base64

import pytest

from weakspot.redaction.context_patterns import CONTEXT_PATTERNS, kind_under
from weakspot.redaction.rules import spans

KEY = "9f86d081884c7d65" + "9a2feaa0c55ad015"


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sorted({*spans(CONTEXT_PATTERNS, text)})]


@pytest.mark.parametrize(
    "text",
    [
        *("password = 'hunter2!'", 'password: "hunter2!"', '"password": "hunter2!"', r"{\"password\": \"hunter2!\"}"),
        *(
            'password: str = "hunter2!"',
            ':password => "hunter2!"',
            'cfg.Passwd := "hunter2!"',
            "the password is hunter2!",
        ),
        *(
            "DB_PASSWORD=hunter2!",
            "export DB_PASS='hunter2!'",
            "set -gx DB_PWD hunter2!",
            'setx DB_PASSWORD "hunter2!"',
        ),
        *("<password>hunter2!</password>", '<user password="hunter2!"/>', "login ci\n  password hunter2!"),
        *(
            "postgres://app:hunter2!@db/app",
            "redis://:hunter2!@cache",
            "curl -u ci:hunter2! x",
            "sshpass -p hunter2! ssh x",
        ),
        *("- name: DB_PASSWORD\n  value: hunter2!", '{"name": "PASSWORD", "value": "hunter2!"}', "密码：hunter2!"),
        *("IDENTIFIED BY 'hunter2!'", "ALTER ROLE app PASSWORD 'hunter2!'", "db:5432:app:app:hunter2!"),
    ],
)
def test_a_password_is_found_in(text):
    assert "hunter2!" in found(text)


@pytest.mark.parametrize(
    "text",
    [
        *("api_key = '{}'", "apiKey: {},", "X-Api-Key: {}", '"client_secret":"{}"', "SECRET_KEY={}", "?key={}&q=1"),
        *("Authorization: Bearer {}", "authorization: {}", "'Authorization': 'Token {}'", "bearer {}"),
        *("Cookie: lang=de; sid={}; theme=dark", "Set-Cookie: sid={}; Path=/", "os.environ['API_TOKEN'] = '{}'"),
    ],
)
def test_a_key_without_a_form_is_found_in(text):
    assert found(text.format(KEY)) == [KEY]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "password = get_password1()",
            "token = tokens1[0]",
            "password: str",
            "password=os.environ['PW1']",
            "pass1 = 'x1'",
        ),
        *(
            "token = self.token1",
            "password = config.password1",
            "if password == 'x': pass",
            "secret: !vault |",
            "token: 1",
        ),
        *("postgres://app:password@db/app", "postgres://app:$PW@db/app", "http://localhost:8080@x", "a://b:c/d@e"),
        *("-u 1000:1000", "mysql -p shop", "basic authentication", "Basic YWJjZGVm", "bearer token-authentication"),
        *("NextToken: " + KEY, "arn:aws:secretsmanager:eu:1:secret:" + "db-" + KEY, "etag: " + KEY, "sha256:" + KEY),
    ],
)
def test_what_only_looks_like_a_secret_stays(text):
    assert found(text) == []


def test_basic_authentication_is_a_name_and_a_password():
    credentials = base64.b64encode(b"ci:open sesame").decode()
    assert found(f"Authorization: Basic {credentials}") == [credentials]
    assert found(f'"auth": "{credentials}"') == [credentials]


@pytest.mark.parametrize("address", ["a.b@korvid.pl", "a_b+c@x.korvid.co.uk", "jürgen@müller.de", "x1@korvid.io"])
@pytest.mark.parametrize("text", ["{}", "<{}>", "mailto:{}.", r"\n{}\n", "请联系{}。", "_{}_", "'{}',", "?to={}&x"])
def test_an_e_mail_address_is_found_in(address, text):
    assert found(text.format(address)) == [address]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "git@github.com:a/b.git",
            "ssh://git@github.com/a",
            "https://jo@host.korvid.pl/",
            "root@web01.korvid.pl:/etc",
        ),
        *("a@example.com", "a@x.example.org", "a@mail.test", "a@b.invalid", "jo@localhost", "your.name@korvid.pl"),
        *("@app.route", "@types/node", "node@20.11.5", "logo@2x.png", "gopls@v0.14.2", "a @ b.de", "$TOKEN@github.com"),
    ],
)
def test_no_address_is_seen_in(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        *[("password", "hunter2!", "password"), ("DB_PASSWORD", "hunter2!", "password"), ("api-key", KEY, "api-key")],
        *[
            ("accessToken", KEY, "api-key"),
            ("password", "string", None),
            ("token_type", KEY, None),
            ("max_tokens", KEY, None),
        ],
        *[("token", "sentence", None), ("password", "at least 8 signs", None), ("id", KEY, None), ("", KEY, None)],
    ],
)
def test_a_key_tells_what_its_value_is(key, value, kind):
    assert kind_under(key, value) == kind
