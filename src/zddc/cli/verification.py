"""The command that compares a folder with what was sent: ``verify``."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, get_args

import typer

from zddc import console, hashing
from zddc.cli.options import Json, Known, require_folder
from zddc.cli.output import print_line, track_progress
from zddc.errors import UserError
from zddc.hashing import LIST_NAME, Finding, HashedFile, Kind, Root
from zddc.transmittal.delivery import JudgedPage, Page, Report, check_delivery, count_findings, find_page
from zddc.transmittal.known_keys import keyring_file, read_keyring
from zddc.zipped import ZipFolder, is_zip

_STATES = {
    "draft": "a draft: nothing vouches for its list",
    "digest": "published, not signed: who changed a file may have changed the list as well",
    "signed": "the list is as it was published",
}


def verify(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="A folder, a zip of one, or the HTML of a transmittal.")],
    known: Known = None,
    require_known: Annotated[
        bool, typer.Option("--require-known", help="Fail unless a known key has signed the transmittal.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Compare the files below DIR with the transmittal in it, with DIR/SHA256SUMS, or with both.

    A file is verified, changed, missing, extra (not in the list), moved or renamed (missing, and its bytes are in an
    extra file) or unreadable. A signature is valid with a known key, valid with an unknown key, or invalid. The exit
    status is 0 only if nothing differs. All bytes are read.

    Example: zddc verify received
    """
    if is_zip(path):
        with ZipFolder(path) as folder:
            return _verify(path, folder, "", known, require_known, as_json)
    place, name = (path.parent, path.name) if path.is_file() else (path, "")
    require_folder(place)
    return _verify(path, place, name, known, require_known, as_json)


def _verify(path: Path, folder: Root, name: str, known: Path | None, require_known: bool, as_json: bool) -> int:
    found = find_page(folder, name)
    if not found and name:
        raise UserError(path, "no transmittal", "give the HTML of a transmittal, or a folder")
    if not found and not require_known:
        findings = list(track_progress("verifying", hashing.verify(folder)))
        _print_findings(findings, as_json)
        return 1 if any(finding.kind != "verified" for finding in findings) else 0
    if not found:
        raise UserError(path, "no transmittal in it", "only a transmittal can be signed")
    report = _check(folder, *found, known)
    _print_report(report, as_json)
    trusted = any(one.verdict == "valid, known key" for one in report.judged.judgements)
    return 1 if report.differs or (require_known and not trusted) else 0


def _check(folder: Root, page: Page, acknowledgements: Sequence[Page], known: Path | None) -> Report:
    files = [*hashing.find_files(folder)]
    hashed = {file.path: file for file in track_progress("verifying", hashing.hash_files(folder, files), len(files))}

    def look_up(root: Root, path: str) -> HashedFile:
        return hashed.get(path) or hashing.hash_file(root, path)

    return check_delivery(folder, page, acknowledgements, read_keyring(known or keyring_file()), look_up)


def _print_report(report: Report, as_json: bool) -> None:
    print_page(report.judged, as_json)
    _print_findings(report.findings, as_json)
    if report.listed and (as_json or report.listed != report.findings):
        if not as_json:
            print_line(LIST_NAME)
        _print_findings(report.listed, as_json, LIST_NAME)
    for judged in report.acknowledgements:
        print_page(judged, as_json)


def print_page(judged: JudgedPage, as_json: bool) -> None:
    """Print what a transmittal is worth, and each of its signatures."""
    page, check = judged.page, judged.check
    if as_json:
        state = page.transmittal.state
        console.print_json({"path": page.name, "state": state, "digest": check.digest, "intact": check.intact})
    else:
        kind = "acknowledgement" if page.is_acknowledgement else "transmittal"
        print_line(f"{kind}: {page.name}")
        changed = "the list was changed after it was published"
        print_line(f"    {changed if check.intact is False else _STATES[page.transmittal.state]}")
    for one in judged.judgements:
        signature = one.signature
        if as_json:
            shown = {**asdict(signature), "fingerprint": signature.fingerprint, "verdict": one.verdict}
            console.print_json({"path": page.name, **shown, "name": one.name, "reason": one.reason})
            continue
        whose = ": ".join(filter(None, (one.verdict, one.name or one.reason)))
        who = ", ".join(filter(None, (signature.fingerprint, signature.label, signature.signed_at)))
        unsigned = "" if signature.attested or not signature.valid else "; nothing vouches for name and time"
        print_line(f"    signature: {whose} ({who}{unsigned})")
    if not judged.judgements and not as_json:
        print_line("    signature: none")


def _print_findings(findings: Iterable[Finding], as_json: bool, source: str = "") -> None:
    findings = [*findings]
    for finding in findings:
        if as_json:
            console.print_json({**asdict(finding), **({"list": source} if source else {})})
        elif finding.kind != "verified":
            arrow = " -> " if finding.kind in ("moved", "renamed") else ": "
            print_line(f"{finding.kind}: {finding.path}{arrow + finding.detail if finding.detail else ''}")
    if not as_json:
        counts = count_findings(findings)
        print_line("; ".join(f"{kind}: {counts[kind]}" for kind in get_args(Kind)))
