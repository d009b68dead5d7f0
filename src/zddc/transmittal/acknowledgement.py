"""Makes the acknowledgement of a transmittal: a document that lists what came, with the hashes as it came."""

from collections.abc import Sequence
from datetime import datetime

from zddc.naming import FolderName
from zddc.transmittal.checks import ACKNOWLEDGEMENT
from zddc.transmittal.data import ListedFile, Transmittal
from zddc.transmittal.delivery import Report, count_findings
from zddc.transmittal.publishing import PRESENTATION
from zddc.transmittal.signatures import make_envelope
from zddc.transmittal.writing import make_payload

TITLE, PURPOSE, LABEL = "Acknowledgement of receipt", "IFI", "Received By"


def revision_of(folder: FolderName) -> str:
    """Return the revision of an acknowledgement: supporting document 1 of the transmittal that it is about.

    With the date of receipt as its revision it would be a newer revision of the transmittal itself, which every link
    to that would find in its place.
    """
    return f"{folder.date}+B1"


def make_acknowledgement(
    folder: FolderName, files: Sequence[ListedFile], remarks: str, parties: tuple[str, str], now: datetime
) -> Transmittal:
    """Return the acknowledgement of a folder with these files, not signed; ``parties`` are who got and who sent it."""
    receiver, sender = parties
    fields = {
        "type": ACKNOWLEDGEMENT,
        "subject": TITLE,
        "date": now.date().isoformat(),
        "trackingNumber": folder.tracking_number,
        "purpose": PURPOSE,
        "from": receiver,
        "to": sender,
        "remarks": remarks,
    }
    payload = make_payload(fields, files, draft=False, revision=revision_of(folder))
    return Transmittal(payload, make_envelope(payload, now), PRESENTATION)


def describe(folder: FolderName, report: Report | None, accepted: str) -> str:
    """Return the remarks of an acknowledgement: what came, what it is worth, and why it was taken all the same."""
    lines = [f"Received: {folder.tracking_number} of {folder.date}"]
    if report:
        lines.append(f"SHA-256 digest of the transmittal: {report.judged.check.digest}")
        counts = count_findings(report.findings)
        kinds = ("verified", "changed", "missing", "extra", "moved", "renamed")
        lines.append("Files: " + ", ".join(f"{kind} {counts[kind]}" for kind in kinds))
        lines += [f"Signature: {one.verdict}, {one.signature.fingerprint}" for one in report.judged.judgements]
        if not report.judged.judgements:
            lines.append("Signature: none")
        lines += [f"- {finding.kind}: {finding.path}" for finding in report.findings if finding.kind != "verified"]
    else:
        lines.append("It came without a transmittal.")
    if accepted:
        lines.append(f"Accepted all the same: {accepted}")
    return "\n".join(lines)
