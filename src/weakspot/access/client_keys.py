"""Keys of named clients: made and shown once, kept as hashes in the workspace, found again in a request, removed.

The file is append-only: a line for each key that was made or removed. A key is 256 random bits, so its plain SHA-256
tells nobody what it is.
"""

import contextlib
import hashlib
import hmac
import logging
import os
import re
import secrets
import string
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from weakspot.records import Record
from weakspot.storage import append_log
from weakspot.storage.ledger import Limits
from zddc.errors import UserError

PREFIX = "wk-"
_ALPHABET, _LENGTH = string.ascii_letters + string.digits, 43  # 256 bits, and a double click selects all of it
_KEY = re.compile(rf"{PREFIX}[{_ALPHABET}]{{{_LENGTH}}}")
# Whatever says that it is such a key, also behind a scheme or another key.
_CLAIM = re.compile(rf"(?<![A-Za-z0-9_-]){PREFIX}")
# What to say of a field that is not what it must be: the problem, and the remedy.
_WRONG = {
    "client": ("not a client's name", "use lower-case letters, digits, '.', '-' and '_', at most 64"),
    "budget_usd_per_day": ("no sum", "give US dollars, 0 or more"),
    "consultations_per_hour": ("no number of consultations", "give 0 or more"),
}
_log = logging.getLogger(__name__)


class Client(Record):
    """A line of the file: a named client with the SHA-256 of its key, which is empty where the key was removed.

    A limit of None is none of its own; those of the teachers hold for everybody.
    """

    client: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    sha256: str = Field(pattern=r"^([0-9a-f]{64})?$")
    timestamp: str
    budget_usd_per_day: float | None = Field(None, ge=0, allow_inf_nan=False)
    consultations_per_hour: int | None = Field(None, ge=0)

    @property
    def account(self) -> str:
        """The client's account in the ledger; a teacher's name has no colon."""
        return f"client:{self.client}"

    @property
    def limits(self) -> Limits:
        """What the client may spend."""
        return Limits(self.budget_usd_per_day, self.consultations_per_hour)


class Clients:
    """The clients of a workspace as its file is now: who holds this sees what is added and removed meanwhile."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version: tuple[int, int, int] | None = None
        self._known: list[Client] = []

    def all(self) -> list[Client]:
        """Return the clients that have a key, by name; nobody has one where the file cannot be read."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            self._version, self._known = None, []
            return []
        version = (found.st_ino, found.st_size, found.st_mtime_ns)
        if version != self._version:
            self._known, self._version = _read_clients(self._file), version
        return self._known

    def find(self, key: str) -> Client | None:
        """Return the client of a key, None for no client's; the time taken tells nothing of the keys there are."""
        digest, found = _sha256(key), None
        for one in self._all_or_none():
            if hmac.compare_digest(one.sha256, digest):
                found = one
        return found

    def _all_or_none(self) -> list[Client]:
        try:
            return self.all()
        except OSError as error:
            _log.error("no client's key is accepted: %s", error)
            return []


def add_client(
    file: Path,
    name: str,
    budget_usd_per_day: float | None = None,
    consultations_per_hour: int | None = None,
    *,
    allow_network: bool = False,
) -> str:
    """Make a key for a client with a name, keep its hash, and return the key, which is nowhere else.

    Raises :class:`UserError` for a name or a limit that is none, and for a client that has a key.
    """
    key = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    try:
        made = Client(
            client=name,
            sha256=_sha256(key),
            timestamp=_now(),
            budget_usd_per_day=budget_usd_per_day,
            consultations_per_hour=consultations_per_hour,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        raise UserError(f"{field} {str(first['input'])[:80]!r}", *_WRONG[field]) from None
    _require(name, exists=False, file=file)
    append_log.append(file, [made.to_json()], allow_network=allow_network)
    if made not in Clients(file).all():  # of two at once the first counts
        _require(name, exists=False, file=file)
    return key


def remove_client(file: Path, name: str, *, allow_network: bool = False) -> None:
    """Remove a client's key: from now on no server accepts it. Raises :class:`UserError` where there is none."""
    _require(name, exists=True, file=file)
    gone = Client(client=name, sha256="", timestamp=_now())
    append_log.append(file, [gone.to_json()], allow_network=allow_network)


def holds_key(text: str) -> bool:
    """Whether a text has a client's key in it, known or not."""
    return _KEY.search(text) is not None


def claims_key(credential: str) -> bool:
    """Whether a credential says that it is a client's key, whole or not."""
    return _CLAIM.search(credential) is not None


def without_keys(text: str) -> str:
    """Return a text with a placeholder in the place of every client's key."""
    return _KEY.sub("<API_KEY>", text)


def _require(name: str, *, exists: bool, file: Path) -> None:
    known = [one.client for one in Clients(file).all()]
    if exists and name not in known:
        there = f"there are {', '.join(known)}" if known else "no client has a key"
        raise UserError(f"client {name[:80]!r}", "has no key", there)
    if not exists and name in known:
        raise UserError(f"client {name}", "has a key already", f"remove it first: weakspot keys remove {name}")


def _read_clients(file: Path) -> list[Client]:
    known: dict[str, Client] = {}
    for line in append_log.read_lines(file):
        with contextlib.suppress(ValueError):  # half a line, which a killed command left
            one = Client.from_json(line.data)
            if not one.sha256:
                known.pop(one.client, None)
            else:
                known.setdefault(one.client, one)
    return [known[name] for name in sorted(known)]


def _sha256(key: str) -> str:
    return hashlib.sha256(os.fsencode(key)).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
