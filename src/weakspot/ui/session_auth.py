"""Session authentication: the printed address opens one browser; other sites' pages cannot act in its name."""

import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weakspot.access.adapters import facts_of_request
from weakspot.access.request_guard import Rules, find_refusal
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Middleware

HEADERS = {
    # No content of other sites, no inline script or style: a model's text stays text even if it were not escaped.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_IDLE_SECONDS = 3600.0
_COOKIE = "weakspot"

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


@dataclass
class Session:
    """What one browser was given: the word of its cookie, the word of its forms (CSRF), and what it decided."""

    word: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    used: float = field(default_factory=time.monotonic)
    decided: list[str] = field(default_factory=list)
    notice: str = ""


class SessionAuth:
    """A path that nobody guesses, a token that opens one session there, and the sessions, each with its cookie.

    A browser sends a cookie to every port of a machine, but only below the cookie's path: no other server learns it.
    """

    def __init__(self, rules: Rules, opened: Callable[[], None]) -> None:
        """``opened`` is called when the token was used and replaced by a new one."""
        self._rules = rules
        self.token = secrets.token_urlsafe(32)
        self.path = f"/{secrets.token_urlsafe(16)}"
        self._sessions: list[Session] = []
        self._opened = opened

    def middleware(self) -> "Middleware":
        """Return the middleware, which aiohttp calls for each request."""
        from aiohttp import web

        @web.middleware
        async def guard_request(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                response = (
                    self._refuse(request)
                    or self._start_session(request)
                    or await self._answer_in_session(request, handler)
                )
            except web.HTTPException as error:
                response = web.Response(text=f"{error.status} {error.text or error.reason}\n", status=error.status)
            except UserError as error:
                response = web.Response(text=f"{error}\n", status=409)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return guard_request

    def _refuse(self, request: "web.Request") -> "web.Response | None":
        """Answer a request that may not be made at all, whatever it knows; None for every other."""
        from aiohttp import web

        refusal = find_refusal(self._rules, facts_of_request(request, request.path))
        return (
            None
            if refusal is None
            else web.Response(text=f"{refusal.status} {refusal.message}\n", status=refusal.status)
        )

    def _start_session(self, request: "web.Request") -> "web.Response | None":
        """Answer a request that has the token: set the session's cookie, and replace the token; None without it."""
        from aiohttp import web

        if not request.path.startswith(f"{self.path}/"):
            raise web.HTTPNotFound(text="open the address that the terminal shows")
        if request.method != "GET" or not _same(request.query.get("token", ""), self.token):
            return None
        self.token = secrets.token_urlsafe(32)
        self._opened()
        self._sessions.append(session := Session())
        response = web.Response(status=303, headers={"Location": f"{self.path}/"})
        response.set_cookie(_COOKIE, session.word, httponly=True, samesite="Strict", path=f"{self.path}/")
        return response

    def session_of(self, request: "web.Request") -> Session:
        """Return the session of a request, which goes on for another hour; refuse a request without one."""
        from aiohttp import web

        now, word = time.monotonic(), request.cookies.get(_COOKIE, "")
        self._sessions = [one for one in self._sessions if now - one.used < _IDLE_SECONDS]
        session = next((one for one in self._sessions if _same(word, one.word)), None)
        if session is None:
            raise web.HTTPForbidden(
                text="open the address that the terminal shows; each opens one browser, for as long as it is used"
            )
        session.used = now
        return session

    async def _answer_in_session(self, request: "web.Request", handler: Handler) -> "web.StreamResponse":
        from aiohttp import web

        session = self.session_of(request)
        changes = request.method not in ("GET", "HEAD")
        if changes and not _same(str((await request.post()).get("token", "")), session.form_token):
            raise web.HTTPForbidden(text="this page is of an earlier run; load it again")
        return await handler(request)


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), known.encode())
