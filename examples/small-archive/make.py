"""Make a small archive: one project, three parties, 14 transmittals, and one of everything that can be odd.

Every file is the same, byte by byte and with its time, whenever and wherever it is made.

usage: python examples/small-archive/make.py DIR
"""

import os
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

PROJECT = "Pump station 7"
# The documents of each party: number, title, and the kinds of file that each revision comes in.
DOCUMENTS = {
    "Rock": (
        ("PS7-CIV-MDL-0001", "Master deliverables list", "csv"),
        ("PS7-CIV-DWG-0001", "Site layout", "pdf dxf"),
        ("PS7-CIV-DWG-0002", "Foundation plan", "pdf dxf"),
        ("PS7-CIV-DWG-0003", "Drainage", "pdf svg"),
        ("PS7-CIV-SPC-0001", "Concrete specification", "pdf md"),
        ("PS7-CIV-CAL-0001", "Foundation calculation", "pdf md"),
    ),
    "Pipe-Co": (
        ("PS7-MEC-DWG-0001", "Pump (north) - general arrangement", "pdf dxf"),
        ("PS7-MEC-DAT-0001", "Pump data", "pdf csv"),
        ("PS7-MEC-CAL-0001", "Surge calculation", "pdf md"),
        ("PS7-PIP-DWG-0001", "Rohrplan Übersicht", "pdf svg"),
    ),
    "Volt": (
        ("PS7-ELE-DWG-0001", "Single line diagram", "pdf svg"),
        ("PS7-ELE-SPC-0001", "Cable specification", "pdf md"),
        ("PS7-ELE-CAL-0001", "Short-circuit calculation", "pdf md"),
        ("PS7-ELE-DAT-0001", "Motor list 電動機", "csv"),
    ),
}
# What was sent, and when: party, folder, date and status of the transmittal, and the revision of its documents.
TRANSMITTALS = (
    ("Rock", "received", "2025-03-03", "IFR", "A"),
    ("Rock", "issued", "2025-03-17", "RSB", "A+C1"),
    ("Rock", "received", "2025-04-02", "IFA", "B"),
    ("Rock", "issued", "2025-04-14", "RSA", "B+C1"),
    ("Rock", "received", "2025-05-05", "IFC", "0"),
    ("Rock", "incoming", "2025-06-02", "IFC", "1"),
    ("Pipe-Co", "received", "2025-03-10", "IFR", "A"),
    ("Pipe-Co", "issued", "2025-03-24", "RSC", "A+C1"),
    ("Pipe-Co", "received", "2025-04-21", "IFC", "0"),
    ("Volt", "received", "2025-03-12", "IFR", "A"),
    ("Volt", "issued", "2025-03-26", "RSA", "A+Q1"),
    ("Volt", "received", "2025-05-19", "IFU", "0"),
)
SERIAL = {"received": "TRN", "incoming": "TRN", "issued": "SUB"}
CLOSED = f"{PROJECT}/Pipe-Co/prices"
RULES = {
    "": 'title: Small archive\nacl:\n  allow: ["*@acme.example"]\n',
    f"{PROJECT}": f"title: {PROJECT}\n",
    f"{PROJECT}/Rock": 'acl:\n  permissions:\n    "*@rock.example": rc\n',
    f"{PROJECT}/Pipe-Co": 'acl:\n  permissions:\n    "*@pipe-co.example": rc\n',
    f"{PROJECT}/Volt": 'acl:\n  permissions:\n    "*@volt.example": rc\n',
    CLOSED: 'acl:\n  inherit: false\n  allow: ["kim@acme.example"]\n',
}
# What a scanner, a tired person and a stranger have left behind.
ODD = (
    "Meeting notes.txt", "scan0001.txt", "PS7-ELE-DWG-0001_A (ifr) - Single line diagram.pdf",
    "PS7-ELE-DWG-0001_A(IFR)-Single line diagram.pdf", "PS7-ELE-DWG-0002 (IFR) - No revision.pdf",
    "PS7-ELE-DWG-0003_A (AFC) - No such status.pdf", "PS7-ELE-DWG-0004_A (IFR) – En dash.pdf", "CON.txt", "dot.",
    "line\nbreak.txt", "\x1b[31mred.txt", "\u202efdp.exe", "back\\slash.txt", "=1+1.csv", "<b>bold.txt", "-rf",
    "100% & more #1?.txt", "e\u0301.txt",
)  # fmt: skip


def files() -> Iterator[tuple[str, bytes, str]]:
    """Yield path, bytes and date of every file."""
    for folder, rules in RULES.items():
        yield f"{folder}/.zddc".removeprefix("/"), rules.encode(), "2025-03-01"
    for serial, (party, kind, date, status, revision) in enumerate(TRANSMITTALS, 1):
        folder = f"{PROJECT}/{party}/{kind}/{date}_PS7-{SERIAL[kind]}-{serial:04} ({status}) - Documents, {revision}"
        for number, title, extensions in DOCUMENTS[party]:
            for extension in extensions.split() if "+" not in revision else ("pdf",):
                yield document(folder, number, revision, status, title, extension, date)
    yield from special_cases()
    for name in ODD:
        yield f"{PROJECT}/Volt/unsorted/{name}", b"left behind\n", "2025-06-10"


def special_cases() -> Iterator[tuple[str, bytes, str]]:
    """Yield a draft, a conflict, an issued draft, a closed folder, and loose files."""
    layout = ("PS7-CIV-DWG-0001", "0", "IFC", "Site layout", "pdf", "2025-05-05")
    plan = ("PS7-CIV-DWG-0002", "0", "IFC", "Foundation plan", "pdf", "2025-05-05")
    sent = f"{PROJECT}/Pipe-Co/issued/2025-05-12_PS7-SUB-0013 (IFI) - Civil drawings for information"
    yield document(sent, *layout)  # the same bytes again
    path, data, date = document(sent, *plan)
    yield path, data.replace(b"Foundation plan", b"Foundation PLAN"), date  # and other ones
    yield document(sent, "PS7-CIV-DWG-0003", "~1", "DFT", "Drainage", "pdf", "2025-05-12")
    prices = f"{CLOSED}/received/2025-04-28_PS7-TRN-0014 (IFB) - Offer"
    yield document(prices, "PS7-MEC-DAT-0002", "A", "IFB", "Prices", "csv", "2025-04-28")
    yield document(f"{PROJECT}/Rock", "PS7-CIV-RPT-0001", "~A", "DFT", "Soil report", "md", "2025-02-20")
    yield document(f"{PROJECT}/Rock", "ps7-civ-rpt-0001", "A", "IFI", "Soil report", "md", "2025-02-21")


def document(
    folder: str, number: str, revision: str, status: str, title: str, extension: str, date: str
) -> tuple[str, bytes, str]:
    """Return path, bytes and date of a document."""
    data = {"pdf": pdf, "dxf": dxf, "svg": svg, "md": markdown, "csv": csv}[extension](number, revision, status, title)
    return f"{folder}/{number}_{revision} ({status}) - {title}.{extension}", data, date


def pdf(*words: str) -> bytes:
    """Return a page of A4 with the words on it."""
    escaped = [word.encode("cp1252", "replace").translate(None, b"()\\") for word in words]
    shown = b"BT /F 18 Tf 60 760 Td 26 TL " + b" ".join(b"(%b) Tj T*" % word for word in escaped) + b" ET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >>"
        b" >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(shown), shown),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    data, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(data)
    return data + b"xref\n0 6\n0000000000 65535 f \n" + table + end


def dxf(*words: str) -> bytes:
    """Return a drawing of release 12: a frame, and the words as text."""
    corners = ((0, 0), (420, 0), (420, 297), (0, 297))
    lines = [
        f"0\nLINE\n8\n0\n10\n{x}.0\n20\n{y}.0\n11\n{to_x}.0\n21\n{to_y}.0\n"
        for (x, y), (to_x, to_y) in zip(corners, (*corners[1:], corners[0]), strict=True)
    ]
    texts = [
        f"0\nTEXT\n8\n0\n10\n20.0\n20\n{250 - 20 * place}.0\n40\n8.0\n1\n{word}\n" for place, word in enumerate(words)
    ]
    head = "0\nSECTION\n2\nHEADER\n9\n$ACADVER\n1\nAC1009\n0\nENDSEC\n"
    return f"{head}0\nSECTION\n2\nENTITIES\n{''.join(lines + texts)}0\nENDSEC\n0\nEOF\n".encode("ascii", "replace")


def svg(*words: str) -> bytes:
    """Return a drawing with a frame and the words."""
    texts = "".join(f'<text x="20" y="{40 + 30 * place}">{word}</text>' for place, word in enumerate(words))
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 297">'
    return f'{head}<rect x="1" y="1" width="418" height="295" fill="none" stroke="black"/>{texts}</svg>\n'.encode()


def markdown(number: str, revision: str, status: str, title: str) -> bytes:
    """Return a page with front matter, and a link to the current site layout."""
    link = "[the site layout](../../../.archive/PS7-CIV-DWG-0001.html)"
    return f"---\nnumber: {number}\nrevision: {revision}\n---\n\n# {title}\n\nStatus {status}; see {link}.\n".encode()


def csv(number: str, revision: str, status: str, title: str) -> bytes:
    """Return a table: the documents of a list, or a row of data."""
    if "MDL" not in number:
        return f"number,revision,status,title\r\n{number},{revision},{status},{title}\r\n".encode()
    rows = (f"{one},{name}\r\n" for held in DOCUMENTS.values() for one, name, _ in held)
    return f"tracking number,title\r\n{''.join(rows)}PS7-STR-DWG-0001,Crane beam\r\n".encode()


def zip_folder(folder: Path) -> None:
    """Put a folder into a zip file of its name, stored, and remove it."""
    held = sorted(folder.iterdir())
    with zipfile.ZipFile(f"{folder}.zip", "w") as made:
        for file in held:
            time = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            made.writestr(zipfile.ZipInfo(file.name, time.timetuple()[:6]), file.read_bytes())
            file.unlink()
    os.utime(f"{folder}.zip", (time.timestamp(), time.timestamp()))
    folder.rmdir()


def make(root: Path) -> int:
    """Write the archive into a new folder; return the number of files, those in the zip included."""
    count = 0
    root.mkdir(parents=True)
    for path, data, date in files():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        seconds = datetime.fromisoformat(f"{date}T12:00:00+00:00").timestamp()
        os.utime(target, (seconds, seconds))
        count += 1
    (zipped,) = (root / PROJECT / "Volt/received").glob("2025-05-19*")
    zip_folder(zipped)
    (root / PROJECT / "Volt/unsorted/latest.pdf").symlink_to("../received")
    return count


def main() -> None:
    """Make the archive in the folder that is given."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.rstrip().rpartition("\n")[2])
    root = Path(sys.argv[1])
    if os.path.lexists(root):
        sys.exit(f"{root}: there already; give a new folder")
    print(f"{root}: {make(root)} files")


if __name__ == "__main__":
    main()
