"""Session authentication: the printed address opens one browser; other sites' pages cannot act in its name."""

import hmac
import secrets
from collections.abc import Awaitable, Callable
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

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


class SessionAuth:
    """A token that opens one session, the session's cookie, and the token that each form must send (CSRF)."""

    def __init__(self, rules: Rules, opened: Callable[[], None]) -> None:
        """``opened`` is called when the token was used and replaced by a new one."""
        self._rules = rules
        self.token = secrets.token_urlsafe(32)
        self.form_token = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
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

        if request.method != "GET" or not _same(request.query.get("token", ""), self.token):
            return None
        self.token = secrets.token_urlsafe(32)
        self._opened()
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(_cookie(request), self._session, httponly=True, samesite="Strict", path="/")
        return response

    async def _answer_in_session(self, request: "web.Request", handler: Handler) -> "web.StreamResponse":
        from aiohttp import web

        if not _same(request.cookies.get(_cookie(request), ""), self._session):
            raise web.HTTPForbidden(text="open the address that the terminal shows; each opens one browser")
        changes = request.method not in ("GET", "HEAD")
        if changes and not _same(str((await request.post()).get("token", "")), self.form_token):
            raise web.HTTPForbidden(text="this page is of an earlier run; load it again")
        return await handler(request)


def _cookie(request: "web.Request") -> str:
    # Cookies ignore ports: two servers on one machine would overwrite each other's.
    return f"weakspot-{request.url.port}"


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), known.encode())
