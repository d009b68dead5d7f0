"""Draws archives from a seed: parties, transmittals, documents with their revisions and copies."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from zddc.naming import format_filename, format_folder

PARTIES = ("Acme", "Pipe-Co", "Rival", "Møller & Søn", "東京ポンプ", "Site office")
DISCIPLINES, TYPES = ("CIV", "ELE", "MEC", "PIP", "STR"), ("DWG", "SPC", "CAL", "DAT", "RPT", "MDL")
TITLES = ("Site layout", "Pump data", "Cable list", "Foundation - north (2)", "Übersicht", "平面図", "P&ID 100% unit 3")
EXTENSIONS = ("pdf", "pdf", "pdf", "dwg", "xlsx", "md", "csv", "dxf", "PDF", "tar.gz")
# In the order in which documents go through them, each with the statuses that it is sent with.
REVISIONS = (
    ("~A", ("DFT", "---")), ("A", ("IFR", "IFA")), ("A+C1", ("RSB", "RSC")), ("A+C2", ("RSC",)), ("B", ("IFA",)),
    ("B+B1", ("IFI",)), ("B+~N1", ("IFI",)), ("B+Q1", ("RSA", "RSI")), ("~0", ("DFT",)), ("0", ("IFC",)),
    ("1", ("IFC", "IFU")), ("1+C1", ("RSA",)), ("1.5", ("IFC",)), ("2", ("IFC", "REC")), ("10", ("REC",)),
    ("P01", ("IFD",)),
)  # fmt: skip
# Names that follow no convention, or nearly one; some are hard to write, to show or to sort.
ODD_NAMES = (
    "Meeting notes.docx", "README", "scan0001.tif", ".DS_Store", "Thumbs.db", "~$draft.docx", "-rf", "a;b|c&d.txt",
    "A-1_B (IFX) - Wrong status.pdf", "A-1_B(IFC)-No blanks.pdf", "A 1_B (IFC) - Blank.pdf", "A-1_B (IFC) – Dash.pdf",
    "A-1_B (ifc) - Case.pdf", "line\nbreak.txt", "tab\there.txt", "\u202egnp.exe", "constructor", "CON.txt", "dot.",
    "A-1_B (IFC) - e\u0301.pdf", "2025-13-45_A-1 (IFC) - No such day.zip", "<b>&amp;.html", "%2e%2e.pdf", "'\".pdf",
    "$(x).md", "a" * 250,
)  # fmt: skip


@dataclass(frozen=True)
class DrawnFile:
    """A file: its path below the root, with ``/`` between the names, and what it holds."""

    path: str
    content: bytes


def draw(files: int, seed: int = 0, *, per_folder: int = 50, odd: float = 0.05) -> Iterator[DrawnFile]:
    """Yield ``files`` files with different paths, about ``per_folder`` in a folder, the same ones for the same seed.

    The folders are ``<project>/<party>/<received, issued or incoming>/<transmittal>``, some with a folder below. Most
    documents come in several revisions, some revisions again in later transmittals, and few of these with other bytes.
    A share ``odd`` of the files follows no convention, or lies outside of every transmittal. With ``odd=0`` every name
    is valid, and so is that of every transmittal folder.
    """
    chance = random.Random(seed)
    documents = [_draw_document(chance, number) for number in range(max(1, files // 8))]
    left, serial, seen = files, 0, set[str]()
    while left:
        serial += 1
        folder = _draw_folder(chance, serial)
        for _ in range(min(left, max(1, round(chance.expovariate(1 / per_folder))))):
            drawn = _draw_odd(chance, folder) if chance.random() < odd else _draw_file(chance, folder, documents)
            if drawn.path not in seen:
                seen.add(drawn.path)
                left -= 1
                yield drawn


def write(root: Path, files: Iterable[DrawnFile]) -> None:
    """Write files and their folders below ``root``."""
    made = set()
    for file in files:
        target = root / file.path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        target.write_bytes(file.content)


def mutate(chance: random.Random, name: str) -> str:
    """Return a name after one to three small changes."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(name) + 1)
        piece = chance.choice(
            (*"_ ()-.+~A1b/\\é\u00a0\u2013\n\x85\ud800", "IFC", "ifc", "+C1", " - ", "2025-10-31", name[:at])
        )
        name = name[:at] + chance.choice(("", piece)) + name[at + chance.randint(0, 2) :]
    return name


def _draw_document(chance: random.Random, number: int) -> tuple[str, str]:
    return f"{chance.choice(DISCIPLINES)}-{chance.choice(TYPES)}-{number:06}", chance.choice(TITLES)


def _draw_folder(chance: random.Random, serial: int) -> str:
    day = date(2020, 1, 1) + timedelta(days=chance.randrange(2000))
    name = format_folder(
        date=day.isoformat(),
        tracking_number=f"{chance.choice(('TRN', 'SUB', 'RFI'))}-{serial:06}",
        status=chance.choice(("IFR", "IFC", "IFI")),
        title=chance.choice(TITLES),
    )
    kind = chance.choices(("received", "issued", "incoming", "Received"), (6, 4, 1, 1))[0]
    below = chance.choices(("", "/native"), (9, 1))[0]
    return f"Project {chance.randrange(4) + 1}/{chance.choice(PARTIES)}/{kind}/{name}{below}"


def _draw_file(chance: random.Random, folder: str, documents: list[tuple[str, str]]) -> DrawnFile:
    tracking_number, title = chance.choice(documents)
    revision, statuses = REVISIONS[min(len(REVISIONS) - 1, int(chance.expovariate(1 / 5)))]
    extension = chance.choice(EXTENSIONS)
    name = f"{tracking_number}_{revision} ({chance.choice(statuses)}) - {title}.{extension}"
    edition = chance.choices(("", "changed"), (49, 1))[0]
    return DrawnFile(f"{folder}/{name}", f"{tracking_number} {revision} {extension.lower()} {edition}\n".encode())


def _draw_odd(chance: random.Random, folder: str) -> DrawnFile:
    if chance.random() < 1 / 2:
        return DrawnFile(f"{folder}/{chance.choice(ODD_NAMES)}", b"odd\n")
    name = format_filename(
        tracking_number=f"LOOSE-{chance.randrange(1000):04}",
        revision=chance.choice(REVISIONS)[0],
        status="IFI",
        title=chance.choice(TITLES),
        extension="pdf",
    )
    outside = folder.split("/")
    return DrawnFile("/".join([*outside[: chance.randrange(4)], "unsorted", name]), b"loose\n")
