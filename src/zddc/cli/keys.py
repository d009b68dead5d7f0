"""Commands on keys: ``keys new``, ``keys show``, ``keys trust`` and ``keys list``."""

from pathlib import Path
from typing import Annotated

import typer

from zddc import console
from zddc.cli.options import Json, Known, PasswordFile, open_signing_key, read_password
from zddc.cli.output import print_columns, print_line
from zddc.errors import UserError
from zddc.transmittal.data import read_transmittal
from zddc.transmittal.keys import (
    COMPATIBLE_ITERATIONS,
    ITERATIONS,
    generate_key,
    read_key_file,
    save_key_file,
    write_key,
)
from zddc.transmittal.known_keys import KnownKey, is_day, keyring_file, read_keyring
from zddc.transmittal.known_keys import trust as trust_key
from zddc.transmittal.signatures import FINGERPRINT_DIGITS, Signature, check_signatures, public_jwk, thumbprint

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_PAGES = (".html", ".htm")


@app.callback()
def keys() -> None:
    """Make keys for signing transmittals, and say whose keys you know."""


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The key file to write, such as acme.zddc-key.")],
    compatible: Annotated[
        bool, typer.Option("--compatible", help="Weaker encryption, which other programs can open too.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="No password: whoever reads FILE can sign as you.")] = False,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Make a key and write it to FILE, which only you can read, encrypted with a password.

    Tell others the fingerprint in another way than by e-mail. Nobody can recover a lost password.

    Example: zddc keys new acme.zddc-key
    """
    if plain and (password_file or compatible):
        raise UserError("--plain", "there is no password then", "leave --plain away, or the other option")
    password = None if plain else read_password(password_file, f"a password for {file.name}", twice=True)
    if password == "":
        raise UserError(file, "the password is empty", "give one, or --plain")
    key = generate_key()
    save_key_file(file, write_key(key, password, COMPATIBLE_ITERATIONS if compatible else ITERATIONS))
    print_ = thumbprint(public_jwk(key.public_key()))
    if plain:
        console.err.print(f"{file}: not encrypted; whoever can read this file can sign in your name")
    if as_json:
        console.print_json({"path": str(file), "fingerprint": print_[:FINGERPRINT_DIGITS], "thumbprint": print_})
    else:
        print_line(f"{file}: key {print_[:FINGERPRINT_DIGITS]}")


@app.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A key file, or a transmittal that is signed.")],
    as_json: Json = False,
) -> None:
    """Print the fingerprint of a key file, or of each key that has signed a transmittal.

    Example: zddc keys show acme.zddc-key
    """
    if file.suffix.lower() in _PAGES:
        rows = [(one.fingerprint, one.label, "valid" if one.valid else one.reason) for one in _signatures(file)]
    else:
        key = read_key_file(file)
        rows = [(key.fingerprint, "", "encrypted" if key.is_encrypted else "not encrypted")]
    for fingerprint, label, remark in rows:
        if as_json:
            console.print_json({"fingerprint": fingerprint, "label": label, "remark": remark})
        else:
            print_line("  ".join(filter(None, (fingerprint, label, remark))))


@app.command()
def trust(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A transmittal that is signed, or a key file.")],
    fingerprint: Annotated[str, typer.Argument(help="The fingerprint, as the owner of the key told it to you.")],
    name: Annotated[str, typer.Option("--name", help="Whose key it is.")],
    since: Annotated[str, typer.Option("--since", help="The first day on which it is good, YYYY-MM-DD.")] = "",
    until: Annotated[str, typer.Option("--until", help="The last day on which it is good, YYYY-MM-DD.")] = "",
    known: Known = None,
    password_file: PasswordFile = None,
) -> None:
    """Take the key with this fingerprint for the one of NAME from now on.

    Ask the owner for the fingerprint by telephone or on paper. Run it again to change the name or the days.

    Example: zddc keys trust transmittal.html 3ce08add15c9 --name "Acme document control"
    """
    for day in filter(None, (since, until)):
        if not is_day(day):
            raise UserError(day, "not a date", "write it as YYYY-MM-DD")
    if len(fingerprint) < FINGERPRINT_DIGITS:
        raise UserError(fingerprint, "too short", f"a fingerprint has {FINGERPRINT_DIGITS} digits")
    if file.suffix.lower() in _PAGES:
        there = {one.thumbprint for one in _signatures(file) if one.valid}
    else:
        key = open_signing_key(file, password_file)
        there = {thumbprint(public_jwk(key.public_key()))} if key else set()
    found = [one for one in sorted(there) if one.startswith(fingerprint.lower())]
    if len(found) != 1:
        raise UserError(file, f"no valid signature and no key with the fingerprint {fingerprint}", "compare it again")
    place = known or keyring_file()
    trust_key(place, KnownKey(found[0], name, since, until))
    print_line(f"{found[0][:FINGERPRINT_DIGITS]} is the key of {name} from now on: {place}")


@app.command()
def list(known: Known = None, as_json: Json = False) -> None:
    """Print the keys that you know.

    Example: zddc keys list
    """
    place = known or keyring_file()
    rows = [(one.thumbprint[:FINGERPRINT_DIGITS], one.name, one.since, one.until) for one in read_keyring(place)]
    headings = ("fingerprint", "name", "since", "until")
    if as_json:
        for row in rows:
            console.print_json(dict(zip(headings, row, strict=True)))
    else:
        print_columns(headings, rows)
        print_line(f"{place}: {len(rows)} keys")


def _signatures(file: Path) -> tuple[Signature, ...]:
    return check_signatures(read_transmittal(file)).signatures
