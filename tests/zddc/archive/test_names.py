"""Names are taken apart as the reader of names does it, and folders lie where their paths say."""

import json
import os
import random
from pathlib import Path

import pytest
from tests import archives

from zddc.archive.names import place_of, split_name, tracking_number
from zddc.naming import folder_in_zip, parse_filename

SPEC = json.loads((Path(__file__).parents[3] / "spec/naming.json").read_text(encoding="utf-8"))
SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


def check_agreement(name):
    read, parts = parse_filename(name), split_name(name)
    if read.valid and not folder_in_zip(name):
        assert parts == (read.tracking_number, read.revision, read.status, read.title, read.extension), name
    else:
        assert parts is None, name
    assert tracking_number(name) == (parts.tracking_number if parts else ""), name


@pytest.mark.parametrize("name", [case["name"] for section in ("files", "folders", "zipped") for case in SPEC[section]])
def test_a_name_of_the_spec_is_read_as_the_reader_does(name):
    check_agreement(name)


def test_changed_names_are_read_as_the_reader_does():
    chance = random.Random(22)
    names = [file.path.rpartition("/")[2] for file in archives.draw(2000, 22)]
    valid = 0
    for _ in range(100_000 if SOAK else 5_000):
        name = archives.mutate(chance, chance.choice(names))
        check_agreement(name)
        valid += parse_filename(name).valid
    assert valid > 500


def test_a_zipped_transmittal_is_no_document():
    assert split_name("2025-10-31_A-1 (IFC) - Title.zip") is None
    assert tracking_number("2025-10-31_A-1 (IFC) - Title.ZIP") == ""
    assert split_name("A-1_B (IFC) - Title.zip") is not None


TRANSMITTAL = "2025-10-31_A-TRN-1 (IFC) - Title"


@pytest.mark.parametrize(
    ("folder", "party", "kind", "date"),
    [
        ("", "", "", ""),
        ("Acme", "", "", ""),
        ("P/Acme/plans", "", "", ""),
        (f"P/Acme/{TRANSMITTAL}/native", "Acme", "", "2025-10-31"),
        ("received", "", "received", ""),
        ("P/Acme/Received", "Acme", "received", ""),
        (f"P/Acme/received/{TRANSMITTAL}", "Acme", "received", "2025-10-31"),
        (f"P/Acme/issued/{TRANSMITTAL}/native/received/x", "Acme", "issued", "2025-10-31"),
        (f"P/Acme/incoming/late/{TRANSMITTAL}.zip", "Acme", "incoming", "2025-10-31"),
        (f"{TRANSMITTAL}/2026-01-01_A-TRN-2 (IFC) - Inside", "", "", "2025-10-31"),
        ("Acme/received/2025-13-31_A-TRN-1 (IFC) - No such day", "Acme", "received", ""),
        ("Acme/received/2025-10-31_A-TRN-1 (Issued) - No such status", "Acme", "received", ""),
    ],
)
def test_a_folder_lies_with_a_party_in_a_kind_and_in_a_transmittal(folder, party, kind, date):
    place = place_of(folder)
    assert (place.party, place.kind, place.transmittal.date) == (party, kind, date)
