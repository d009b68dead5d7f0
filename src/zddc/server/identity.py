"""Tells who is asking: the one named for a local look, whom a trusted proxy or a token names, or nobody."""

import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from zddc.access.patterns import parse_email
from zddc.server.guard import Fields, RefusedError
from zddc.server.tokens import Token, TokenError, TokenStore

UNIX = "unix"
"""The peer of every connection on a socket file: it has no address."""
SECRET_HEADER = "x-zddc-proxy-secret"  # noqa: S105 - its name

_MOST_KNOWN = 1 << 12  # peers, persons, names of header fields
# What makes a list, a display name or a quotation of it.
_NOT_PLAIN = re.compile(r"[,;:<>()\[\]\"'\\/]")
_SEPARATOR = re.compile(r"[^0-9a-z]")


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking, and how that is known: "header", "local", "none", or "token:" and its id.

    ``was_ignored`` says that a header named somebody without being trusted.
    """

    email: str | None
    via: str
    was_ignored: bool = False


_NOBODY, _IGNORED = Person(None, "none"), Person(None, "none", was_ignored=True)


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """By what persons are known: ``local`` is who everybody is; else trusted peers may name them in ``header``.

    Others, and programs behind a trusted peer, may send one of ``tokens``.

    A trusted peer has an address in ``networks``, or is :data:`UNIX` where that is trusted, and sends ``secret`` where
    there is one.
    """

    header: str
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    trusts_unix: bool = False
    secret: str | None = None
    local: str | None = None
    tokens: TokenStore | None = None

    def recognise(self, fields: Fields, peer: str) -> Person:
        """Return who asks from a peer's address; raise :class:`RefusedError` where that could be read in two ways."""
        wanted = _fold(self.header)
        named = [(name, value) for name, value in fields if _fold(name) == wanted]
        if self.local:
            return Person(self.local, "local", was_ignored=bool(named))
        trusts = self.trusts_unix if peer == UNIX else _trusts(self, peer)
        if trusts:
            self._require_secret(fields)
        if token := self._token(fields):
            if trusts and named:
                raise RefusedError(400, "a header and a token both name a person")
            return Person(token.email, f"token:{token.id}", was_ignored=bool(named))
        if not trusts or not named:
            return _IGNORED if named else _NOBODY
        if len(named) > 1 or named[0][0] != self.header:
            raise RefusedError(400, "the header that names a person is there twice, or in another spelling")
        return _person_of(named[0][1])

    def _token(self, fields: Fields) -> Token | None:
        """Return the token that is sent; other ways of authorization are none of ours."""
        if self.tokens is None:
            return None
        scheme, _, text = dict(fields).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return self.tokens.find(text.strip())
        except TokenError as error:
            raise RefusedError(401, "the token is unknown or has expired", (("www-authenticate", "Bearer"),)) from error

    def _require_secret(self, fields: Fields) -> None:
        if self.secret is None:
            return
        given = [value for name, value in fields if name == SECRET_HEADER]
        if len(given) != 1 or not hmac.compare_digest(given[0].encode(), self.secret.encode()):
            raise RefusedError(400, "the proxy did not send its secret")


# A person asks many times.
@lru_cache(maxsize=_MOST_KNOWN)
def _person_of(value: str) -> Person:
    return Person(_plain_address(value), "header")


def _plain_address(value: str) -> str:
    if _NOT_PLAIN.search(value):
        raise RefusedError(400, "the header that names a person holds more than an address")
    try:
        return parse_email(value.strip(" \t"))
    except ValueError as error:
        raise RefusedError(400, f"the header that names a person {error}") from None


# A peer asks many times. An identity equals itself alone: to look at its networks would take longer.
@lru_cache(maxsize=_MOST_KNOWN)
def _trusts(identity: Identity, peer: str) -> bool:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in identity.networks)


# Clients always send the same header fields.
@lru_cache(maxsize=_MOST_KNOWN)
def _fold(name: str) -> str:
    """Return a header's name as the loosest of servers reads it: '_', '.' and '-' are one."""
    return _SEPARATOR.sub("-", name.lower())
