"""Makes transmittals for tests: keys, data, folders."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from zddc.transmittal.data import ListedFile, Transmittal, check_data
from zddc.transmittal.keys import read_private_key
from zddc.transmittal.publishing import PRESENTATION, prepare, publish
from zddc.transmittal.signatures import add_signature, make_envelope
from zddc.transmittal.writing import make_payload

SPEC = json.loads((Path(__file__).parents[3] / "spec" / "transmittal.json").read_text(encoding="utf-8"))
SENDER, RECEIVER = (read_private_key(one["private"]) for one in SPEC["keys"])
THUMBPRINTS = tuple(one["thumbprint"] for one in SPEC["keys"])
NOW = datetime(2025, 10, 31, 14, 30, tzinfo=UTC)
FOLDER = "2025-10-31_ACME-TRN-0007 (IFC) - Civil package"
PAGE = "ACME-TRN-0007_2025-10-31 (IFC) - Civil package.html"
ACKNOWLEDGEMENT = "ACME-TRN-0007_2025-10-31+B1 (IFI) - Acknowledgement of receipt.html"
FILES = {
    "ACME-CIV-DWG-0001_A (IFC) - Site layout.pdf": b"layout\n",
    "drawings/ACME-CIV-DWG-0002_0 (IFC) - Foundation plan.dwg": b"plan\n",
    "drawings/ACME-CIV-DWG-0002_0 (IFC) - Foundation plan.pdf": b"plan as PDF\n",
}
FIELDS = {
    "type": "Transmittal",
    "subject": "Civil package",
    "date": "2025-10-31",
    "trackingNumber": "ACME-TRN-0007",
    "purpose": "IFC",
    "from": "Acme",
    "to": "Pipe-Co",
}


def by_rule(case: Mapping[str, str]) -> str:
    return case["rule"]


def document(rule: str) -> dict:
    """Return a document of the specification by its rule, for a test to change."""
    return json.loads(json.dumps(next(one for one in SPEC["documents"] if one["rule"] == rule)["data"]))


def signed(files: int = 3, **fields: str) -> Transmittal:
    """Return a signed transmittal that lists as many files."""
    names = (f"ACME-CIV-DWG-{n:04}_A (IFC) - Part {n}.pdf" for n in range(1, files + 1))
    listed = [
        ListedFile(name[:17], "A", "IFC", f"Part {n}", "", name, f"{n:064x}", n * 100)
        for n, name in enumerate(names, 1)
    ]
    payload = make_payload({**FIELDS, **fields}, listed, draft=False)
    return add_signature(Transmittal(payload, make_envelope(payload, NOW), PRESENTATION), SENDER, "Sender", NOW)


def data_of(transmittal: Transmittal) -> dict:
    """Return the data as it is read from JSON."""
    whole = {"payload": transmittal.payload, "envelope": transmittal.envelope, "presentation": {}}
    return json.loads(json.dumps(whole))


def read(data: dict) -> Transmittal:
    return check_data(data)


def write_files(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """Write files into a folder; return it."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def send(parent: Path, *, sign: bool = True, files: Mapping[str, bytes] = FILES, **fields: str) -> Path:
    """Make a folder with files and its transmittal; return it."""
    folder = write_files(parent / FOLDER, files)
    transmittal = prepare(folder, {**FIELDS, **fields}, draft=False, now=NOW)
    publish(folder, add_signature(transmittal, SENDER, "Sender", NOW) if sign else transmittal)
    return folder
