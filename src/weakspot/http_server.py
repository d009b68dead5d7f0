"""Runs an aiohttp application: binds an address that a person wrote, and stops at a signal."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from weakspot.access.connections import Connections
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

# How long Ctrl-C waits for requests in progress: a stream may go on for minutes.
_LAST_SECONDS = 3.0
# How long the rest of a body is read that was refused, so that its sender reads why.
_LINGERING_SECONDS = 2.0
# After so long a thread that computes lets others go on: Python's own 5 ms are the time of several requests.
_SWITCH_SECONDS = 0.0005


async def start_app(
    app: "web.Application", listen: str, *, max_connections: int = 512, **options: Any
) -> "tuple[web.AppRunner, str]":
    """Serve ``app`` on ``listen``, HOST:PORT, in the running event loop; return its runner and its address.

    At most ``max_connections`` of one address are served at once. ``options`` are those of aiohttp's runner. The
    caller ends it with ``runner.cleanup()``. Raises :class:`UserError` for an address that cannot be listened on; the
    application is closed then.
    """
    from aiohttp import web

    connections = Connections(max_connections)
    app.middlewares.insert(0, connections.middleware())
    listening: list[asyncio.Server] = []

    async def stop_listening(_app: web.Application) -> None:
        for one in listening:
            one.close()

    app.on_shutdown.append(stop_listening)
    given = {"shutdown_timeout": _LAST_SECONDS, "lingering_time": _LINGERING_SECONDS, **options}
    runner = web.AppRunner(app, access_log=None, **given)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    serve = cast(Callable[[], asyncio.Protocol], runner.server)
    try:
        server = await asyncio.get_running_loop().create_server(
            lambda: connections.watch(serve()), host.strip("[]"), int(port), backlog=1024
        )
    except (OSError, OverflowError, ValueError) as error:
        await runner.cleanup()
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(listen, reason.lower(), "choose another with --listen") from None
    listening.append(server)
    name, bound = server.sockets[0].getsockname()[:2]
    return runner, f"http://[{name}]:{bound}" if ":" in name else f"http://{name}:{bound}"


async def wait_for_signal(runner: "web.AppRunner", announce: Callable[[], None]) -> None:
    """Call ``announce``, wait for SIGINT or SIGTERM, and end the server."""
    try:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        # What is loaded stays: looked through again and again, it would hold up requests for a tenth of a second.
        gc.collect()
        gc.freeze()
        # A record is put together in a thread, and requests go on meanwhile.
        sys.setswitchinterval(_SWITCH_SECONDS)
        announce()
        await stop.wait()
    finally:
        await runner.cleanup()
