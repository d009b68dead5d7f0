"""Keys are known by their form, whatever stands around them."""

import pytest

from weakspot.redaction.rules import spans
from weakspot.redaction.token_patterns import TOKEN_PATTERNS

# In parts, as no key may stand in a repository.
GITHUB = "ghp_" + "aB3dE5gH7jK9mN1pQ2rS" + "4tU6vW8xY0zA1b2C"
BODY = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" + "x3Yz0w/+Q=="] * 3)
HEADER, END = ("-----" + word + " PRIVATE KEY-----" for word in ("BEGIN", "END"))


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in spans(TOKEN_PATTERNS, text)]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "token={}",
        "'{}'",
        "https://{}@github.com",
        "我的令牌是{}。",
        r"a\n{}\n",
        "a%3D{}",
        "x_{}",
        r"\u003d{}",
        "({}),",
    ],
)
def test_a_key_is_found_between(text):
    assert found(text.format(GITHUB)) == [GITHUB]


def test_a_key_is_not_found_within_a_word():
    assert found("a" + GITHUB) == []


@pytest.mark.parametrize(
    "text", ["ghp_" + "x" * 36, "sk-your-key-goes-here-1234", "sk-[A-Za-z0-9]{48}", "AKIAIOSFODNN7" + "EXAMPLE"]
)
def test_what_stands_for_a_key_is_none(text):
    assert found(text) == []


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "])
def test_a_private_key_goes_from_header_to_end(kind):
    key = f"{HEADER}\n{BODY}\n{END}".replace("PRIVATE", f"{kind}PRIVATE")
    assert found(f"before\n{key}\nafter") == [key]


def test_a_private_key_that_was_cut_off_goes_as_far_as_its_lines():
    assert found(f"{HEADER}\n{BODY}\n[output truncated]") == [f"{HEADER}\n{BODY}"]


def test_a_private_key_may_have_escaped_line_ends():
    key = f"{HEADER}\n{BODY}\n{END}\n"
    for _ in range(3):
        key = key.replace("\\", "\\\\").replace("\n", "\\n")
        assert found(f'"{key}"') == [key]


def test_a_second_key_does_not_hide_behind_one_that_was_cut_off():
    first, second = f"{HEADER}\n{BODY}", f"{HEADER}\n{BODY}\n{END}"
    assert found(f"{first}\n\n...\n{second}") == [first, second]


@pytest.mark.parametrize(
    "text", [HEADER, f'pem.replace("{HEADER}", "").replace("{END}", "")', f"{HEADER}\nXXXX\n{END}"]
)
def test_lines_without_a_key_between_them_are_none(text):
    assert found(text) == []
