"""Digests and signatures: SHA-256 of the canonical payload, ECDSA on P-256 over five fields of the envelope.

A signature covers neither who gave it nor when, so ours come with an attestation: a second one, over both of these.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from zddc.canonical import Json, JsonError, canonical_bytes
from zddc.errors import UserError
from zddc.transmittal.data import DIGEST_ALGORITHM, SIGNATURE_ALGORITHM, Transmittal, text_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

SIGNED_FIELDS = ("digest", "digestAlgorithm", "digestedAt", "signatureAlgorithm", "version")
ATTESTATION = "zddc-attestation-v1"
FINGERPRINT_DIGITS = 12

_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}")
# The last letter has four bits that count for nothing: only one way to write a signature is taken.
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{85}[AQgw]==")
_BYTES = 32

Verdict = Literal["valid, known key", "valid, unknown key", "invalid"]


class KeyFormatError(ValueError):
    """Not a key of this curve; the message is the reason."""


@dataclass(frozen=True)
class Signature:
    """A signature, judged. ``thumbprint`` is of the whole key, in hexadecimal; ``reason`` says why it is not valid.

    Only where it is ``attested``, who (``label``) and when (``signed_at``) are signed too.
    """

    valid: bool
    reason: str = ""
    thumbprint: str = ""
    label: str = ""
    signed_at: str = ""
    attested: bool = False

    @property
    def fingerprint(self) -> str:
        """The start of the thumbprint, as people compare it."""
        return self.thumbprint[:FINGERPRINT_DIGITS]


@dataclass(frozen=True)
class Check:
    """What the bytes of a transmittal say: whether its ``digest`` is right, None for a draft; and its signatures."""

    digest: str
    intact: bool | None
    signatures: tuple[Signature, ...] = ()


def payload_digest(payload: Mapping[str, Json]) -> str:
    """Return the SHA-256 of the canonical payload in hexadecimal; raise :class:`JsonError` where it has none."""
    return hashlib.sha256(canonical_bytes(payload)).hexdigest()


def check_signatures(transmittal: Transmittal) -> Check:
    """Compute the digest; where it is the one of the envelope, judge each signature on its own."""
    digest, envelope = payload_digest(transmittal.payload), transmittal.envelope
    if transmittal.state == "draft":
        return Check(digest, None)
    intact = text_of(envelope, "digest").lower() == digest
    judged = (_judge(one, transmittal) for one in transmittal.signatures)
    if not intact:
        judged = (replace(one, valid=False, attested=False, reason="the payload was changed") for one in judged)
    return Check(digest, intact, tuple(judged))


def _judge(entry: Mapping[str, Json], transmittal: Transmittal) -> Signature:
    label, signed_at = text_of(entry, "label"), text_of(entry, "signedAt")
    told = Signature(False, label=label, signed_at=signed_at)
    try:
        key, print_ = read_public_key(entry.get("publicKeyJwk"))
    except KeyFormatError as error:
        return replace(told, reason=str(error))
    told = replace(told, thumbprint=print_)
    try:
        signed = envelope_bytes(transmittal.envelope)
    except JsonError as error:
        return replace(told, reason=error.reason)
    if not _is_signature(key, entry.get("signature"), signed):
        return replace(told, reason="the signature is not that of this envelope")
    if "attestation" not in entry:
        return replace(told, valid=True)
    claims = attestation_bytes(text_of(transmittal.envelope, "digest"), label, signed_at, print_)
    if not _is_signature(key, entry["attestation"], claims):
        return replace(told, reason="who signed or when was changed since")
    return replace(told, valid=True, attested=True)


def envelope_bytes(envelope: Mapping[str, Json]) -> bytes:
    """Return what is signed: the canonical form of five fields of the envelope, as they stand there."""
    missing = [name for name in SIGNED_FIELDS if name not in envelope]
    if missing:
        raise JsonError(f"the envelope has no {missing[0]}")
    return canonical_bytes({name: envelope[name] for name in SIGNED_FIELDS})


def attestation_bytes(digest: str, label: str, signed_at: str, thumbprint: str) -> bytes:
    """Return what an attestation signs."""
    claims = {"digest": digest.lower(), "keyThumbprint": thumbprint, "label": label, "signedAt": signed_at}
    return canonical_bytes({"type": ATTESTATION, **claims})


def make_envelope(payload: Mapping[str, Json], now: datetime) -> dict[str, Json]:
    """Return the envelope of a payload, without a signature."""
    return {
        "version": 1,
        "digestAlgorithm": DIGEST_ALGORITHM,
        "digest": payload_digest(payload),
        "digestedAt": format_instant(now),
        "signatureAlgorithm": SIGNATURE_ALGORITHM,
        "signatures": [],
    }


def add_signature(transmittal: Transmittal, key: "EllipticCurvePrivateKey", label: str, now: datetime) -> Transmittal:
    """Return the transmittal with one more signature; nothing that is signed already changes.

    Raises ValueError where the digest is not that of the payload: nobody should sign what was changed.
    """
    if not check_signatures(transmittal).intact:
        raise ValueError("the digest is not that of the payload")
    jwk, signed_at = public_jwk(key.public_key()), format_instant(now)
    claims = attestation_bytes(text_of(transmittal.envelope, "digest"), label, signed_at, thumbprint(jwk))
    entry: dict[str, Json] = {
        "signature": _sign(key, envelope_bytes(transmittal.envelope)),
        "signedAt": signed_at,
        "publicKeyJwk": jwk,
        **({"label": label} if label else {}),
        "attestation": _sign(key, claims),
    }
    envelope = {**transmittal.envelope, "signatures": [*transmittal.signatures, entry]}
    return replace(transmittal, envelope=envelope)


def format_instant(moment: datetime) -> str:
    """Return a time in UTC with milliseconds, as JavaScript writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def thumbprint(jwk: Mapping[str, Json]) -> str:
    """Return the SHA-256, in hexadecimal, of a public key as RFC 7638 writes it down."""
    return hashlib.sha256(canonical_bytes({name: jwk[name] for name in ("crv", "kty", "x", "y")})).hexdigest()


def read_public_key(jwk: Json) -> tuple["EllipticCurvePublicKey", str]:
    """Return a public key and its thumbprint; raise :class:`KeyFormatError` for any other key."""
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric import ec

    if not isinstance(jwk, Mapping):
        raise KeyFormatError("no public key")
    if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        raise KeyFormatError("a key of another curve than P-256")
    x, y = (read_coordinate(jwk.get(name)) for name in ("x", "y"))
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise KeyFormatError("a key that is no point of the curve") from None
    return key, thumbprint(jwk)


def read_coordinate(text: Json) -> int:
    """Return the number that a JWK has as base64url; raise :class:`KeyFormatError` for any other length or form."""
    if isinstance(text, str) and _COORDINATE.fullmatch(text):
        number = int.from_bytes(base64.urlsafe_b64decode(text + "="))
        if format_coordinate(number) == text:
            return number
    raise KeyFormatError("a number of the key is not 32 bytes in base64url")


def format_coordinate(number: int) -> str:
    """Return a number of a key as a JWK has it: always 32 bytes."""
    return base64.urlsafe_b64encode(number.to_bytes(_BYTES)).decode().rstrip("=")


def public_jwk(key: "EllipticCurvePublicKey") -> dict[str, Json]:
    """Return a public key as JWK."""
    numbers = key.public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": format_coordinate(numbers.x), "y": format_coordinate(numbers.y)}


def _sign(key: "EllipticCurvePrivateKey", data: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    r, s = decode_dss_signature(key.sign(data, ECDSA(SHA256())))
    return base64.b64encode(r.to_bytes(_BYTES) + s.to_bytes(_BYTES)).decode()


def _is_signature(key: "EllipticCurvePublicKey", text: Json, data: bytes) -> bool:
    if not isinstance(text, str) or not _SIGNATURE.fullmatch(text):
        return False
    try:
        return is_raw_signature(key, base64.b64decode(text, validate=True), data)
    except binascii.Error:
        return False


def is_raw_signature(key: "EllipticCurvePublicKey", signature: bytes, data: bytes) -> bool:
    """Return whether ``signature`` (r and s, 32 bytes each, as Web Crypto has it) is that of the data under the key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    if len(signature) != 2 * _BYTES:
        return False
    r, s = int.from_bytes(signature[:_BYTES]), int.from_bytes(signature[_BYTES:])
    try:
        key.verify(encode_dss_signature(r, s), data, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def require_cryptography() -> None:
    """Raise :class:`UserError` where the library of signatures is not installed."""
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError:
        raise UserError("zddc", "the package cryptography is missing", "pip install 'zddc[sign]'") from None
