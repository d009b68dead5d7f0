"""Key files: a private key for signing, plain or encrypted with a password."""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zddc.canonical import Json, JsonError, parse_json
from zddc.durable import write_new
from zddc.errors import UserError
from zddc.transmittal.data import text_of
from zddc.transmittal.signatures import (
    KeyFormatError,
    format_coordinate,
    public_jwk,
    read_coordinate,
    read_public_key,
    require_cryptography,
    thumbprint,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

FORMAT, KDF = "zddc-signing-key-v1", "PBKDF2-SHA256"
# The second is the number that other programs take, whatever the file says.
ITERATIONS, COMPATIBLE_ITERATIONS = 600_000, 100_000
FEWEST_ITERATIONS, MOST_ITERATIONS = 1_000, 10_000_000
_SALT_BYTES, _IV_BYTES, _LARGEST_FILE = 16, 12, 64 << 10
_FINGERPRINT = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True)
class KeyFile:
    """A key file as it was read: its fields, not decrypted."""

    fields: Mapping[str, Json]

    @property
    def is_encrypted(self) -> bool:
        """Whether it takes a password."""
        return self.fields["encrypted"] is True

    @property
    def fingerprint(self) -> str:
        """The fingerprint that the file claims; :func:`open_key` checks it."""
        return text_of(self.fields, "publicFingerprint").lower()


class KeyFileError(ValueError):
    """Not a key file, or not its password; the message is the reason."""


def generate_key() -> "EllipticCurvePrivateKey":
    """Return a new private key."""
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def parse_key_file(content: bytes) -> KeyFile:
    """Return a key file; raise :class:`KeyFileError` for what is none, and for a form that is not known."""
    if len(content) > _LARGEST_FILE:
        raise KeyFileError(f"more than {_LARGEST_FILE >> 10} KiB")
    try:
        fields = parse_json(content)
    except JsonError as error:
        raise KeyFileError(str(error)) from None
    if not isinstance(fields, Mapping) or fields.get("format") != FORMAT:
        raise KeyFileError(f"the format is not {FORMAT}")
    if not isinstance(fields.get("encrypted"), bool):
        raise KeyFileError("it does not say whether it is encrypted")
    if not _FINGERPRINT.fullmatch(text_of(fields, "publicFingerprint").lower()):
        raise KeyFileError("no publicFingerprint")
    if fields["encrypted"]:
        _check_encryption(fields)
    return KeyFile(fields)


def _check_encryption(fields: Mapping[str, Json]) -> None:
    if fields.get("kdf") != KDF:
        raise KeyFileError(f"the kdf is not {KDF}")
    iterations = fields.get("iterations")
    if not isinstance(iterations, int) or not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
        raise KeyFileError(f"the iterations are not between {FEWEST_ITERATIONS} and {MOST_ITERATIONS}")
    if len(_bytes(fields, "salt")) != _SALT_BYTES or len(_bytes(fields, "iv")) != _IV_BYTES:
        raise KeyFileError(f"salt and iv are not of {_SALT_BYTES} and {_IV_BYTES} bytes")
    _bytes(fields, "ciphertext")


def _bytes(fields: Mapping[str, Json], name: str) -> bytes:
    try:
        return base64.b64decode(text_of(fields, name), validate=True)
    except binascii.Error:
        raise KeyFileError(f"{name} is no base64") from None


def open_key(file: KeyFile, password: str = "") -> "EllipticCurvePrivateKey":
    """Return the private key; raise :class:`KeyFileError` where the password is wrong, or the key is none."""
    if file.is_encrypted:
        try:
            jwk = parse_json(_decrypt(file.fields, password))
        except JsonError:
            raise KeyFileError("what it holds is no key") from None
    else:
        jwk = file.fields.get("key")
    key = read_private_key(jwk)
    if not thumbprint(public_jwk(key.public_key())).startswith(file.fingerprint):
        raise KeyFileError("its fingerprint is not that of the key")
    return key


def read_private_key(jwk: Json) -> "EllipticCurvePrivateKey":
    """Return the private key of a JWK; raise :class:`KeyFileError` for any other."""
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        public, _ = read_public_key(jwk)
        number = read_coordinate(jwk.get("d") if isinstance(jwk, Mapping) else None)
        return ec.EllipticCurvePrivateNumbers(number, public.public_numbers()).private_key()
    except KeyFormatError as error:
        raise KeyFileError(str(error)) from None
    except ValueError:
        raise KeyFileError("its private part is not that of its public part") from None


def write_key(key: "EllipticCurvePrivateKey", password: str | None, iterations: int = ITERATIONS) -> bytes:
    """Return a key file; plain only where the password is None. An empty password is refused with ValueError."""
    if password == "":
        raise ValueError("the password is empty")
    public = public_jwk(key.public_key())
    head: dict[str, Json] = {"format": FORMAT, "publicFingerprint": thumbprint(public)[:12]}
    jwk: dict[str, Json] = {**public, "d": format_coordinate(key.private_numbers().private_value)}
    if password is None:
        return _dump({**head, "encrypted": False, "key": jwk})
    salt, iv = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_IV_BYTES)
    texts = {name: base64.b64encode(value).decode() for name, value in (("salt", salt), ("iv", iv))}
    fields: dict[str, Json] = {**head, "encrypted": True, "kdf": KDF, "iterations": iterations, **texts}
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    secret = AESGCM(_derive(fields, password)).encrypt(iv, json.dumps(jwk).encode(), None)
    return _dump({**fields, "ciphertext": base64.b64encode(secret).decode()})


def _dump(fields: Mapping[str, Json]) -> bytes:
    return json.dumps(fields, indent=2).encode() + b"\n"


def _derive(fields: Mapping[str, Json], password: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    iterations = fields["iterations"]
    kdf = PBKDF2HMAC(SHA256(), 32, _bytes(fields, "salt"), iterations if isinstance(iterations, int) else 0)
    return kdf.derive(password.encode())


def _decrypt(fields: Mapping[str, Json], password: str) -> bytes:
    require_cryptography()
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(_derive(fields, password)).decrypt(_bytes(fields, "iv"), _bytes(fields, "ciphertext"), None)
    except (InvalidTag, ValueError):
        # Which of both it is must not be told, and cannot be.
        raise KeyFileError("the password is wrong, or the file is damaged") from None


def read_key_file(file: Path) -> KeyFile:
    """Read a key file; raise :class:`UserError` for what is none."""
    with file.open("rb") as stream:
        content = stream.read(_LARGEST_FILE + 1)
    try:
        return parse_key_file(content)
    except KeyFileError as error:
        raise UserError(file, str(error), "give a key file; 'zddc keys new' makes one") from None


def save_key_file(file: Path, content: bytes) -> None:
    """Write a key file that its owner alone can read; raise :class:`UserError` if there is one already."""
    try:
        write_new(file, content, mode=0o600)
    except FileExistsError:
        raise UserError(file, "there already", "no key is ever overwritten; give another name") from None
