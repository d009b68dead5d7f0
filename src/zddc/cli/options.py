"""Options that several commands share, and the checks of what was given."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zddc.errors import UserError
from zddc.transmittal.keys import KeyFileError, open_key, read_key_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
ROOT_HELP = "The root of the archive; the environment variable ZDDC_ROOT may name it instead."
Root = Annotated[Path, typer.Option("--root", metavar="DIR", envvar="ZDDC_ROOT", help=ROOT_HELP)]
Known = Annotated[
    Path | None,
    typer.Option("--known", metavar="FILE", help="The file of known keys; by default your own, see 'zddc keys list'."),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="The password is the first line of FILE, not asked for."),
]
SignKey = Annotated[Path | None, typer.Option("--sign", metavar="KEYFILE", help="Sign with this key file.")]


def require_folder(folder: Path) -> None:
    """Raise :class:`UserError` for what is not a folder."""
    if not folder.is_dir():
        problem = "not a folder" if folder.exists() else "no such folder"
        raise UserError(folder, problem, "give a folder that is there")


def read_text(file: Path) -> str:
    """Return the text of a file in UTF-8; raise :class:`UserError` for any other."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(file, "not UTF-8", "save it as UTF-8") from None


def read_password(file: Path | None, prompt: str, *, twice: bool = False) -> str:
    """Return the password in the first line of a file, or one that the user types.

    Raises :class:`UserError` where there is neither a file nor a terminal.
    """
    if file:
        return read_text(file).split("\n")[0].removesuffix("\r")
    if not sys.stdin.isatty():
        raise UserError(prompt, "no password", "give --password-file FILE where no terminal is")
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))


def open_signing_key(key: Path | None, password_file: Path | None) -> "EllipticCurvePrivateKey | None":
    """Return the key of a key file, asking for its password where it has one; None where no file is given."""
    if not key:
        return None
    file = read_key_file(key)
    password = read_password(password_file, f"password of {key.name}") if file.is_encrypted else ""
    try:
        return open_key(file, password)
    except KeyFileError as error:
        raise UserError(key, str(error), "try again, or take another key file") from None
