"""A secret is found in every form in which it is written, and replaced as it stands there."""

import base64
import json
import textwrap
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weakspot.redaction.redact import scrub
from weakspot.redaction.views import View, inner_views, without_invisible

# In parts, as no key may stand in a repository.
KEYS = {
    "github": "ghp_" + "aB3dE5gH7jK9mN1pQ2rS" + "4tU6vW8xY0zA1b2C",
    "anthropic": "sk-ant-" + "api03-x7Kq2mN9pL4vR8wT1yB6zD3fG5hJ" + "0cXa",
    "aws": "AKIA" + "Q3EGR7T2X9LMP4VN",
    "google": "AIza" + "SyB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1b",
    "slack": "xoxb-" + "2948571036482-7Kq2mN9pL4vR8wT1yB6z",
    "stripe": "sk_live_" + "9mN1pQ2rS4tU6vW8xY0zA1b2",
    "telegram": "7482910365:AA" + "F3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1b",
    "iban": "DE89 3704 0044 0532 0130 00",
}
# Without a form: found because it is known.
OWN = "correct horse 7 batteries"


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def in_tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(one)) for one in text)


FORMS = {
    "zero-width space": "\u200b".join,
    "soft hyphen": "\u00ad".join,
    "word joiner": "\u2060".join,
    "byte order mark": "\ufeff".join,
    "variation selector": "\ufe0f".join,
    "further variation selector": "\U000e0101".join,
    "language tag": "\U000e0001".join,
    "direction": lambda key: "\u202e" + "\u200f".join(key) + "\u202c",
    "control character": "\x08".join,
    "tags": in_tags,
    "base64": encode,
    "base64 without padding": lambda key: encode(key).rstrip("="),
    "base64 of more": lambda key: encode(f"user: ci\nkey: {key}\n"),
    "base64 after binary data": lambda key: base64.b64encode(bytes(range(128, 230)) + key.encode()).decode(),
    "url-safe base64": lambda key: base64.urlsafe_b64encode(f"??>>{key}".encode()).decode(),
    "wrapped base64": lambda key: "\n".join(textwrap.wrap(encode(f"to whom it may concern, {key} {key}"), 20)),
    "indented base64": lambda key: "\r\n    ".join(textwrap.wrap(encode(f"to whom it may concern: {key}"), 24)),
    "base64 behind a path": lambda key: f"/v1/a/{encode(key)}",
    "basic authentication": lambda key: f"Basic {encode(f'user:{key}')}",
    "data url": lambda key: f"data:text/plain;base64,{encode(key)}",
    "base64 twice": lambda key: encode(encode(key)),
    "hexadecimal": lambda key: key.encode().hex(),
    "capital hexadecimal": lambda key: key.encode().hex().upper(),
    "hexadecimal with 0x": lambda key: f"0x{key.encode().hex()}",
    "hexadecimal after a digit": lambda key: f"a{key.encode().hex()}",
    "bytes with colons": lambda key: key.encode().hex(":"),
    "bytes with spaces": lambda key: key.encode().hex(" "),
    "bytes of an array": lambda key: ", ".join(f"0x{byte:02x}" for byte in key.encode()),
    "escaped bytes": lambda key: "".join(f"\\x{byte:02x}" for byte in key.encode()),
    "octal bytes": lambda key: "".join(f"\\{byte:03o}" for byte in key.encode()),
    "percent": percent,
    "percent in part": lambda key: key[:2] + percent(key[2:6]) + key[6:],
    "percent twice": lambda key: percent(percent(key)),
    "percent of signs": lambda key: "?token=" + percent(key[3:5]).join((key[:3], key[5:])),
    "base64 of percent": lambda key: encode(percent(key)),
    "percent of base64": lambda key: urllib.parse.quote(encode(f"{key}~~~~{key}"), safe=""),
    "hexadecimal of base64": lambda key: encode(key).encode().hex(),
    "json escape": lambda key: "".join(f"\\u{ord(one):04x}" for one in key),
    "json escape in part": lambda key: f"\\u{ord(key[0]):04x}{key[1:]}",
    "json escape in json": lambda key: json.dumps("".join(f"\\u{ord(one):04x}" for one in key)),
    "long escape": lambda key: "".join(f"\\U{ord(one):08x}" for one in key),
    "escape in braces": lambda key: "".join(f"\\u{{{ord(one):x}}}" for one in key),
    "entities": lambda key: "".join(f"&#{ord(one)};" for one in key),
    "hexadecimal entities": lambda key: "".join(f"&#x{ord(one):X};" for one in key),
    "named entities": lambda key: key.replace("_", "&lowbar;").replace("4", "&#52;").replace(":", "&colon;"),
    "invisible in base64": lambda key: "\u200b".join(encode(key)),
    "base64 in a json string": lambda key: json.dumps("\n".join(textwrap.wrap(encode(f"key {key} {key}"), 24))),
}


def readable(text: str) -> str:
    """Return a text with all that a program could make plain of it."""
    plain = without_invisible(text)
    return "\n".join([text, plain.text, *(view.text for one in (plain, View(text)) for view in inner_views(one))])


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_key_is_found_in_every_form(form):
    for kind, key in KEYS.items():
        written = FORMS[form](key)
        value, counts = scrub(f"before ({written}) after")
        assert key not in readable(str(value)), (kind, value)
        assert counts, kind
        assert str(value).startswith("before (")
        assert str(value).endswith(") after")


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_that_is_known_is_found_in_every_form(form):
    value, counts = scrub(["x", f"before ({FORMS[form](OWN)}) after"], [OWN])
    assert OWN not in readable(str(value[1]))
    assert counts == {"api-key": 1}


@given(
    st.sampled_from(sorted(KEYS)),
    st.sampled_from(sorted(FORMS)),
    st.text(max_size=60),
    st.text(max_size=60),
)
@example("anthropic", "bytes of an array", "30", "")
@example("telegram", "bytes with colons", "", "30")
@example("anthropic", "bytes with spaces", "30", "")
def test_no_text_around_it_hides_a_form(kind, form, before, after):
    value = str(scrub(f"{before}\n\n{FORMS[form](KEYS[kind])}\n\n{after}").value)
    assert KEYS[kind] not in readable(value)


@given(st.text(min_size=8, max_size=40, alphabet=st.characters(codec="ascii", categories=("L", "N", "P"))), st.data())
def test_any_known_secret_is_found_in_any_form(secret, data):
    form = data.draw(st.sampled_from(sorted(FORMS)))
    value = str(scrub(f"({FORMS[form](secret)})", [secret]).value)
    assert secret not in readable(value)


def test_the_same_key_has_the_same_placeholder_in_every_form():
    key = KEYS["github"]
    texts = [key, encode(key), percent(key), "\u200b".join(key)]
    assert scrub(texts) == (["<API_KEY_1>"] * 4, {"api-key": 1})


def test_the_values_of_a_kubernetes_secret_go():
    key, manifest = KEYS["stripe"], "kind: Secret\ndata:\n  user: Y2k=\n  settings: {}\ntype: Opaque\n"
    assert scrub(manifest.format(encode(f"STRIPE={key}"))).value == manifest.format("<API_KEY_1>")


def test_only_the_escaped_characters_of_a_key_go():
    key = KEYS["github"]
    for written in (percent(key), key[:9] + percent(key[9:]), "".join(f"\\u{ord(one):04x}" for one in key)):
        assert scrub(f"{percent('a b')}={written}&c={percent('d')}").value == "%61%20%62=<API_KEY_1>&c=%64"


@pytest.mark.parametrize(
    "text",
    [
        *("commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "sha256:" + "9f86d081884c7d65" * 4),
        *("123e4567-e89b-12d3-a456-426614174000", "id=int_1735648200000_abc123", "sha512-" + encode("\x00\u00ff" * 30)),
        *("data:image/png;base64," + base64.b64encode(bytes(range(256)) * 9).decode(), "a=function(){return!0}" * 30),
        *("100%25 of %7Busers%7D", "C:\\new\\table\\u0041", "&lt;b&gt;&amp;nbsp;&notanentity;", "\\\\server\\x41\\001"),
        *(
            "سلام‌دوست",
            "👩‍👩‍👧‍👦 ❤️",
            "co\u00adoperate",
            "\ufeffa,b\n1,2",
            encode("just an ordinary sentence, nothing else"),
        ),
        *(
            "68 65 6c 6c 6f 20 77 6f 72 6c 64",
            "%" * 50,
            "\\" * 50,
            "&" * 50,
            "\u200b" * 50,
            "MAC 00:1b:63:84:45:e6:00:1b:63:84",
        ),
    ],
)
def test_what_is_no_secret_stays_as_it_is(text):
    assert scrub(text) == (text, {})


@given(
    # Of keys that are glued together each round may reveal the next, and there are five rounds.
    st.lists(
        st.sampled_from([*(FORMS[form](KEYS["github"]) for form in FORMS), " ", "x", "%41", "&amp;", "\u200b"]),
        max_size=4,
    )
)
def test_what_is_scrubbed_stays_as_it_is(parts):
    once = scrub("".join(parts))
    assert scrub(once.value) == (once.value, {})


@given(
    st.lists(st.sampled_from([("a", "a"), ("%41%42", "AB"), ("\\u0041", "A"), ("&amp;", "&"), ("\\x41\\x42", "AB")])),
    st.sampled_from(["\\u0053ECRET", "%53%45%43RET", "S&#69;CRET", "SECRET", "\\123ECRET"]),
    st.lists(st.sampled_from(["b", "%42", "\\n", "&#66;", "\u200b"])),
)
def test_a_place_in_a_view_leads_to_what_is_read_there(before, secret, after):
    text = "".join(one for one, _ in before) + " " + secret + " " + "".join(after)
    view = next(inner_views(without_invisible(text), depth=0), without_invisible(text))
    start = sum(len(plain) for _, plain in before) + 1
    assert view.text[start : start + 6] == "SECRET"
    first, last = view.original(start, start + 6)
    assert text[first:last] == secret


def test_a_text_without_anything_hidden_is_its_own_view():
    assert without_invisible("plain") == View("plain")
    assert list(inner_views(View("plain words only"))) == []
