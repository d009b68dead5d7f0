"""The commands that send and take a transmittal: ``transmit`` and ``receive``."""

from pathlib import Path
from typing import Annotated

import typer

from zddc import console
from zddc.cli.options import (
    Json,
    Known,
    PasswordFile,
    SignKey,
    open_signing_key,
    read_text,
    require_folder,
)
from zddc.cli.output import print_line
from zddc.cli.verification import print_page
from zddc.errors import UserError
from zddc.receiving import Receiver, RefusedError, destination
from zddc.receiving import receive as receive_folder
from zddc.transmittal.data import Transmittal
from zddc.transmittal.known_keys import keyring_file, read_keyring
from zddc.transmittal.publishing import NotReadyError, fields_of, now, prepare, publish, rename_folder
from zddc.transmittal.signatures import add_signature


def transmit(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that is sent.")],
    sender: Annotated[str, typer.Option("--from", help="Who sends it.")] = "",
    to: Annotated[str, typer.Option("--to", help="Who gets it.")] = "",
    number: Annotated[str, typer.Option("--number", help="Its tracking number; by default that of DIR.")] = "",
    date: Annotated[str, typer.Option("--date", help="Its date, YYYY-MM-DD; by default that of DIR.")] = "",
    purpose: Annotated[str, typer.Option("--purpose", help="A status such as IFC; by default that of DIR.")] = "",
    title: Annotated[str, typer.Option("--title", help="Its title; by default that of DIR.")] = "",
    kind: Annotated[str, typer.Option("--type", help="Transmittal, Submittal, or any other words.")] = "",
    due: Annotated[str, typer.Option("--due", help="When the answer to a Submittal is due, YYYY-MM-DD.")] = "",
    client: Annotated[str, typer.Option("--client", help="For whom the project is done.")] = "",
    project: Annotated[str, typer.Option("--project", help="The name of the project.")] = "",
    project_number: Annotated[str, typer.Option("--project-number", help="The number of the project.")] = "",
    remarks: Annotated[str, typer.Option("--remarks", help="Remarks, in Markdown; @FILE reads them.")] = "",
    draft: Annotated[bool, typer.Option("--draft", help="Write a draft, which may be incomplete.")] = False,
    rename: Annotated[bool, typer.Option("--rename", help="Give DIR the name that the transmittal says.")] = False,
    sign: SignKey = None,
    label: Annotated[str, typer.Option("--label", help="As whom you sign, such as 'Document control'.")] = "",
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> int:
    """Write the transmittal of DIR into it: an HTML that lists every file with its SHA-256, and SHA256SUMS.

    The name of DIR says date, number, purpose and title: '2025-10-31_ACME-TRN-0007 (IFC) - Civil package'. Everything
    is checked first; a transmittal that was published is never written again. Hidden files are not sent.

    Example: zddc transmit "2025-10-31_ACME-TRN-0007 (IFC) - Civil package" --from Acme --to Pipe-Co
    """
    require_folder(folder)
    given = {
        **{"from": sender, "to": to, "trackingNumber": number, "date": date, "purpose": purpose, "subject": title},
        **{"type": kind, "responseDue": due, "client": client, "project": project, "projectNumber": project_number},
        "remarks": _remarks(remarks),
    }
    if due and kind != "Submittal":
        raise UserError("--due", "only a Submittal asks for an answer", "add --type Submittal, or leave --due away")
    if draft and sign:
        raise UserError("--sign", "a draft is not signed", "leave --draft or --sign away")
    key = open_signing_key(sign, password_file)
    folder, moment = folder if folder.name else folder.absolute(), now()
    try:
        transmittal = prepare(folder, fields_of(folder, given), draft=draft, now=moment)
    except NotReadyError as error:
        for problem in error.problems:
            print_line(problem)
        raise
    if key:
        transmittal = add_signature(transmittal, key, label, moment)
    return _publish(folder, transmittal, rename, as_json)


def _remarks(text: str) -> str:
    return read_text(Path(text[1:])) if text.startswith("@") else text


def _publish(folder: Path, transmittal: Transmittal, rename: bool, as_json: bool) -> int:
    file = publish(folder, transmittal)
    if rename:
        file = rename_folder(folder, transmittal) / file.name
    if as_json:
        digest = transmittal.envelope.get("digest", "")
        files = len(transmittal.files)
        console.print_json({"path": str(file), "files": files, "state": transmittal.state, "digest": digest})
    else:
        print_line(f"{file}: {len(transmittal.files)} files, {transmittal.state}")
    return 0


def receive(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A transmittal folder in 'incoming', or a zip of one.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where it goes; by default 'received' beside 'incoming'.")
    ] = None,
    by: Annotated[str, typer.Option("--by", help="Who receives it; by default whom it was sent to.")] = "",
    accepted: Annotated[
        str, typer.Option("--accept-incomplete", metavar="REASON", help="Take it although it is not complete.")
    ] = "",
    known: Known = None,
    sign: SignKey = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> int:
    """Check a transmittal that came in, move it to 'received', and write an acknowledgement into it.

    Names, completeness, hashes and signatures must be right; else nothing is moved and each problem is printed. What
    was changed is never accepted. A zip is unpacked into 'received', and removed. The acknowledgement comes last: after
    a crash, run the command again.

    Example: zddc receive "Acme/incoming/2025-10-31_ACME-TRN-0007 (IFC) - Civil package" --sign ours.zddc-key
    """
    key = open_signing_key(sign, password_file)
    keys = read_keyring(known or keyring_file())
    try:
        receipt = receive_folder(folder, to or destination(folder), Receiver(by, "", keys, key, accepted), now())
    except RefusedError as error:
        for problem in error.problems:
            if as_json:
                console.print_json({"path": problem.path, "reason": problem.reason, "acceptable": problem.acceptable})
            else:
                print_line(f"{problem.path}: {problem.reason}")
        raise
    if as_json:
        console.print_json({"path": str(receipt.folder), "acknowledgement": str(receipt.acknowledgement)})
        return 0
    if receipt.report:
        print_page(receipt.report.judged, as_json)
    print_line(f"received: {receipt.folder}")
    print_line(f"acknowledgement: {receipt.acknowledgement.name}")
    return 0
