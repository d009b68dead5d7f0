"""Secrets of a record are replaced, each by the same placeholder everywhere, and nothing else is touched."""

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.redaction.redact import scrub, scrub_text

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
ROOT = Path(__file__).parents[3]
# In parts, as no key may stand in a repository.
GITHUB = "ghp_" + "aB3dE5gH7jK9mN1pQ2rS" + "4tU6vW8xY0zA1b2C"
TOKEN = "9f86d081884c7d65" + "9a2feaa0c55ad015"
MAIL = "t.wierzba@korvid.pl"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
)


def test_every_string_of_a_record_is_scrubbed():
    record = {
        "messages": [
            {"role": "user", "content": f"my key is {GITHUB}", "name": GITHUB},
            {
                "role": "user",
                "content": [{"type": "text", "text": GITHUB}, {"type": "image_url", "image_url": {"url": "data:"}}],
            },
            {
                "role": "assistant",
                "tool_calls": [{"id": "call_1", "function": {"name": "sh", "arguments": {"a": [{"b": GITHUB}]}}}],
            },
            {
                "role": "assistant",
                "tool_calls": [{"id": "call_2", "function": {"name": "sh", "arguments": json.dumps({"a": GITHUB})}}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": json.dumps({"out": f"x\n{GITHUB}\n"})},
        ],
        "metadata": {"note": GITHUB, "tags": [GITHUB], "seconds": 1.5},
    }
    value, counts = scrub(record)
    assert value == json.loads(json.dumps(record).replace(GITHUB, "<API_KEY_1>"))
    assert counts == {"api-key": 1}


def test_our_own_metadata_stays_and_that_of_others_does_not():
    ours = dict.fromkeys(("interaction_id", "timestamp", "conversation_id", "domain", "adapter", "source"), MAIL)
    assert scrub({"metadata": {**ours, "author": MAIL}}).value == {"metadata": {**ours, "author": "<EMAIL_1>"}}
    assert scrub({"messages": [{"metadata": {"source": MAIL}}]}).value == {
        "messages": [{"metadata": {"source": "<EMAIL_1>"}}]
    }


def test_the_same_secret_has_the_same_placeholder_with_and_without_its_context():
    texts = [f"what is {TOKEN}?", f"Authorization: Bearer {TOKEN}", f"token={GITHUB} not {TOKEN}"]
    assert scrub(texts).value == [
        "what is <TOKEN_1>?",
        "Authorization: Bearer <TOKEN_1>",
        "token=<API_KEY_1> not <TOKEN_1>",
    ]


def test_placeholders_are_numbered_by_kind_as_they_appear():
    value, counts = scrub(f"a@korvid.pl b@korvid.pl {GITHUB} b@korvid.pl a@korvid.pl")
    assert value == "<EMAIL_1> <EMAIL_2> <API_KEY_1> <EMAIL_2> <EMAIL_1>"
    assert counts == {"e-mail": 2, "api-key": 1}


def test_numbers_go_on_where_a_text_has_placeholders():
    assert scrub(["see <EMAIL_7>", MAIL]) == (["see <EMAIL_7>", "<EMAIL_8>"], {"e-mail": 1})


def test_a_private_key_is_the_same_in_lines_and_escaped():
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" + "x3Yz0w/+Q=="
    key = "\n".join(["-----BEGIN " + "PRIVATE KEY-----", body, body, "-----END " + "PRIVATE KEY-----"])
    assert scrub([key, json.dumps({"key": key})]).value == ["<PRIVATE_KEY_1>", '{"key": "<PRIVATE_KEY_1>"}']


def test_a_word_that_served_as_a_password_stays_elsewhere():
    value = scrub(["postgres://app:production@db/app", "Is it production?"]).value
    assert value == ["postgres://app:<PASSWORD_1>@db/app", "Is it production?"]


@pytest.mark.parametrize(
    ("value", "scrubbed"),
    [
        ({"password": "hunter2!", "user": "hunter2?"}, {"password": "<PASSWORD_1>", "user": "hunter2?"}),
        ({"headers": {"x-api-key": TOKEN}}, {"headers": {"x-api-key": "<API_KEY_1>"}}),
        ({"headers": {"Cookie": f"a=b; sid={TOKEN}"}}, {"headers": {"Cookie": "a=b; sid=<TOKEN_1>"}}),
        ([{"name": "Authorization", "value": TOKEN}], [{"name": "Authorization", "value": "<TOKEN_1>"}]),
        ({"password": {"type": "string"}, "token": 12345678}, {"password": {"type": "string"}, "token": 12345678}),
        ({GITHUB: "a key stays"}, {GITHUB: "a key stays"}),
    ],
)
def test_a_telling_key_makes_a_secret_of_its_value(value, scrubbed):
    assert scrub(value).value == scrubbed


def test_known_secrets_go_wherever_they_stand():
    known = {"TEACHER_KEY": "plain words", "OTHER": "plain words and more", "SHORT": "is"}
    value, counts = scrub(["This is plain words and more.", "xplain wordsx"], known)
    assert value == ["This is <API_KEY_1>.", "x<API_KEY_2>x"]
    assert counts == {"api-key": 2}
    assert scrub("xplain wordsx", ["plain words"]).value == "x<API_KEY_1>x"


def test_a_placeholder_is_never_hit():
    text = "see <API_KEY_1>, PASSWORD=aB3<EMAIL_1>xY7!"
    assert scrub(text, ["API_KEY_1", "PASSWORD=aB3<EMAIL"]) == (text, {})


def test_a_line_of_a_log_is_scrubbed():
    assert scrub_text(f"401 for {GITHUB}: plain words", ["plain words"]) == "401 for <API_KEY_1>: <API_KEY_2>"


def test_our_specification_has_nothing_to_scrub():
    for file in (ROOT / "spec").glob("*.json"):
        text = file.read_text(encoding="utf-8")
        assert scrub(text) == (text, {})
        assert scrub(json.loads(text)) == (json.loads(text), {})


@pytest.mark.slow
def test_of_600_real_interactions_only_addresses_go(real_interactions):
    """Each of the three was looked at: they are addresses of e-mail, and nothing else is a secret."""
    found = [scrub(json.loads(line)).counts for line in real_interactions.read_text(encoding="utf-8").splitlines()]
    assert len(found) >= 600
    assert {kind for counts in found for kind in counts} == {"e-mail"}
    assert sum(map(bool, found)) == 1


def test_the_value_given_is_not_changed():
    value = {"a": [MAIL]}
    scrub(value)
    assert value == {"a": [MAIL]}


@given(JSON)
def test_without_a_secret_nothing_changes(value):
    scrubbed, counts = scrub(value)
    assert counts or scrubbed == value


@given(
    JSON, st.sampled_from([GITHUB, MAIL, f"Authorization: Bearer {TOKEN}", "password='hunter2!'", "a://b:hunter2!@c/d"])
)
def test_json_in_a_string_is_json_afterwards(value, secret):
    scrubbed = scrub(json.dumps({"before": secret, "value": value, "after": secret})).value
    assert json.loads(str(scrubbed))["value"] == value
    assert not any(one in str(scrubbed) for one in (GITHUB, MAIL, TOKEN, "hunter2!"))


@given(
    st.lists(
        st.sampled_from(
            [GITHUB, MAIL, "password=", "aB3$xY7!", "token: ", '"', "'", " ", "\n", "@", "://", ":", "<", ">", "\\"]
        ),
        max_size=12,
    )
)
def test_what_is_scrubbed_stays_as_it_is(parts):
    once = scrub("".join(parts))
    assert scrub(once.value) == (once.value, {})


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["a", "@", "A=", "-----BEGIN ", "%", "\u200b", "Zm9vYmFy", "\\", "DE89 3704 "])
def test_half_a_megabyte_of_one_thing_is_read(unit):
    """With steps that grow as the square of the length it would take hours."""
    text = unit * ((2_000_000 if SOAK else 500_000) // len(unit))
    assert scrub(text) == (text, {})


# Each makes one of the rules try as much as it can, at every place.
ADVERSARIAL = [
    *(
        "-----BEGIN " + "PRIVATE KEY-----",
        "sk-",
        "a@b.co+",
        "password=",
        'token="',
        "cookie: ",
        "eyJabcdefgh123.",
        "://a:",
    ),
    *(
        "set a_",
        "mysql -p",
        "password\\",
        "authorization: ",
        "<API_KEY_1>",
        "glpat-",
        "password=aB3$%xyz ",
        "name: token\nvalue: ",
    ),
    # And these the decoders.
    *("%2541", "a\u200b", "&#65;", "\\\\u0041x", "&amp;amp;", "SUNBZ0lDQWc", "aGVsbG8gd29ybGQ ", "67 68 ", "0x67,"),
    *("aGVsbG8gd29ybGQh\n", "68656c6c6f20776f726c64 ", "DE89 3704 0044 0532 0130 0", "\U000e0041x"),
]


def calls_to_scrub(text: str) -> int:
    """Return how many functions are called, also those of the interpreter such as a pattern's match."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        scrub(text)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.slow
@pytest.mark.parametrize("unit", ADVERSARIAL)
def test_the_work_grows_with_the_text_and_no_faster(unit):
    """Each pattern has a bound, as test_rules.py shows, so what can grow is the number of calls."""
    scrub(unit * 100)
    few, many = (calls_to_scrub(unit * (size // len(unit))) for size in (25_000, 200_000))
    # Eight times the text: 64 times the calls if they grew with the square.
    assert 1000 < many < 10 * few
