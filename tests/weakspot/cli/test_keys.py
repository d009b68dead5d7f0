"""The command that gives clients keys: what it prints, and what it refuses in one line."""

import json

import pytest

from weakspot.access.client_keys import Clients
from weakspot.storage.ledger import Ledger, Limits


def test_a_key_is_shown_once_and_then_only_its_name(weakspot, workspace):
    assert weakspot("keys") == (0, "no client has a key of its own; weakspot keys client NAME makes one\n", "")
    status, out, err = weakspot("keys", "client", "alice", "--budget-usd-per-day", "2.5")
    assert (status, err) == (0, "")
    key = out.splitlines()[0].rpartition(" ")[2]
    assert Clients(workspace.clients).find(key).client == "alice"
    ledger = Ledger(workspace.spending)
    ledger.settle(ledger.reserve("client:alice", 1.0, Limits()), 0.5)
    assert weakspot("keys") == (0, "alice: 2.00 of 2.50 US dollars for 24 hours left\n", "")
    assert "client alice: 2.00 of 2.50 US dollars for 24 hours left" in weakspot("status")[1]
    assert weakspot("keys", "remove", "alice") == (0, "removed the key of alice\n", "")
    assert Clients(workspace.clients).find(key) is None


def test_keys_as_json(weakspot, workspace):
    made = json.loads(weakspot("keys", "client", "alice", "--consultations-per-hour", "3", "--json")[1])
    assert Clients(workspace.clients).find(made["key"]).client == made["client"] == "alice"
    (one,) = json.loads(weakspot("keys", "--json")[1])
    assert (one["client"], one["consultations_per_hour"], one["budget_usd_per_day"]) == ("alice", 3, None)
    assert json.loads(weakspot("status", "--json")[1])["clients"] == [one]
    assert made["key"] not in weakspot("keys", "--json")[1]
    assert json.loads(weakspot("keys", "remove", "alice", "--json")[1]) == {"removed": "alice"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["client"], "keys client: no name; write weakspot keys client NAME"),
        (["remove"], "keys remove: no name; write weakspot keys remove NAME"),
        (["remove", "bob"], "client 'bob': has no key; no client has a key"),
        (["client", "Älice"], "client 'Älice': not a client's name; use lower-case letters"),
        (
            ["client", "a", "--budget-usd-per-day", "nan"],
            "budget_usd_per_day 'nan': no sum; give US dollars, 0 or more",
        ),
        (["client", "a", "--budget-usd-per-day", "-1"], "budget_usd_per_day '-1.0': no sum"),
        (["client", "a", "--consultations-per-hour", "-1"], "consultations_per_hour '-1': no number of consultations"),
        (["remove", "a", "--consultations-per-hour", "1"], "keys: a limit is for a new key"),
        (["--budget-usd-per-day", "1"], "keys: a limit is for a new key"),
        (["make"], "weakspot: invalid value for '[client|remove]'"),
    ],
)
def test_what_is_wrong_is_one_line_and_makes_no_key(weakspot, workspace, arguments, line):
    status, out, err = weakspot("keys", *arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(line)
    assert Clients(workspace.clients).all() == []
