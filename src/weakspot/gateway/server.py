"""The gateway's endpoints: what is consulted, what is passed on, and who may ask at all."""

import asyncio
import json
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from weakspot.capture import consulting
from weakspot.capture.consulting import MODEL_PREFIX, UnknownTeacherError
from weakspot.capture.teachers import TeacherError
from weakspot.config import Config
from weakspot.gateway import passing
from weakspot.gateway.attempts import Attempts
from weakspot.gateway.consultation import Consultations
from weakspot.gateway.keeper import Keeper
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.upstream import Upstream, UpstreamError, returned_headers
from weakspot.protocols import anthropic_messages, openai_chat
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Middleware

CONSULT_HEADER = "x-weakspot-consult"
_CHAT, _MESSAGES = "/v1/chat/completions", "/v1/messages"
_COUNT = f"{_MESSAGES}/count_tokens"
_OWN = ("/health", "/metrics")
_NAMED = (_CHAT, _MESSAGES, _COUNT, "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/models", *_OWN)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_log = logging.getLogger(__name__)

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


class Gateway:
    """Everything that lives as long as the server does."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self.config = config
        self.metrics = Metrics()
        self.upstream = Upstream(config)
        self.attempts = Attempts(config.gateway.remembered_bytes)
        self.keeper = Keeper(workspace, config, self.metrics)
        self.consultations = Consultations(
            workspace,
            config,
            upstream=self.upstream,
            keeper=self.keeper,
            attempts=self.attempts,
            metrics=self.metrics,
        )
        self.in_flight = 0

    async def close(self) -> None:
        """Finish what is captured, then leave."""
        await self.consultations.close()
        await self.keeper.close()
        await self.upstream.close()

    async def chat(self, request: "web.Request") -> "web.StreamResponse":
        """Chat completions: a consultation, or the local model."""
        data = await request.read()
        body = _object(data)
        one = self._wish(request, body)
        if one is not None:
            return await self.consultations.answer(
                request, one, body, openai_chat.Writer(str(body.get("model", "")), body)
            )
        return await passing.passed_on(self.upstream, request, data, self.attempts, body)

    async def messages(self, request: "web.Request") -> "web.StreamResponse":
        """Anthropic's messages: a consultation, or the local model translated."""
        body = _object(await request.read())
        chat = _translated(body)
        one = self._wish(request, chat)
        if one is not None:
            writer = anthropic_messages.Writer(str(body.get("model", "")), body)
            return await self.consultations.answer(request, one, chat, writer)
        return await passing.translated(self.upstream, request, body, self.attempts)

    async def count_tokens(self, request: "web.Request") -> "web.StreamResponse":
        """How long a request of messages is."""
        body = _object(await request.read())
        _translated(body)
        return await passing.counted(self.upstream, request, body)

    async def models(self, request: "web.Request") -> "web.StreamResponse":
        """The local models, and each teacher as ``expert/<teacher>``."""
        from aiohttp import web

        headers = {**self.upstream.headers(request), "Accept-Encoding": "identity"}
        async with self.upstream.request("GET", request.raw_path, headers) as answer:
            data = await answer.read()
            returned = [(n, v) for n, v in returned_headers(answer) if n.lower() != "content-length"]
        try:
            body = json.loads(data)
            experts = [f"{MODEL_PREFIX}{name}" for name in self.config.teachers]
            body["data"] += [{"id": one, "object": "model", "created": 0, "owned_by": "weakspot"} for one in experts]
            data = json.dumps(body, ensure_ascii=False).encode()
        except (ValueError, TypeError, KeyError):
            pass  # an answer that we do not know is passed on as it is
        response = web.Response(status=answer.status, body=data)
        for name, value in returned:
            response.headers[name] = value
        return response

    async def pass_on(self, request: "web.Request") -> "web.StreamResponse":
        """Everything else, untouched."""
        if CONSULT_HEADER in request.headers:
            raise UpstreamError(400, f"{CONSULT_HEADER}: a teacher can be consulted on {_CHAT} and {_MESSAGES} only")
        return await passing.passed_on(self.upstream, request, None)

    async def health(self, request: "web.Request") -> "web.StreamResponse":
        """Whether the gateway works, and whether the local model's server answers."""
        from aiohttp import web

        try:
            async with asyncio.timeout(2):
                names = await self.upstream.models(self.upstream.json_headers(request))
        except (UpstreamError, TimeoutError, ValueError):
            names = []
        return web.json_response({"status": "ok", "upstream": "ok" if names else "down", "models": names})

    async def show_metrics(self, request: "web.Request") -> "web.StreamResponse":
        """Prometheus' text format."""
        from aiohttp import web

        return web.Response(body=self.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    def _wish(self, request: "web.Request", chat: dict[str, Any]) -> consulting.Wish | None:
        model, messages = chat.get("model"), chat.get("messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            return None  # the local model's server has its own words for that
        named = request.headers.get(CONSULT_HEADER)
        if named is None and isinstance(model, str) and model.startswith(MODEL_PREFIX):
            named = model.removeprefix(MODEL_PREFIX)
        return consulting.wish(self.config, messages, named)


def _object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamError(400, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise UpstreamError(400, "the body is not a JSON object")
    return body


def _translated(body: dict[str, Any]) -> dict[str, Any]:
    try:
        return anthropic_messages.chat_request(body)
    except (AttributeError, TypeError, KeyError) as error:
        raise UpstreamError(400, f"not a request of messages: {error}") from None


def application(workspace: Workspace, config: Config) -> "web.Application":
    """Return the gateway as an aiohttp application; run it with ``handler_cancellation``."""
    from aiohttp import web

    gateway = Gateway(workspace, config)
    app = web.Application(
        client_max_size=config.gateway.max_body_bytes,
        middlewares=[_guarded(gateway)],
    )
    app.router.add_post(_CHAT, gateway.chat)
    app.router.add_post(_MESSAGES, gateway.messages)
    app.router.add_post(_COUNT, gateway.count_tokens)
    app.router.add_get("/v1/models", gateway.models)
    app.router.add_get("/health", gateway.health)
    app.router.add_get("/metrics", gateway.show_metrics)
    app.router.add_route("*", "/{path:.*}", gateway.pass_on)

    async def ended(_app: web.Application) -> None:
        await gateway.close()

    app.on_cleanup.append(ended)
    return app


def _guarded(gateway: Gateway) -> "Middleware":
    """Return the middleware that limits, counts, and gives each error the shape of the client's protocol."""
    from aiohttp import web

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        endpoint = request.path if request.path in _NAMED else "other"
        if request.path in _OWN:
            return await handler(request)
        if not _same_site(request):
            return _error(request, 403, "pages of other sites may not use the gateway")
        if gateway.in_flight >= gateway.config.gateway.max_in_flight:
            gateway.metrics.shed.inc()
            gateway.metrics.requests.labels(endpoint, "503").inc()
            return _error(request, 503, "too many requests at work; try again", {"Retry-After": "1"})
        gateway.in_flight += 1
        gateway.metrics.in_flight.set(gateway.in_flight)
        started, status = time.monotonic(), "499"
        try:
            response = await _answered(request, handler)
            status = str(response.status)
            return response
        finally:
            gateway.in_flight -= 1
            gateway.metrics.in_flight.set(gateway.in_flight)
            gateway.metrics.requests.labels(endpoint, status).inc()
            gateway.metrics.seconds.labels(endpoint).observe(time.monotonic() - started)

    return guarded


async def _answered(request: "web.Request", handler: Handler) -> "web.StreamResponse":
    from aiohttp import web

    try:
        return await handler(request)
    except UpstreamError as error:
        return _error(request, error.status, str(error))
    except UnknownTeacherError as error:
        return _error(request, 404, str(error))
    except TeacherError as error:
        _log.warning("%s", error)
        return _error(request, error.status, str(error), {"Retry-After": error.retry_after or "5"})
    except web.HTTPException as error:
        return _error(request, error.status, error.reason)


def _error(
    request: "web.Request", status: int, message: str, headers: dict[str, str] | None = None
) -> "web.StreamResponse":
    from aiohttp import web

    dialect = anthropic_messages if request.path.startswith(_MESSAGES) else openai_chat
    return web.json_response(dialect.error(status, message), status=status, headers=headers)


def _same_site(request: "web.Request") -> bool:
    """Whether no browser sends this for a page of another site, which could spend a teacher's money."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).hostname in (*_LOOPBACK, urlsplit(f"//{request.host}").hostname)


async def serve(workspace: Workspace, config: Config, started: Callable[[str], None]) -> None:
    """Run the gateway until it is told to stop; call ``started`` with its address when it listens.

    Raises :class:`UserError` for an address that cannot be listened on.
    """
    from aiohttp import web

    host, _, port = config.gateway.listen.rpartition(":")
    runner = web.AppRunner(application(workspace, config), access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        try:
            site = web.TCPSite(runner, host.strip("[]"), int(port), backlog=1024)
            await site.start()
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(config.gateway.listen, reason.lower(), "choose another with --listen") from None
        bound = runner.addresses[0]
        started(f"http://{bound[0]}:{bound[1]}")
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
    finally:
        await runner.cleanup()
