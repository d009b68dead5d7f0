"""Refuses requests that are too large or can be read in two ways, before anything else looks at them."""

from collections.abc import Sequence
from itertools import chain

Fields = Sequence[tuple[str, str]]
"""The header fields of a request, in their order, with names in lower case."""

METHODS = ("GET", "HEAD", "OPTIONS")
PUT, POST = "PUT", "POST"
MOST_FIELDS = 100
MOST_BYTES = 16 * 1024

# What follows such a request on its connection might be a part of it.
CLOSE = (("connection", "close"),)
_ONCE = ("host", "content-length", "authorization")


class RefusedError(Exception):
    """A request is refused with a status, and with one line that says why."""

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers


def check_request(method: str, fields: Fields, *, needs_host: bool = True, methods: Sequence[str] = METHODS) -> None:
    """Raise :class:`RefusedError` for a method that is not served, and for header fields that nobody can rely on."""
    if len(fields) > MOST_FIELDS or sum(map(len, chain.from_iterable(fields))) > MOST_BYTES:
        raise RefusedError(431, f"more than {MOST_FIELDS} header fields, or more than {MOST_BYTES} bytes of them")
    found = dict(fields)
    if len(found) < len(fields):
        names = [name for name, _ in fields]
        for name in _ONCE:
            if names.count(name) > 1:
                raise RefusedError(400, f"the header '{name}' is there twice", CLOSE)
    # Of a missing one the HTTP server makes an empty one.
    if needs_host and not found.get("host"):
        raise RefusedError(400, "the header 'host' is missing", CLOSE)
    if method not in methods:
        raise RefusedError(405, "the method is not served", (("allow", ", ".join(methods)), *CLOSE))
    if method == PUT:
        if "transfer-encoding" in found and "content-length" in found:
            raise RefusedError(400, "the length of the content is told in two ways", CLOSE)
    elif "transfer-encoding" in found or found.get("content-length", "0") != "0":
        raise RefusedError(400, "a request to read has no content", CLOSE)
