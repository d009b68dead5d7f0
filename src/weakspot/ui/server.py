"""The web server of the review pages: addresses, routes, and one thread that does the work."""

import asyncio
import logging
import os
import webbrowser
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

from weakspot.access.request_guard import Rules, is_loopback
from weakspot.config import Config
from weakspot.http_server import start_app, wait_for_signal
from weakspot.ui.pages import Pages
from weakspot.ui.review import Filter
from weakspot.ui.session_auth import SessionAuth
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

T = TypeVar("T")

_STATIC = {"style.css": "text/css", "keys.js": "text/javascript", "icon.svg": "image/svg+xml"}
# Charts and scorecards contain styles of their own, and must be allowed nothing else.
_ALONE = {"Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
_log = logging.getLogger(__name__)


class Site:
    """Request handlers of the pages. One thread runs all of them: no request sees another's unfinished work."""

    def __init__(self, workspace: Workspace, config: Config, door: SessionAuth) -> None:
        self._door = door
        self._pages = Pages(workspace, config, door.path)
        self._thread = ThreadPoolExecutor(1, "pages")

    async def close(self) -> None:
        """Finish the decision that is being stored."""
        self._thread.shutdown()

    async def _run_in_thread(self, make: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, make)

    async def overview(self, request: "web.Request") -> "web.Response":
        """The number of examples of each domain."""
        return _html_response(await self._run_in_thread(partial(self._pages.overview, self._door.session_of(request))))

    async def review(self, request: "web.Request") -> "web.Response":
        """The interaction to decide about."""
        query = request.query
        return _html_response(
            await self._run_in_thread(
                partial(self._pages.review, self._door.session_of(request), _filter(query), query.get("id", ""))
            )
        )

    async def decide(self, request: "web.Request") -> "web.Response":
        """Store a decision, and redirect to the next interaction."""
        from aiohttp import web

        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        wanted = _filter(form)
        identity = await self._run_in_thread(partial(self._pages.decide, self._door.session_of(request), wanted, form))
        return web.Response(status=303, headers={"Location": self._pages.review_url(wanted, identity)})

    async def adapters(self, request: "web.Request") -> "web.Response":
        """The adapters, how they learnt, and the verdicts on them."""
        return _html_response(await self._run_in_thread(partial(self._pages.adapters, self._door.session_of(request))))

    async def curve(self, request: "web.Request") -> "web.Response":
        """An adapter's training curve."""
        return _sandbox_response(
            await self._run_in_thread(partial(self._pages.curve, request.match_info["name"])), "image/svg+xml"
        )

    async def scorecard(self, request: "web.Request") -> "web.Response":
        """An adapter's scorecard with its answers side by side."""
        return _sandbox_response(
            await self._run_in_thread(partial(self._pages.scorecard, request.match_info["name"])), "text/html"
        )

    async def releases(self, request: "web.Request") -> "web.Response":
        """All releases, and the savings."""
        return _html_response(await self._run_in_thread(partial(self._pages.releases, self._door.session_of(request))))

    async def economics(self, _request: "web.Request") -> "web.Response":
        """The chart of the savings."""
        return _sandbox_response(await self._run_in_thread(self._pages.economics), "image/svg+xml")

    async def static(self, request: "web.Request") -> "web.Response":
        """The style sheet, the script and the icon."""
        from aiohttp import web

        name = request.match_info["name"]
        text = resources.files("weakspot.ui").joinpath("templates", name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=_STATIC[name])


def _filter(words: Mapping[str, str]) -> Filter:
    return Filter(**{name: words.get(name, "") for name in ("domain", "state", "search")})


def _html_response(text: str) -> "web.Response":
    from aiohttp import web

    return web.Response(text=text, content_type="text/html")


def _sandbox_response(text: str | None, content_type: str) -> "web.Response":
    from aiohttp import web

    if text is None:
        raise web.HTTPNotFound
    return web.Response(text=text, content_type=content_type, headers=_ALONE)


def application(workspace: Workspace, config: Config, door: SessionAuth) -> "web.Application":
    """Return the pages as an aiohttp application; run it as :func:`serve` does."""
    from aiohttp import web

    site = Site(workspace, config, door)
    # URL encoding makes three bytes of one, and an edit has two texts.
    app = web.Application(client_max_size=6 * config.collect.max_record_bytes, middlewares=[door.middleware()])
    app.router.add_get(f"{door.path}/", site.overview)
    app.router.add_get(f"{door.path}/review", site.review)
    app.router.add_post(f"{door.path}/review", site.decide)
    app.router.add_get(f"{door.path}/adapters", site.adapters)
    app.router.add_get(f"{door.path}/adapters/{{name}}/curve.svg", site.curve)
    app.router.add_get(f"{door.path}/adapters/{{name}}/scorecard", site.scorecard)
    app.router.add_get(f"{door.path}/releases", site.releases)
    app.router.add_get(f"{door.path}/economics.svg", site.economics)
    app.router.add_get(door.path + "/{name:" + "|".join(_STATIC) + "}", site.static)

    async def close_site(_app: web.Application) -> None:
        await site.close()

    app.on_cleanup.append(close_site)
    return app


async def start_server(
    workspace: Workspace, config: Config, listen: str, *, allow_remote: bool = False
) -> "tuple[web.AppRunner, Callable[[], str]]":
    """Start the pages in the running event loop; return their runner, and a function that returns the address to open.

    Raises :class:`UserError` for an address that cannot be listened on, or that others could reach.
    """
    host = listen.rpartition(":")[0]
    if not allow_remote and not is_loopback(host):
        remedy = "listen on 127.0.0.1, or say --allow-remote: the pages then go over the network unencrypted"
        raise UserError(listen, "can be reached from other machines", remedy)
    rules = Rules.of_pages(config.gateway, listen)
    door = SessionAuth(rules, lambda: _log.info("opened in a browser; the address for another browser: %s", address()))
    runner, root = await start_app(application(workspace, config, door), listen)
    if not is_loopback(host):
        _log.warning("other machines reach the pages, without encryption: who has the address reads all records")

    def address() -> str:
        return f"{root}{door.path}/?token={door.token}"

    return runner, address


async def serve(
    workspace: Workspace, config: Config, listen: str, listening: Callable[[str], None], *, allow_remote: bool = False
) -> None:
    """Run the pages until SIGINT or SIGTERM; call ``listening`` with the address to open."""
    runner, address = await start_server(workspace, config, listen, allow_remote=allow_remote)
    await wait_for_signal(runner, lambda: listening(address()))


def open_in_browser(address: str) -> None:
    """Open an address if there is a desktop: a text browser would take over the terminal."""
    if os.name != "posix" or os.uname().sysname == "Darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        webbrowser.open(address)
