"""Decides from the facts of a request whether its sender may call: by host, page, key and form of the body."""

import base64
import contextlib
import functools
import hmac
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import NamedTuple, Self

from weakspot.access.client_keys import Client, Clients, claims_key, holds_key
from weakspot.settings import Gateway

JSON, FORM, UPLOAD = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:/@\s]+))(?::\d{0,5})?")
_BARE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}(?::\d{0,5})?")
# What a browser says of a request that no page made, or a page of the server itself.
_NO_OTHER_PAGE = (None, "none", "same-origin")


class Facts(NamedTuple):
    """What decides about a request; a header that is missing is None."""

    method: str
    path: str
    host: str | None
    origin: str | None
    fetch_site: str | None
    keys: tuple[str | None, ...]
    content_type: str | None
    has_body: bool
    query: str = ""


class Refusal(NamedTuple):
    """The HTTP status of a request that is refused, and one line that says what to do next."""

    status: int
    message: str


@dataclass(frozen=True)
class Rules:
    """Who may call one server; ``token`` is empty where none is needed, and ``clients`` None where none has a key."""

    hosts: frozenset[str] = frozenset()
    origins: tuple[str, ...] = ()
    token: str = ""
    body: str = JSON
    upload_paths: frozenset[str] = frozenset()
    """Paths whose protocol sends files, as parts of a form."""
    has_pages: bool = False
    """Whether the server has pages of its own, which may call it."""
    clients: Clients | None = None

    @classmethod
    def of(
        cls,
        settings: Gateway,
        listen: str,
        token: str = "",
        *,
        clients: Clients | None = None,
        uploads: frozenset[str] = frozenset(),
    ) -> Self:
        """Return the rules of the settings for a server of protocols that listens on HOST:PORT."""
        return cls(names_of(settings, listen), tuple(settings.origins), token, upload_paths=uploads, clients=clients)

    @classmethod
    def of_pages(cls, settings: Gateway, listen: str) -> Self:
        """Return the rules for a server of pages, which only a browser calls, and no other site's page."""
        return cls(names_of(settings, listen), body=FORM, has_pages=True)


def names_of(settings: Gateway, listen: str) -> frozenset[str]:
    """Return the names, beside localhost, by which a server that listens on HOST:PORT may be called."""
    host = listen.rpartition(":")[0]
    return frozenset(name.lower() for name in (*settings.hosts, socket.gethostname(), host) if name)


def find_refusal(rules: Rules, facts: Facts) -> Refusal | None:
    """Return why a request is refused, None where it is not.

    A page of another site can send requests, though it may not read the answers, and it can read them as well where
    the name of its site leads to this machine (DNS rebinding): so the name must be ours, and the page listed.
    """
    if not _is_called_by_own_name(rules, facts.host):
        return Refusal(421, "called by a name that is not this server's; if it is yours, add it to [gateway] hosts")
    if not _may_page_call(rules, facts):
        if rules.has_pages:
            return Refusal(403, "pages of other sites may do nothing here; open the address that the terminal shows")
        return Refusal(403, "web pages may not call this server; for one that may, add it to [gateway] origins")
    if not is_preflight(facts) and (refusal := _find_wrong_key(rules, facts)) is not None:
        return refusal
    if facts.has_body and not _is_body_welcome(rules, facts):
        return Refusal(415, f"the body has another form; send it with the header Content-Type: {rules.body}")
    return None


def find_client(rules: Rules, facts: Facts) -> Client | None:
    """Return the named client whose key a request has, None where it has none."""
    found = (rules.clients.find(key) for key in _sent_keys(facts) if claims_key(key)) if rules.clients else ()
    return next((one for one in found if one is not None), None)


def is_preflight(facts: Facts) -> bool:
    """Whether a browser asks beforehand what a page may send: the question comes without any credential."""
    return facts.method == "OPTIONS" and facts.origin is not None


@functools.lru_cache(1024)
def is_own_host(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header names this machine: by an address, as localhost, or by one of ``names``."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = (found["six"] or found["name"]).lower().removesuffix(".")
    return name == "localhost" or name in names or _is_address(name)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@functools.lru_cache(1024)
def is_listed(origin: str, origins: tuple[str, ...]) -> bool:
    """Whether an Origin is in a list, in which ``scheme://*`` stands for all of a scheme that is not the web's."""
    return origin in origins or f"{origin.partition('://')[0]}://*" in origins


def _is_called_by_own_name(rules: Rules, host: str | None) -> bool:
    """Whether the name by which a server is called can be trusted to be its own.

    Clients of protocols may call it by a name without a dot, such as that of a container: nobody else can own one on
    the internet. Old ones send none; every browser does.
    """
    if host is None:
        return not rules.has_pages
    return is_own_host(host, rules.hosts) or (not rules.has_pages and _BARE_NAME.fullmatch(host) is not None)


def _may_page_call(rules: Rules, facts: Facts) -> bool:
    """Whether no page, a page of the server itself, or a listed one makes a request."""
    if facts.origin is None:
        return facts.fetch_site in _NO_OTHER_PAGE
    if rules.has_pages and facts.origin == f"http://{facts.host}":
        return facts.fetch_site in _NO_OTHER_PAGE
    return is_listed(facts.origin, rules.origins)


def _find_wrong_key(rules: Rules, facts: Facts) -> Refusal | None:
    """Return why the keys of a request do not let it in, None where they do, or none is needed.

    Each of them that says it is a client's must be one, and all the same one's: the others would go on to a server.
    """
    if rules.clients is not None:
        if holds_key(facts.query) or holds_key(facts.path):
            remedy = "have another one made, and send it as 'Authorization: Bearer ...'"
            return Refusal(401, f"a key does not belong in an address, which others can read in logs; {remedy}")
        claimed = [key for key in _sent_keys(facts) if claims_key(key) and not _is_token(rules.token, key)]
        clients = [rules.clients.find(key) for key in claimed]
        if None in clients or len({one.client for one in clients if one}) > 1:
            return Refusal(
                401, "the key is not that of one client of this workspace; 'weakspot keys client NAME' makes one"
            )
        if clients:
            return None
    if rules.token and not any(_is_token(rules.token, key) for key in _sent_keys(facts)):
        return Refusal(401, "the token is missing or wrong; send the one that weakspot showed, as the client's API key")
    return None


def _sent_keys(facts: Facts) -> list[str]:
    """Return the keys of a request without the word Bearer, and what is in one of the scheme Basic."""
    return [_sent_key(key).strip() for key in facts.keys if key is not None]


def _sent_key(header: str) -> str:
    scheme, _, key = header.partition(" ")
    if scheme.lower() == "basic":  # a client makes one of an address with a password
        with contextlib.suppress(ValueError):
            return base64.b64decode(key).decode("latin-1")
    return key if scheme.lower() == "bearer" else header


def _is_token(token: str, key: str) -> bool:
    return bool(token) and hmac.compare_digest(key.encode(errors="replace"), token.encode())


def _is_body_welcome(rules: Rules, facts: Facts) -> bool:
    """Whether the body is of the form that is expected; programs, which are no browsers, may leave its name out."""
    if facts.content_type is None:
        return rules.body == JSON and facts.origin is None and facts.fetch_site is None
    form = facts.content_type.partition(";")[0].strip().lower()
    return form == rules.body or (form == UPLOAD and facts.path in rules.upload_paths)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
