"""The web server of the review pages: addresses, routes, and one thread that does the work."""

import asyncio
import ipaddress
import logging
import os
import signal
import webbrowser
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

from weakspot.config import Config
from weakspot.ui.pages import Pages, where
from weakspot.ui.review import Filter
from weakspot.ui.session_auth import Door
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

T = TypeVar("T")

_STATIC = {"style.css": "text/css", "keys.js": "text/javascript", "icon.svg": "image/svg+xml"}
# What matplotlib and the scorecard draw has styles of its own, and must not have anything else.
_ALONE = {"Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
_LAST_SECONDS = 3.0
_log = logging.getLogger(__name__)


class Site:
    """The pages behind their routes. All of them are made by one thread: no two see each other's halves."""

    def __init__(self, workspace: Workspace, config: Config, door: Door) -> None:
        self._pages = Pages(workspace, config, door.form_token)
        self._thread = ThreadPoolExecutor(1, "pages")

    async def close(self) -> None:
        """Finish what is being decided."""
        self._thread.shutdown()

    async def _made(self, make: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, make)

    async def overview(self, _request: "web.Request") -> "web.Response":
        """How much there is of each domain."""
        return _html(await self._made(self._pages.overview))

    async def review(self, request: "web.Request") -> "web.Response":
        """The interaction to decide about."""
        query = request.query
        return _html(await self._made(partial(self._pages.review, _filter(query), query.get("id", ""))))

    async def decide(self, request: "web.Request") -> "web.Response":
        """Take a decision in, and lead to what is next."""
        from aiohttp import web

        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        wanted = _filter(form)
        identity = await self._made(partial(self._pages.decide, wanted, form))
        return web.Response(status=303, headers={"Location": where(wanted, identity)})

    async def adapters(self, _request: "web.Request") -> "web.Response":
        """The adapters, how they learnt, and the verdicts on them."""
        return _html(await self._made(self._pages.adapters))

    async def curve(self, request: "web.Request") -> "web.Response":
        """An adapter's training curve."""
        return _alone(await self._made(partial(self._pages.curve, request.match_info["name"])), "image/svg+xml")

    async def scorecard(self, request: "web.Request") -> "web.Response":
        """An adapter's scorecard with its answers side by side."""
        return _alone(await self._made(partial(self._pages.scorecard, request.match_info["name"])), "text/html")

    async def releases(self, _request: "web.Request") -> "web.Response":
        """What is and was in service."""
        return _html(await self._made(self._pages.releases))

    async def economics(self, _request: "web.Request") -> "web.Response":
        """What the releases saved, as a picture."""
        return _alone(await self._made(self._pages.economics), "image/svg+xml")

    async def static(self, request: "web.Request") -> "web.Response":
        """The style sheet, the script and the icon."""
        from aiohttp import web

        name = request.match_info["name"]
        text = resources.files("weakspot.ui").joinpath("templates", name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=_STATIC[name])


def _filter(words: Mapping[str, str]) -> Filter:
    return Filter(**{name: words.get(name, "") for name in ("domain", "state", "search")})


def _html(text: str) -> "web.Response":
    from aiohttp import web

    return web.Response(text=text, content_type="text/html")


def _alone(text: str | None, content_type: str) -> "web.Response":
    from aiohttp import web

    if text is None:
        raise web.HTTPNotFound
    return web.Response(text=text, content_type=content_type, headers=_ALONE)


def application(workspace: Workspace, config: Config, door: Door) -> "web.Application":
    """Return the pages as an aiohttp application; run it as :func:`serve` does."""
    from aiohttp import web

    site = Site(workspace, config, door)
    # A form's three bytes can stand for one of a record, and an edit has two texts.
    app = web.Application(client_max_size=6 * config.collect.max_record_bytes, middlewares=[door.middleware()])
    app.router.add_get("/", site.overview)
    app.router.add_get("/review", site.review)
    app.router.add_post("/review", site.decide)
    app.router.add_get("/adapters", site.adapters)
    app.router.add_get("/adapters/{name}/curve.svg", site.curve)
    app.router.add_get("/adapters/{name}/scorecard", site.scorecard)
    app.router.add_get("/releases", site.releases)
    app.router.add_get("/economics.svg", site.economics)
    app.router.add_get("/{name:" + "|".join(_STATIC) + "}", site.static)

    async def ended(_app: web.Application) -> None:
        await site.close()

    app.on_cleanup.append(ended)
    return app


async def started(
    workspace: Workspace, config: Config, listen: str, *, allow_remote: bool = False
) -> "tuple[web.AppRunner, Callable[[], str]]":
    """Start the pages in the running event loop; return what ends them, and what tells the address that opens them.

    Raises :class:`UserError` for an address that cannot be listened on, or that others could reach.
    """
    from aiohttp import web

    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not allow_remote and not _is_loopback(host):
        remedy = "listen on 127.0.0.1, or say --allow-remote: the pages then go over the network unencrypted"
        raise UserError(listen, "can be reached from other machines", remedy)
    door = Door(lambda: _log.info("opened; another browser: %s", address()))
    runner = web.AppRunner(application(workspace, config, door), access_log=None, shutdown_timeout=_LAST_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, int(port)).start()
    except (OSError, OverflowError, ValueError) as error:
        await runner.cleanup()
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(listen, reason.lower(), "choose another with --listen") from None
    name, bound = runner.addresses[0][:2]
    shown = f"[{name}]" if ":" in name else name

    def address() -> str:
        return f"http://{shown}:{bound}/?token={door.token}"

    return runner, address


async def serve(
    workspace: Workspace, config: Config, listen: str, listening: Callable[[str], None], *, allow_remote: bool = False
) -> None:
    """Run the pages until they are told to stop; call ``listening`` with the address that opens them."""
    runner, address = await started(workspace, config, listen, allow_remote=allow_remote)
    try:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        listening(address())
        await stop.wait()
    finally:
        await runner.cleanup()


def open_in_browser(address: str) -> None:
    """Open an address where there is a desktop: a browser of the terminal would take it over."""
    if os.name != "posix" or os.uname().sysname == "Darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        webbrowser.open(address)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
