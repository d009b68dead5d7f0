"""The keys that somebody has compared with their owner, and for which time each of them is good."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from zddc.canonical import Json, JsonError, parse_json
from zddc.durable import lock_folder, write_atomically
from zddc.errors import UserError
from zddc.transmittal.data import items, text_of
from zddc.transmittal.signatures import Signature, Verdict

FORMAT = "zddc-known-keys-v1"
_THUMBPRINT = re.compile(r"[0-9a-f]{64}")
_LARGEST_FILE = 16 << 20


@dataclass(frozen=True)
class KnownKey:
    """A key by its whole thumbprint, whose it is, and the days from which and up to which it is good."""

    thumbprint: str
    name: str
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Judgement:
    """The verdict on a signature; ``name`` is whose key it is, and ``reason`` why a verdict is not better."""

    verdict: Verdict
    signature: Signature
    name: str = ""
    reason: str = ""


class KnownKeysError(ValueError):
    """Not a file of known keys; the message is the reason."""


def keyring_file() -> Path:
    """Return where this user's known keys are."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "zddc" / "known-keys.json"


def parse_keyring(content: bytes) -> tuple[KnownKey, ...]:
    """Return the keys of a file; raise :class:`KnownKeysError` for what is none."""
    if len(content) > _LARGEST_FILE:
        raise KnownKeysError(f"more than {_LARGEST_FILE >> 20} MiB")
    try:
        whole = parse_json(content)
    except JsonError as error:
        raise KnownKeysError(str(error)) from None
    if not isinstance(whole, Mapping) or whole.get("format") != FORMAT:
        raise KnownKeysError(f"the format is not {FORMAT}")
    if not isinstance(whole.get("keys"), list):
        raise KnownKeysError("keys is no list")
    keys = [_parse_key(one, f"keys[{number}]") for number, one in enumerate(items(whole, "keys"))]
    if len({key.thumbprint for key in keys}) < len(keys):
        raise KnownKeysError("a key is there twice")
    return tuple(keys)


def _parse_key(value: Json, place: str) -> KnownKey:
    if not isinstance(value, Mapping):
        raise KnownKeysError(f"{place} is no object")
    if unknown := sorted(set(value) - {"thumbprint", "name", "since", "until"}):
        raise KnownKeysError(f"{place} has the unknown key '{unknown[0]}'")
    key = KnownKey(*(text_of(value, name) for name in ("thumbprint", "name", "since", "until")))
    if not _THUMBPRINT.fullmatch(key.thumbprint) or not key.name:
        raise KnownKeysError(f"{place} has no thumbprint of 64 digits, or no name")
    for day in filter(None, (key.since, key.until)):
        if not is_day(day):
            raise KnownKeysError(f"{place}: {day} is not a date written as YYYY-MM-DD")
    return key


def is_day(text: str) -> bool:
    """Return whether a text is a calendar date written as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def format_keyring(keys: Iterable[KnownKey]) -> bytes:
    """Return the file of these keys."""
    rows = [{name: value for name, value in asdict(key).items() if value} for key in keys]
    return json.dumps({"format": FORMAT, "keys": rows}, indent=2, ensure_ascii=False).encode() + b"\n"


def read_keyring(file: Path) -> tuple[KnownKey, ...]:
    """Read a file of known keys; none where there is no such file. Raises :class:`UserError` for any other file."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        return ()
    try:
        return parse_keyring(content)
    except KnownKeysError as error:
        raise UserError(file, str(error), "'zddc keys trust' writes such a file") from None


def trust(file: Path, key: KnownKey) -> None:
    """Add a key to a file, or change what is known of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with lock_folder(file.parent):  # two people of one office may do this at the same time
        others = [one for one in read_keyring(file) if one.thumbprint != key.thumbprint]
        write_atomically(file, format_keyring([*others, key]))


def judge(signature: Signature, keys: Iterable[KnownKey], digested_at: str) -> Judgement:
    """Return the verdict on a signature; a key is known on the days for which it is good.

    The day is when it was signed where that is attested, else that of the digest, which is signed always.
    """
    if not signature.valid:
        return Judgement("invalid", signature, reason=signature.reason)
    for key in keys:
        if key.thumbprint != signature.thumbprint:
            continue
        day = (signature.signed_at if signature.attested else digested_at)[:10]
        if is_day(day) and (key.since or day) <= day <= (key.until or day):
            return Judgement("valid, known key", signature, key.name)
        return Judgement("valid, unknown key", signature, reason=f"the key of {key.name} is not good on that day")
    return Judgement("valid, unknown key", signature, reason="compare the fingerprint with the sender")
