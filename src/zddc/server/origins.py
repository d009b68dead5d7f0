"""Keeps pages of other sites from changing anything, and lets those of some sites read."""

from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zddc.server.answer import Answer
from zddc.server.guard import RefusedError

if TYPE_CHECKING:
    from starlette.datastructures import Headers

# What a page needs to know of an answer, beside what browsers tell it anyway.
_TOLD = "content-disposition, content-location, content-range, etag, x-zddc-left-out"
_SECONDS_KEPT = 600


def require_same_origin(headers: "Headers") -> None:
    """Raise :class:`RefusedError` for a request that a page of another site makes in the name of who looks at it.

    Browsers say where a request comes from; programs that are none say nothing.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        is_own = origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    if not is_own:
        raise RefusedError(403, "a page of another site asks for this", (("connection", "close"),))


def allow_origins(answer: Answer, headers: "Headers", origins: Collection[str], *, is_preflight: bool = False) -> None:
    """Let the pages of some origins read an answer, with a token and not with cookies; ``headers`` are the request's.

    ``is_preflight`` is for the answer to OPTIONS, by which a browser asks what a page may send.
    """
    if not origins:
        return
    vary = ", ".join([*(value for name, value in answer.headers if name == "vary"), "origin"])
    kept = [pair for pair in answer.headers if pair[0] != "vary"]
    answer.headers.clear()
    answer.headers.extend([*kept, ("vary", vary)])
    origin = headers.get("origin", "")
    if origin.lower() not in origins:
        return
    answer.headers.append(("access-control-allow-origin", origin))
    if is_preflight:
        methods, fields = "GET, HEAD", "authorization, if-none-match, if-range, range"
        answer.headers.extend(
            [
                ("access-control-allow-methods", methods),
                ("access-control-allow-headers", fields),
                ("access-control-max-age", str(_SECONDS_KEPT)),
            ]
        )
    else:
        answer.headers.append(("access-control-expose-headers", _TOLD))
