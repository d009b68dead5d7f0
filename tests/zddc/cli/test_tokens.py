"""What ``zddc token`` prints: the token once, and afterwards only what is known of it."""

import json

import pytest

from zddc.server.tokens import FOLDER, TokenStore


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZDDC_ROOT", raising=False)
    return tmp_path


def test_a_token_is_printed_alone_and_works_until_it_is_revoked(zddc, root):
    status, text, said = zddc("token", "new", "kim@acme.example", "--days", 30, "--note", "nightly copy")
    token = TokenStore(root / FOLDER).find(text.strip())
    assert (status, token.email) == (0, "kim@acme.example")
    assert said.startswith(f"token {token.id} of kim@acme.example, good until ")
    status, listed, _ = zddc("token", "list", "--json")
    row = json.loads(listed)
    assert (status, row["id"], row["note"]) == (0, token.id, "nightly copy")
    assert text.strip() not in listed
    assert zddc("token", "list")[1].splitlines()[1].split("  ")[:2] == [token.id, "kim@acme.example"]
    assert zddc("token", "revoke", token.id) == (0, f"token {token.id} is revoked\n", "")
    assert zddc("token", "list") == (0, "", "")
    assert zddc("token", "revoke", token.id) == (1, "", f"{token.id}: no such token; see 'zddc token list'\n")


def test_a_program_may_read_the_new_token_as_json(zddc, root):
    made = json.loads(zddc("token", "new", "kim@acme.example", "--json")[1])
    assert TokenStore(root / FOLDER).find(made["token"]).id == made["id"]


def test_a_file_that_cannot_be_used_is_told(zddc, root):
    made = json.loads(zddc("token", "new", "kim@acme.example", "--json")[1])
    next((root / FOLDER).iterdir()).write_text("{")
    status, listed, said = zddc("token", "list")
    assert (status, listed) == (1, "")
    assert said.startswith(f"token {made['id']} is damaged: ")


@pytest.mark.parametrize("command", [("new", "kim@acme.example"), ("list",), ("revoke", "00000000")])
def test_the_root_must_be_there(zddc, root, command):
    status, _, said = zddc("token", *command, "--root", root / "nowhere")
    assert (status, said) == (1, f"{root / 'nowhere'}: no such folder; give a folder that is there\n")
