"""What ``zddc verify`` says of a transmittal, and the status it ends with."""

import json
import zipfile

import pytest
from tests.zddc.transmittal.made import FILES, PAGE, THUMBPRINTS, send

from zddc.hashing import LIST_NAME
from zddc.transmittal.known_keys import KnownKey, trust

GOOD = "verified: 3; changed: 0; missing: 0; extra: 0; moved: 0; renamed: 0; unreadable: 0\n"
FINGERPRINT = THUMBPRINTS[0][:12]
LAYOUT = next(iter(FILES))
SIGNED = f"({FINGERPRINT}, Sender, 2025-10-31T14:30:00.000Z)"


@pytest.fixture(autouse=True)
def known(tmp_path, monkeypatch):
    """A file of known keys that is nobody's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "zddc" / "known-keys.json"


@pytest.fixture
def folder(tmp_path):
    return send(tmp_path)


def test_a_signature_of_a_key_that_nobody_knows(zddc, folder):
    assert zddc("verify", folder) == (
        0,
        f"transmittal: {PAGE}\n    the list is as it was published\n"
        f"    signature: valid, unknown key: compare the fingerprint with the sender {SIGNED}\n{GOOD}",
        "",
    )
    assert zddc("verify", folder, "--require-known")[0] == 1


def test_a_signature_of_a_known_key(zddc, folder, known):
    trust(known, KnownKey(THUMBPRINTS[0], "Acme"))
    status, out, _ = zddc("verify", folder / PAGE, "--require-known")
    assert (status, out.splitlines()[2]) == (0, f"    signature: valid, known key: Acme {SIGNED}")
    other = known.with_name("others.json")
    assert zddc("verify", folder, "--require-known", "--known", other)[0] == 1


def test_no_signature(zddc, tmp_path):
    folder = send(tmp_path, sign=False)
    status, out, _ = zddc("verify", folder)
    assert (status, out.splitlines()[1:3]) == (
        0,
        ["    published, not signed: who changed a file may have changed the list as well", "    signature: none"],
    )


def test_a_list_that_was_changed(zddc, folder):
    page = folder / PAGE
    page.write_text(page.read_text(encoding="utf-8").replace('"to": "Pipe-Co"', '"to": "Rock"'), encoding="utf-8")
    status, out, _ = zddc("verify", folder)
    assert (status, out.splitlines()[1:3]) == (
        1,
        [
            "    the list was changed after it was published",
            f"    signature: invalid: the payload was changed {SIGNED}",
        ],
    )


def test_a_signature_whose_label_is_not_attested_says_so(zddc, folder):
    page = folder / PAGE
    text = page.read_text(encoding="utf-8")
    start, end = text.index(',\n        "attestation"'), text.index('\n      }\n    ]\n  },\n  "presentation')
    page.write_text(text[:start] + text[end:], encoding="utf-8")
    assert "; nothing vouches for name and time)" in zddc("verify", folder)[1]


def test_the_transmittal_and_the_list_may_differ(zddc, folder):
    (folder / LIST_NAME).write_text(f"{'0' * 64}  {LAYOUT}\n")
    status, out, _ = zddc("verify", folder)
    assert status == 1
    assert out.splitlines()[3:] == [
        GOOD.rstrip(),
        LIST_NAME,
        f"changed: {LAYOUT}",
        *(f"extra: {name}" for name in sorted(FILES) if name != LAYOUT),
        "verified: 0; changed: 1; missing: 0; extra: 2; moved: 0; renamed: 0; unreadable: 0",
    ]


def test_programs_get_one_object_a_line(zddc, folder, known):
    trust(known, KnownKey(THUMBPRINTS[0], "Acme"))
    (folder / LAYOUT).unlink()
    lines = [json.loads(line) for line in zddc("verify", folder, "--json")[1].splitlines()]
    assert (lines[0]["state"], lines[0]["intact"], lines[1]["verdict"], lines[1]["name"]) == (
        *("signed", True),
        *("valid, known key", "Acme"),
    )
    assert (lines[1]["attested"], lines[1]["fingerprint"], lines[1]["signed_at"]) == (
        *(True, FINGERPRINT),
        "2025-10-31T14:30:00.000Z",
    )
    assert {"path": LAYOUT, "kind": "missing", "detail": ""} in lines
    assert {"path": LAYOUT, "kind": "missing", "detail": "", "list": LIST_NAME} in lines


def test_where_there_is_no_transmittal_it_is_told(zddc, tmp_path):
    (tmp_path / "a.html").write_text("<html>")
    assert "no transmittal" in zddc("verify", tmp_path / "a.html")[2]
    assert "only a transmittal can be signed" in zddc("verify", tmp_path, "--require-known")[2]


@pytest.mark.parametrize("prefix", ["", "2025/"])
def test_a_zip_is_as_good_as_its_folder(zddc, folder, prefix):
    packed = pack(folder, f"{prefix}{folder.name}/" if prefix else "")
    expected = zddc("verify", folder)
    assert zddc("verify", packed) == expected == (0, expected[1], "")
    assert zddc("verify", packed, "--require-known")[0] == 1
    (folder / LAYOUT).write_bytes(b"other!\n")
    (folder / "scan.pdf").write_bytes(b"scan")
    expected = zddc("verify", folder, "--json")
    assert zddc("verify", pack(folder, prefix), "--json") == expected
    assert expected[0] == 1


def test_of_a_zip_the_list_is_enough_and_nothing_is_not(zddc, folder):
    (folder / PAGE).unlink()
    packed = pack(folder)
    assert zddc("verify", packed) == (0, GOOD, "")
    assert "only a transmittal can be signed" in zddc("verify", packed, "--require-known")[2]
    (folder / LIST_NAME).unlink()
    line = f"{packed}: neither a transmittal nor a {LIST_NAME} in it; ask the sender for one of them\n"
    assert zddc("verify", pack(folder)) == (1, "", line)


def test_what_is_damaged_in_a_zip_is_told(zddc, folder):
    data = bytearray(pack(folder).read_bytes())
    at = data.index(FILES[LAYOUT])
    data[at] ^= 0xFF
    packed = folder.with_name("damaged.zip")
    packed.write_bytes(data)
    status, out, _ = zddc("verify", packed)
    assert (status, f"unreadable: {LAYOUT}: damaged in the zip" in out) == (1, True)
    data[data.index(b'"payload"')] ^= 0xFF
    packed.write_bytes(data)
    assert zddc("verify", packed)[2] == f"{packed / PAGE}: damaged in the zip; ask the sender for the zip again\n"


def test_a_zip_that_means_harm_is_one_line(zddc, folder):
    packed = pack(folder)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("../evil.pdf", b"1")
    problem = "'../evil.pdf': a path that leads elsewhere, or that not every system can have"
    for command in ("verify", "receive"):
        assert zddc(command, packed, *(("--to", folder.parent / "received") if command == "receive" else ())) == (
            *(1, ""),
            f"{packed}: {problem}; ask the sender for another zip\n",
        )
    assert not (folder.parent / "received").exists()


def pack(folder, prefix=""):
    """Zip a folder beside it, with each path behind a prefix."""
    packed = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, f"{prefix}{file.relative_to(folder)}")
    return packed
