"""The token that clients send to a server that other machines can reach: found, or else made, kept and shown once."""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from weakspot.access.request_guard import is_loopback
from weakspot.settings import Gateway
from zddc.errors import UserError

_SHORTEST = 16
_FILE = "token"
_REMEDY = "mend that, or name an environment variable with a token in [gateway] token_env"


@dataclass(frozen=True)
class Token:
    """The token, and where it comes from; ``is_new`` until it is kept."""

    value: str
    source: str
    is_new: bool = False


def needs_token(settings: Gateway, listen: str) -> bool:
    """Whether clients of a server that listens on HOST:PORT must send a token."""
    return bool(settings.token_env) or not is_loopback(listen.rpartition(":")[0])


def find_or_make_token(settings: Gateway, listen: str) -> Token | None:
    """Return the token that clients must send, None on loopback; a new one, to be kept, where the user has none.

    Raises :class:`UserError` where it is too short, or others can read it.
    """
    if not needs_token(settings, listen):
        return None
    if name := settings.token_env:
        value = os.environ.get(name, "").strip()
        if not value:
            raise UserError("[gateway] token_env", f"{name} is not set where weakspot runs", f"export {name}")
        return Token(_require_length(value, name), name)
    return _read_or_make(token_file())


def keep_token(token: Token | None) -> None:
    """Write a new token to the user's file; raise :class:`UserError` where that cannot be."""
    if token is None or not token.is_new:
        return
    file = Path(token.source)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as stream:
            stream.write(f"{token.value}\n")
    except OSError as error:
        raise UserError(file, (error.strerror or "cannot be written").lower(), _REMEDY) from None


def describe_exposure(listen: str, token: Token | None) -> list[str]:
    """Return what a server's start says about who reaches it; nothing on loopback without a token."""
    if token is None:
        return []
    lines = [f'clients send the token of {token.source} as their API key ("Authorization: Bearer ...")']
    if token.is_new:
        lines.append(f"the token, which is shown this once: {token.value}")
    if not is_loopback(listen.rpartition(":")[0]):
        seen = "other machines reach it, without encryption: who has the token can spend at your teachers"
        lines.insert(0, f"{seen} and read what the local model's server knows")
    return lines


def token_file() -> Path:
    """Return the file of the user's that keeps the token."""
    given = os.environ.get("XDG_CONFIG_HOME")
    return (Path(given) if given else Path.home() / ".config") / "weakspot" / _FILE


def _read_or_make(file: Path) -> Token:
    try:
        if not file.exists():
            return Token(secrets.token_urlsafe(32), str(file), is_new=True)
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UserError(file, "others can read the token", f"chmod 600 {file}")
        return Token(_require_length(file.read_text(encoding="utf-8").strip(), str(file)), str(file))
    except (OSError, UnicodeError) as error:
        raise UserError(file, getattr(error, "strerror", None) or str(error), _REMEDY) from None


def _require_length(value: str, source: str) -> str:
    if len(value) < _SHORTEST:
        raise UserError(source, f"a token of fewer than {_SHORTEST} characters can be guessed", "make a longer one")
    return value
