"""A client's key is made once, kept as a hash, found by who holds it, and no more once it is removed."""

import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.access.client_keys import (
    PREFIX,
    Clients,
    add_client,
    claims_key,
    holds_key,
    remove_client,
    without_keys,
)
from weakspot.redaction.redact import scrub_text
from weakspot.storage import append_log
from zddc.errors import UserError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "workspace" / "clients.jsonl"


def names(file) -> list[str]:
    return [one.client for one in Clients(file).all()]


def test_a_key_is_found_with_its_limits_and_only_its_hash_is_kept(file):
    key = add_client(file, "alice", 2.5, 7)
    other = add_client(file, "bob")
    assert re.fullmatch(r"wk-[A-Za-z0-9]{43}", key)
    assert key != other
    one = Clients(file).find(key)
    assert (one.client, one.limits.usd_per_day, one.limits.count_per_hour) == ("alice", 2.5, 7)
    assert not Clients(file).find(other).limits
    assert names(file) == ["alice", "bob"]
    assert key not in file.read_text()
    assert key[3:] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("change", [str.upper, str.lower, lambda key: key[:-1], lambda key: f"{key}A", lambda _: ""])
def test_another_key_is_nobody_s(file, change):
    key = add_client(file, "alice")
    assert Clients(file).find(change(key)) is None
    assert Clients(file).find(PREFIX) is None


def test_nobody_has_a_key_where_there_is_no_file(file):
    assert Clients(file).all() == []
    assert Clients(file).find("wk-" + "A" * 43) is None


def test_who_holds_the_clients_sees_what_is_added_and_removed_meanwhile(file):
    held = Clients(file)
    assert held.all() == []
    key = add_client(file, "alice")
    assert held.find(key).client == "alice"
    second = add_client(file, "bob")
    remove_client(file, "alice")
    assert held.find(key) is None
    assert held.find(second).client == "bob"
    again = add_client(file, "alice", 1)
    assert held.find(key) is None
    assert held.find(again).budget_usd_per_day == 1
    file.unlink()
    assert held.find(again) is None


def test_a_file_that_cannot_be_read_lets_nobody_in(file, caplog):
    file.mkdir(parents=True)
    assert Clients(file).find("wk-" + "A" * 43) is None
    assert "no client's key is accepted" in caplog.text


def test_half_a_line_is_none_and_so_is_one_that_nobody_here_wrote(file):
    key = add_client(file, "alice")
    strange = {"client": "eve", "sha256": "ä" * 64, "timestamp": "t"}
    wrong = ({"sha256": ""}, {"sha256": "0"}, {"client": "a b", "sha256": "0" * 64}, {"consultations_per_hour": -1})
    append_log.append(file, ['{"client": "alice", "sha2', json.dumps(strange)])
    append_log.append(file, [json.dumps({"client": "eve", "timestamp": "t", **one}) for one in wrong])
    assert names(file) == ["alice"]
    assert Clients(file).find(key).client == "alice"
    remove_client(file, "alice")
    assert names(file) == []
    assert Clients(file).find(key) is None


@pytest.mark.parametrize(
    "name",
    ["", " ", "Alice", "älice", "alice bob", "../x", "a/b", "-a", ".a", "a:b", "a\n", "a" * 65, "a\u202e", "client=x"],
)
def test_what_is_no_name_is_one_line(file, name):
    with pytest.raises(UserError, match="not a client's name; use lower-case letters") as error:
        add_client(file, name)
    assert "\n" not in str(error.value)
    assert not file.exists()


@pytest.mark.parametrize("budget", [-0.01, float("nan"), float("inf"), float("-inf")])
def test_a_budget_is_a_sum(file, budget):
    with pytest.raises(UserError, match=r"budget_usd_per_day '.*': no sum; give US dollars, 0 or more"):
        add_client(file, "alice", budget)
    with pytest.raises(UserError, match="consultations_per_hour '-1': no number of consultations; give 0 or more"):
        add_client(file, "alice", 0, -1)
    assert not file.exists()


def test_a_name_has_one_key(file):
    add_client(file, "alice")
    with pytest.raises(UserError, match="client alice: has a key already; remove it first: weakspot keys remove alice"):
        add_client(file, "alice")
    with pytest.raises(UserError, match="client 'bob': has no key; there are alice"):
        remove_client(file, "bob")
    remove_client(file, "alice")
    with pytest.raises(UserError, match="client 'alice': has no key; no client has a key"):
        remove_client(file, "alice")


def test_of_several_at_once_one_gets_the_name_and_its_key_is_the_one_that_counts(file):
    def make(_):
        try:
            return add_client(file, "alice")
        except UserError:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [key for key in pool.map(make, range(16)) if key]
    assert len(made) == 1
    assert Clients(file).find(made[0]).client == "alice"


def test_the_scrubber_knows_a_key_and_so_does_what_goes_to_a_teacher(file):
    for n in range(50):
        key = add_client(file, f"client-{n}")
        text = f'my key is {key}, or "{key}"; wk-short stays'
        assert key not in scrub_text(text, [])
        assert without_keys(text) == 'my key is <API_KEY>, or "<API_KEY>"; wk-short stays'
        assert holds_key(text)


@given(st.text())
def test_a_text_without_the_prefix_is_left_alone(text):
    if PREFIX not in text:
        assert (holds_key(text), claims_key(text), without_keys(text)) == (False, False, text)


@pytest.mark.parametrize(
    ("credential", "claims"),
    [
        *(("wk-", True), ("Token wk-abc", True), ("sk-x,wk-abc", True), ("wk-abc def", True)),
        *(("awk-script", False), ("sk-wk-abc", False), ("WK-abc", False), ("", False)),
    ],
)
def test_what_says_that_it_is_a_client_s_key(credential, claims):
    assert claims_key(credential) == claims
