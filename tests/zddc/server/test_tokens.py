"""A token works until it expires or is revoked, and the store does not hold it."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta

import pytest

from zddc.errors import UserError
from zddc.server import tokens
from zddc.server.tokens import Token, TokenError, TokenStore

NOW = datetime(2026, 11, 29, 5, tzinfo=UTC)
KIM = "kim@acme.example"


@pytest.fixture
def store(tmp_path):
    return TokenStore(tmp_path / ".zddc.d" / "tokens", lambda: NOW)


def later(store, **time):
    """Return the same store, so much later."""
    return TokenStore(store.folder, lambda: NOW + timedelta(**time))


def test_a_token_says_for_whom_it_was_made(store):
    text, token = store.issue("Kim@Acme.example", 90, "nightly copy")
    assert store.find(text) == token
    assert token == Token(token.id, KIM, NOW, NOW + timedelta(days=90), "nightly copy")
    assert later(store, days=89, hours=23).find(text) == token


def test_a_token_that_has_expired_is_refused(store):
    text, token = store.issue(KIM, 1)
    with pytest.raises(TokenError, match=f"{token.id} has expired"):
        later(store, days=1).find(text)


def test_a_token_that_was_revoked_is_refused_at_once_and_others_stay(store):
    (text, token), (other, _) = store.issue(KIM, 90), store.issue(KIM, 90)
    store.revoke(token.id)
    with pytest.raises(TokenError, match=f"{token.id} is unknown"):
        store.find(text)
    assert store.find(other).email == KIM
    with pytest.raises(UserError, match="no such token; see 'zddc token list'"):
        store.revoke(token.id)


def test_a_power_cut_brings_no_token_back_that_was_revoked(store, monkeypatch):
    _, token = store.issue("kim@acme.example", 1)
    synced = []
    monkeypatch.setattr(tokens, "sync_folder", lambda _folder: synced.append([*store.folder.iterdir()]))
    store.revoke(token.id)
    assert synced == [[]]


def test_what_is_no_token_is_refused(store):
    text, token = store.issue(KIM, 90)
    spelled = [
        "",
        "x",
        text[:-1],
        f"{text}=",
        f" {text}",
        f"{text}\n",
        text.upper(),
        token.id,
        "zddc_" + "../" * 14 + "x",
    ]
    spelled += [file.name for file in store.folder.iterdir()]
    for one in spelled:
        with pytest.raises(TokenError, match=r"malformed|unknown"):
            store.find(one)
    with pytest.raises(TokenError, match="unknown"):
        TokenStore(store.folder / "nowhere").find(text)


def test_the_store_holds_no_token_and_only_its_owner_reads_it(store):
    old = os.umask(0)
    try:
        texts = [store.issue(KIM, 90, "note")[0] for _ in range(3)]
    finally:
        os.umask(old)
    files = list(store.folder.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    held = b"".join(file.name.encode() + file.read_bytes() for file in files)
    for text in texts:
        secret = text.removeprefix("zddc_").encode()
        assert not any(secret[start : start + 8] in held for start in range(len(secret) - 7))


@pytest.mark.parametrize("who", ["file", "folder"])
def test_a_token_that_others_might_have_written_is_refused(store, who):
    text, token = store.issue(KIM, 90)
    (store.folder if who == "folder" else next(store.folder.iterdir())).chmod(0o722 if who == "folder" else 0o620)
    with pytest.raises(TokenError, match=f"{token.id} is not to be trusted"):
        store.find(text)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "00000000"}, "is the file of another token"),
        ({"email": "nobody"}, "exactly one '@'"),
        ({"email": 3}, "exactly one '@'"),
        ({"expires": "2027"}, "does not match format"),
        ({"expires": None}, "must be str"),
    ],
)
def test_a_damaged_file_is_no_token_and_can_be_revoked(store, change, reason):
    text, token = store.issue(KIM, 90)
    file = next(store.folder.iterdir())
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(TokenError, match=f"{token.id} is damaged: .*{reason}"):
        store.find(text)
    assert [type(one) for one in store.tokens()] == [TokenError]
    store.revoke(token.id)
    assert list(store.tokens()) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"null"])
def test_a_file_that_holds_no_token_is_damaged(store, content):
    text, _ = store.issue(KIM, 90)
    next(store.folder.iterdir()).write_bytes(content)
    with pytest.raises(TokenError, match="is damaged"):
        store.find(text)


def test_a_link_or_a_folder_in_the_store_is_no_token(store, tmp_path):
    text, _ = store.issue(KIM, 90)
    file = next(store.folder.iterdir())
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TokenError, match="cannot be read"):
        store.find(text)
    file.unlink()
    file.mkdir()
    with pytest.raises(TokenError, match="cannot be read"):
        store.find(text)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (("kim", 90, ""), "does not hold exactly one '@'"),
        ((KIM, 0, ""), "0 is out of range; give 1 to 3650"),
        ((KIM, 3651, ""), "3651 is out of range"),
        ((KIM, 90, "a\nb"), "not only readable characters"),
        ((KIM, 90, "x" * 201), "too long"),
    ],
)
def test_what_cannot_be_issued_has_a_reason(store, given, problem):
    with pytest.raises(UserError, match=problem):
        store.issue(*given)
    assert not store.folder.exists()


def test_tokens_are_listed_by_when_they_expire(store):
    issued = [store.issue(KIM, days)[1] for days in (30, 10, 20)]
    assert [token.expires for token in store.tokens()] == sorted(token.expires for token in issued)
