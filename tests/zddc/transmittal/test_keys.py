"""Key files are those of spec/transmittal.json, and what is written is read back by its password alone."""

import errno
import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zddc.node import run_javascript
from tests.zddc.transmittal.made import SENDER, SPEC, THUMBPRINTS, by_rule

from zddc.errors import UserError
from zddc.transmittal.keys import (
    COMPATIBLE_ITERATIONS,
    ITERATIONS,
    KeyFileError,
    generate_key,
    open_key,
    parse_key_file,
    read_key_file,
    save_key_file,
    write_key,
)
from zddc.transmittal.signatures import public_jwk, thumbprint

FEW = 1000  # iterations: enough for the form, at once


@pytest.mark.parametrize("case", SPEC["key_files"], ids=by_rule)
def test_a_key_file_is_opened_or_refused(case):
    content = json.dumps(case["file"]).encode()
    if "thumbprint" in case:
        key = open_key(parse_key_file(content), case["password"])
        assert thumbprint(public_jwk(key.public_key())) == case["thumbprint"]
    else:
        with pytest.raises(KeyFileError) as caught:
            open_key(parse_key_file(content), case["password"])
        assert str(caught.value) == case["reason"]


def test_the_default_is_strong_and_the_other_number_is_what_others_take():
    assert (ITERATIONS, COMPATIBLE_ITERATIONS) == (600_000, 100_000)
    fields = json.loads(write_key(SENDER, "geheim"))
    assert (fields["iterations"], fields["encrypted"], fields["kdf"]) == (600_000, True, "PBKDF2-SHA256")
    assert "key" not in fields


# For PBKDF2 a password and the same with zeros behind it are one; nobody can type them.
typed = st.characters(codec="utf-8", exclude_characters="\0")


@given(st.text(typed, min_size=1, max_size=12), st.text(typed, max_size=12))
def test_its_password_opens_it_and_no_other(password, other):
    file = parse_key_file(write_key(SENDER, password, FEW))
    assert open_key(file, password).private_numbers() == SENDER.private_numbers()
    if other != password:
        with pytest.raises(KeyFileError, match="wrong"):
            open_key(file, other)


def test_two_files_of_one_key_share_no_salt():
    one, other = (json.loads(write_key(SENDER, "geheim", FEW)) for _ in range(2))
    assert {one[name] for name in ("salt", "iv", "ciphertext")}.isdisjoint(
        {other[name] for name in ("salt", "iv", "ciphertext")}
    )


def test_an_empty_password_is_refused_and_none_is_plain():
    with pytest.raises(ValueError, match="empty"):
        write_key(SENDER, "")
    assert json.loads(write_key(SENDER, None))["encrypted"] is False


def test_a_number_with_leading_zeros_is_written_whole():
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.derive_private_key(5, ec.SECP256R1())
    file = write_key(key, None)
    assert len(json.loads(file)["key"]["d"]) == 43
    assert open_key(parse_key_file(file)).private_numbers().private_value == 5


@pytest.mark.slow
def test_an_engine_with_web_crypto_opens_our_file_and_we_know_its_signature():
    code = """
    const { file, password } = given, { subtle } = globalThis.crypto, of = (text) => Buffer.from(text, "base64");
    const raw = await subtle.importKey("raw", new TextEncoder().encode(password), "PBKDF2", false, ["deriveKey"]);
    const pbkdf2 = { name: "PBKDF2", hash: "SHA-256", salt: of(file.salt), iterations: file.iterations };
    const wrap = await subtle.deriveKey(pbkdf2, raw, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
    const jwk = await subtle.decrypt({ name: "AES-GCM", iv: of(file.iv) }, wrap, of(file.ciphertext));
    const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const key = await subtle.importKey("jwk", JSON.parse(Buffer.from(jwk).toString()), ecdsa, false, ["sign"]);
    answer = Buffer.from(await subtle.sign(ecdsa, key, Buffer.from("data"))).toString("hex");
    """
    from zddc.transmittal.signatures import is_raw_signature

    key = generate_key()
    given = {"file": json.loads(write_key(key, "Grüße", COMPATIBLE_ITERATIONS)), "password": "Grüße"}
    assert is_raw_signature(key.public_key(), bytes.fromhex(run_javascript(code, given)), b"data")


@given(st.dictionaries(st.sampled_from(["format", "encrypted", "publicFingerprint", "key", "salt", "iv", "kdf"]),
                       st.none() | st.booleans() | st.text(max_size=5) | st.just("zddc-signing-key-v1")))  # fmt: skip
def test_any_object_is_a_key_file_or_refused(fields):
    try:
        open_key(parse_key_file(json.dumps(fields).encode()), "x")
    except KeyFileError:
        return
    raise AssertionError("no such object holds a key")


@given(st.binary(max_size=30))
def test_any_bytes_are_refused(content):
    with pytest.raises(KeyFileError):
        parse_key_file(content)


def test_a_file_that_is_too_large_is_refused():
    with pytest.raises(KeyFileError, match="64 KiB"):
        parse_key_file(b" " * 70_000)


def test_only_its_owner_can_read_a_key_file_and_none_is_overwritten(tmp_path):
    file = tmp_path / "acme.zddc-key"
    save_key_file(file, write_key(SENDER, "geheim", FEW))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(UserError, match="there already"):
        save_key_file(file, b"")
    assert read_key_file(file).fingerprint == THUMBPRINTS[0][:12]


def test_what_is_no_key_file_is_one_line(tmp_path):
    file = tmp_path / "key"
    file.write_text("{}")
    with pytest.raises(UserError, match="the format is not"):
        read_key_file(file)


def test_a_key_file_is_whole_or_not_there(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"acme\.zddc-key"):
        save_key_file(tmp_path / "acme.zddc-key", b"{}")
    assert list(tmp_path.iterdir()) == []
