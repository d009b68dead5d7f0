"""Tokens by which programs, such as one that copies an archive, say who they are.

A token is shown once, when it is made. The store is a folder with a file for each token, whose name is the SHA-256 of
the token; so nobody can use what is in it. Only its owner can read it.
"""

import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from zddc.access.patterns import parse_email
from zddc.durable import open_folder, sync_folder, write_atomically
from zddc.errors import UserError

# Below the root of an archive, where nobody gets it.
FOLDER = Path(".zddc.d", "tokens")
LONGEST_DAYS, LONGEST_NOTE = 3650, 200

# The prefix lets programs that look for secrets in files find it.
_PREFIX = "zddc_"
_TOKEN = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{43}}")
_FILE = re.compile("[0-9a-f]{64}")
_ID_LENGTH = 8
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class TokenError(ValueError):
    """What somebody gave as a token is none; the message says why, and is for the log of the server only."""


@dataclass(frozen=True, slots=True)
class Token:
    """What the store knows of a token. ``id`` is the beginning of its SHA-256; the times are UTC."""

    id: str
    email: str
    created: datetime
    expires: datetime
    note: str = ""


class TokenStore:
    """The tokens in a folder, which need not be there yet. Every question is answered from the disk as it is now."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self._clock = clock

    def issue(self, email: str, days: int, note: str = "") -> tuple[str, Token]:
        """Make a token for the person of an address; return it and what is stored. Raises :class:`UserError`."""
        try:
            email = parse_email(email)
        except ValueError as error:
            raise UserError(email, str(error), "give one address") from None
        if not 1 <= days <= LONGEST_DAYS:
            raise UserError("--days", f"{days} is out of range", f"give 1 to {LONGEST_DAYS}")
        if len(note) > LONGEST_NOTE or not note.isprintable():
            raise UserError("--note", "too long, or not only readable characters", f"give {LONGEST_NOTE} at most")
        self.folder.parent.mkdir(exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        taken = {name[:_ID_LENGTH] for name in self._names()}
        while (sha256 := _sha256(text := _PREFIX + secrets.token_urlsafe(32)))[:_ID_LENGTH] in taken:
            continue
        now = self._clock().replace(microsecond=0)
        token = Token(sha256[:_ID_LENGTH], email, now, now + timedelta(days=days), note)
        stored = asdict(token) | {"created": _format(token.created), "expires": _format(token.expires)}
        write_atomically(self.folder / sha256, f"{json.dumps(stored, indent=2)}\n".encode(), mode=0o600)
        return text, token

    def find(self, text: str) -> Token:
        """Return the token that this is; raise :class:`TokenError` where it is malformed, unknown or expired."""
        if not _TOKEN.fullmatch(text):
            raise TokenError("malformed")
        token = self._load(_sha256(text))
        if token.expires <= self._clock():
            raise TokenError(f"{token.id} has expired")
        return token

    def tokens(self) -> Iterator[Token | TokenError]:
        """Yield what is stored of each token, the first that expires first; last, what cannot be read, with why."""
        read, unreadable = [], []
        for name in self._names():
            try:
                read.append(self._load(name))
            except TokenError as error:
                unreadable.append(error)
        yield from sorted(read, key=lambda token: (token.expires, token.id))
        yield from unreadable

    def revoke(self, token_id: str) -> None:
        """Forget a token, by its id; raise :class:`UserError` if there is none."""
        names = [name for name in self._names() if name[:_ID_LENGTH] == token_id]
        if not names:
            raise UserError(token_id, "no such token", "see 'zddc token list'")
        with open_folder(self.folder) as folder:
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
            sync_folder(folder)  # so that no power cut brings it back

    def _names(self) -> list[str]:
        try:
            return sorted(file.name for file in self.folder.iterdir() if _FILE.fullmatch(file.name))
        except FileNotFoundError:
            return []

    def _load(self, sha256: str) -> Token:
        token_id = sha256[:_ID_LENGTH]
        try:
            file = open(self.folder / sha256, "rb", opener=_open)  # noqa: SIM115 - closed below
        except FileNotFoundError:
            raise TokenError(f"{token_id} is unknown") from None
        except OSError as error:
            raise TokenError(f"{token_id} cannot be read: {str(error.strerror).lower()}") from None
        with file:
            status = os.fstat(file.fileno())
            if (status.st_mode | self.folder.lstat().st_mode) & _OTHERS_MAY_WRITE or not stat.S_ISREG(status.st_mode):
                raise TokenError(f"{token_id} is not to be trusted: others may write its file or folder")
            try:
                return _parse(token_id, json.load(file))
            except (ValueError, TypeError, KeyError) as error:
                raise TokenError(f"{token_id} is damaged: {error}") from None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _parse(token_id: str, stored: dict[str, Any]) -> Token:
    if stored["id"] != token_id:
        raise ValueError("it is the file of another token")
    created, expires = (datetime.strptime(stored[key], _TIME).replace(tzinfo=UTC) for key in ("created", "expires"))
    return Token(token_id, parse_email(str(stored["email"])), created, expires, str(stored["note"]))


def _format(time: datetime) -> str:
    return time.strftime(_TIME)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
