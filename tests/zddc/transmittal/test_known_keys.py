"""Known keys are read strictly, and give a verdict as spec/transmittal.json says."""

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zddc.transmittal.made import SPEC, THUMBPRINTS, by_rule, document

from zddc.errors import UserError
from zddc.transmittal import known_keys
from zddc.transmittal.data import check_data, text_of
from zddc.transmittal.known_keys import (
    KnownKey,
    KnownKeysError,
    format_keyring,
    is_day,
    judge,
    keyring_file,
    parse_keyring,
    read_keyring,
    trust,
)
from zddc.transmittal.signatures import check_signatures


@pytest.mark.parametrize("case", SPEC["verdicts"], ids=by_rule)
def test_a_signature_has_a_verdict(case):
    transmittal = check_data(document(case["document"]))
    keys = parse_keyring(json.dumps(case["known_keys"]).encode())
    signature = check_signatures(transmittal).signatures[0]
    judgement = judge(signature, keys, text_of(transmittal.envelope, "digestedAt"))
    assert (judgement.verdict, judgement.name, judgement.reason) == (case["verdict"], case["name"], case["reason"])


@pytest.mark.parametrize("case", SPEC["malformed_known_keys"], ids=by_rule)
def test_a_file_that_is_wrong_is_refused(case):
    with pytest.raises(KnownKeysError) as caught:
        parse_keyring(json.dumps(case["known_keys"]).encode())
    assert str(caught.value) == case["reason"]


@given(st.binary(max_size=40))
def test_any_bytes_are_refused(content):
    with pytest.raises(KnownKeysError):
        parse_keyring(content)


@given(
    st.lists(
        st.builds(
            KnownKey,
            st.from_regex("[0-9a-f]{64}", fullmatch=True),
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
            st.dates().map(str) | st.just(""),
            st.dates().map(str) | st.just(""),
        ),
        unique_by=lambda key: key.thumbprint,
        max_size=4,
    )
)
def test_what_is_written_is_read_back(keys):
    assert parse_keyring(format_keyring(keys)) == tuple(keys)


def test_a_key_is_added_changed_and_found(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = keyring_file()
    assert read_keyring(file) == ()
    trust(file, KnownKey(THUMBPRINTS[0], "Acme"))
    trust(file, KnownKey(THUMBPRINTS[1], "Pipe-Co"))
    trust(file, KnownKey(THUMBPRINTS[0], "Acme GmbH", "2025-01-01", "2026-01-01"))
    assert read_keyring(file) == (
        KnownKey(THUMBPRINTS[1], "Pipe-Co"),
        KnownKey(THUMBPRINTS[0], "Acme GmbH", "2025-01-01", "2026-01-01"),
    )


def test_a_file_that_is_none_is_one_line_and_never_overwritten(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text("[]")
    with pytest.raises(UserError, match="the format is not"):
        trust(file, KnownKey(THUMBPRINTS[0], "Acme"))
    assert file.read_text() == "[]"


@pytest.mark.parametrize(
    ("text", "wanted"), [("2025-10-31", True), ("2025-02-30", False), ("20251031", False), ("", False)]
)
def test_a_day_is_written_in_one_way(text, wanted):
    assert is_day(text) is wanted


def test_two_who_trust_a_key_at_the_same_time_lose_none(tmp_path, monkeypatch):
    file = tmp_path / "known-keys.json"
    one, two = (KnownKey(thumbprint, "Acme") for thumbprint in THUMBPRINTS)
    other = threading.Thread(target=trust, args=(file, two))

    def read_meanwhile(place):
        found = read_keyring(place)
        if other.ident is None:
            other.start()
            other.join(0.5)  # it comes in between, or waits
        return found

    monkeypatch.setattr(known_keys, "read_keyring", read_meanwhile)
    trust(file, one)
    other.join()
    assert set(read_keyring(file)) == {one, two}


def test_a_file_that_is_too_large_says_so(tmp_path, monkeypatch):
    trust(tmp_path / "known-keys.json", KnownKey(THUMBPRINTS[0], "Acme"))
    monkeypatch.setattr(known_keys, "_LARGEST_FILE", 10)
    with pytest.raises(UserError, match="more than 0 MiB"):
        read_keyring(tmp_path / "known-keys.json")
