"""Keys are made, shown, trusted and listed."""

import json

import pytest
from tests.zddc.transmittal.made import PAGE, THUMBPRINTS, send

FINGERPRINT = THUMBPRINTS[0][:12]


@pytest.fixture(autouse=True)
def known(tmp_path, monkeypatch):
    """A file of known keys that is nobody's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "zddc" / "known-keys.json"


@pytest.fixture
def password(tmp_path):
    (tmp_path / "password").write_text("geheim\r\nsecond line")
    return "--password-file", tmp_path / "password"


def test_a_key_is_made_shown_and_trusted(zddc, tmp_path, password, known):
    file = tmp_path / "acme.zddc-key"
    status, out, _ = zddc("keys", "new", file, *password, "--json")
    made = json.loads(out)
    assert (status, made["fingerprint"]) == (0, made["thumbprint"][:12])
    assert zddc("keys", "show", file) == (0, f"{made['fingerprint']}  encrypted\n", "")
    trusting = ("keys", "trust", file, made["fingerprint"], "--name", "Acme", "--since", "2025-01-01", *password)
    assert zddc(*trusting) == (0, f"{made['fingerprint']} is the key of Acme from now on: {known}\n", "")
    assert json.loads(zddc("keys", "list", "--json")[1]) == {
        **{"fingerprint": made["fingerprint"], "name": "Acme", "since": "2025-01-01", "until": ""},
    }
    assert zddc("keys", "list")[1].endswith(f"{known}: 1 keys\n")
    assert "there already" in zddc("keys", "new", file, *password)[2]


def test_the_iterations_are_ours_or_those_of_others(zddc, tmp_path, password):
    zddc("keys", "new", tmp_path / "a", *password)
    zddc("keys", "new", tmp_path / "b", *password, "--compatible")
    found = [json.loads((tmp_path / name).read_bytes())["iterations"] for name in ("a", "b")]
    assert found == [600_000, 100_000]


def test_a_plain_key_warns(zddc, tmp_path, password):
    status, _, err = zddc("keys", "new", tmp_path / "a", "--plain")
    assert (status, err) == (0, f"{tmp_path / 'a'}: not encrypted; whoever can read this file can sign in your name\n")
    assert "there is no password then" in zddc("keys", "new", tmp_path / "b", "--plain", *password)[2]


def test_an_empty_password_is_refused(zddc, tmp_path, password):
    password[1].write_text("")
    assert "the password is empty" in zddc("keys", "new", tmp_path / "a", *password)[2]
    assert not (tmp_path / "a").exists()


def test_the_key_of_a_transmittal_is_trusted_by_its_fingerprint(zddc, tmp_path, known):
    page = send(tmp_path) / PAGE
    assert zddc("keys", "show", page) == (0, f"{FINGERPRINT}  Sender  valid\n", "")
    assert zddc("keys", "trust", page, FINGERPRINT.upper(), "--name", "Acme")[0] == 0
    assert json.loads(known.read_bytes())["keys"] == [{"thumbprint": THUMBPRINTS[0], "name": "Acme"}]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["0" * 12, "--name", "Acme"], "no valid signature and no key with the fingerprint"),
        (["0fc1", "--name", "Acme"], "too short"),
        ([FINGERPRINT, "--name", "Acme", "--until", "soon"], "soon: not a date"),
    ],
)
def test_what_is_not_the_key_is_not_trusted(zddc, tmp_path, known, arguments, words):
    assert words in zddc("keys", "trust", send(tmp_path) / PAGE, *arguments)[2]
    assert not known.exists()


def test_the_key_of_a_transmittal_that_was_changed_is_not_trusted(zddc, tmp_path, known):
    page = send(tmp_path) / PAGE
    page.write_text(page.read_text(encoding="utf-8").replace('"to": "Pipe-Co"', '"to": "Rock"'), encoding="utf-8")
    assert zddc("keys", "trust", page, FINGERPRINT, "--name", "Acme")[0] == 1
    assert not known.exists()


def test_a_password_is_asked_for_twice_where_it_is_new(zddc, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda *_: asked.append(1) or "geheim")
    file = tmp_path / "acme.zddc-key"
    status, out, err = zddc("keys", "new", file, "--compatible")
    assert (status, len(asked), err.count("a password for acme.zddc-key")) == (0, 2, 1)
    trusting = ("keys", "trust", file, out.split()[-1], "--name", "Acme")
    status, out, err = zddc(*trusting)
    assert (status, len(asked), err.count("password of acme.zddc-key")) == (0, 3, 1)
    assert "geheim" not in out + err
