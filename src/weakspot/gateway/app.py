"""The gateway's endpoints: what is consulted, and what is passed on."""

import asyncio
import json
import logging
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from weakspot.capture import consultation
from weakspot.capture.consultation import MODEL_PREFIX, Wish
from weakspot.capture.conversation import Conversation
from weakspot.config import Config
from weakspot.gateway.answer_cache import Attempts
from weakspot.gateway.anthropic_bridge import counted, translated
from weakspot.gateway.consult import Consultations
from weakspot.gateway.local_model import Local
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.middleware import MESSAGES, Guard, NamesNoSecret
from weakspot.gateway.passthrough import passed_on
from weakspot.gateway.routing import Routing
from weakspot.gateway.schemas import chat_of_messages, read_object, require_chat
from weakspot.gateway.upstream import GatewayError, Upstream, end_to_end
from weakspot.gateway.write_queue import Keeper
from weakspot.protocols import anthropic_messages, openai_chat
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

CONSULT_HEADER = "x-weakspot-consult"
_CHAT, _COUNT = "/v1/chat/completions", f"{MESSAGES}/count_tokens"
_OWN = ("/health", "/metrics")
_NAMED = (_CHAT, MESSAGES, _COUNT, "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/models")
_HEALTH_SECONDS = 2.0
# Ctrl-C does not wait for a stream that goes on for minutes.
_LAST_SECONDS = 3.0
_http_log = logging.getLogger(f"{__name__}.http")


class Gateway:
    """Everything that lives as long as the server does."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self.config = config
        self.metrics = Metrics()
        self.upstream = Upstream(config)
        self.attempts = Attempts(config.gateway.remembered_bytes)
        self.keeper = Keeper(workspace, config, self.metrics)
        self.routing = Routing(workspace, config, self.upstream)
        self.local = Local(
            workspace,
            config,
            upstream=self.upstream,
            routing=self.routing,
            keeper=self.keeper,
            attempts=self.attempts,
            metrics=self.metrics,
        )
        self.consultations = Consultations(
            workspace,
            config,
            local=self.local,
            keeper=self.keeper,
            attempts=self.attempts,
            metrics=self.metrics,
        )

    async def close(self) -> None:
        """Finish what is captured, then leave."""
        await self.consultations.close()
        await self.keeper.close()
        await self.routing.close()
        await self.upstream.close()

    async def chat(self, request: "web.Request") -> "web.StreamResponse":
        """Chat completions: a consultation, or the local model."""
        data, body = await read_object(request)
        conversation = _conversation(body)
        wish = self._wish(request, body, conversation)
        if wish is not None:
            usage_wanted = bool((body.get("stream_options") or {}).get("include_usage"))
            writer = openai_chat.Writer(str(body.get("model", "")), usage_wanted=usage_wanted)
            return await self.consultations.answer(request, wish, body, writer)
        asked = await self.local.asked(request, body, conversation)
        # What is not to be changed goes on as the bytes that came.
        sent = data if asked.chat == body else asked.data
        hear = partial(self.local.heard, asked, conversation)
        return await passed_on(asked.route.upstream, request, sent, hear)

    async def messages(self, request: "web.Request") -> "web.StreamResponse":
        """Anthropic's messages: a consultation, or the local model translated."""
        _, body = await read_object(request)
        chat = chat_of_messages(body)
        conversation = _conversation(chat)
        wish = self._wish(request, chat, conversation)
        if wish is not None:
            writer = anthropic_messages.Writer(str(body.get("model", "")))
            return await self.consultations.answer(request, wish, chat, writer)
        asked = await self.local.asked(request, chat, conversation, any_name=True)
        return await translated(asked, request, chat, partial(self.local.heard, asked, conversation))

    async def count_tokens(self, request: "web.Request") -> "web.StreamResponse":
        """How long a request of messages is."""
        _, body = await read_object(request)
        chat = chat_of_messages(body)
        return await counted(await self.local.asked(request, chat, _conversation(chat), any_name=True), request)

    async def models(self, request: "web.Request") -> "web.StreamResponse":
        """The alias, the local models, and each teacher as ``expert/<teacher>``."""
        from aiohttp import web

        headers = self.upstream.headers(request)
        headers["Accept-Encoding"] = "identity"
        async with self.upstream.request("GET", request.raw_path, headers) as answer:
            status, data, returned = answer.status, await answer.read(), end_to_end(answer.headers)
        try:
            body = json.loads(data)
            names = [self.config.gateway.alias, *(f"{MODEL_PREFIX}{name}" for name in self.config.teachers)]
            body["data"] += [{"id": one, "object": "model", "created": 0, "owned_by": "weakspot"} for one in names]
            data = json.dumps(body).encode()
        except (ValueError, TypeError, KeyError):
            data = self.upstream.without_key(data)  # an answer that we do not know is passed on as it is
        returned.popall("Content-Length", None)
        return web.Response(status=status, body=data, headers=returned)

    async def pass_on(self, request: "web.Request") -> "web.StreamResponse":
        """Everything else, untouched."""
        if CONSULT_HEADER in request.headers:
            raise GatewayError(400, f"{CONSULT_HEADER}: a teacher can be consulted on {_CHAT} and {MESSAGES} only")
        return await passed_on(self.upstream, request, await request.read())

    async def health(self, request: "web.Request") -> "web.StreamResponse":
        """Whether the gateway works, and whether the local model's server answers."""
        from aiohttp import web

        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                names = await self.upstream.models(self.upstream.json_headers(request), oldest_seconds=0)
        except (GatewayError, TimeoutError):
            return web.json_response({"status": "ok", "upstream": "down", "models": []})
        return web.json_response({"status": "ok", "upstream": "ok", "models": names, "live": self.routing.live()})

    async def show_metrics(self, request: "web.Request") -> "web.StreamResponse":
        """Prometheus' text format."""
        from aiohttp import web

        return web.Response(body=self.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    def _wish(self, request: "web.Request", chat: dict[str, Any], conversation: Conversation) -> Wish | None:
        """Return what is asked of a teacher; None for the local model, whose server has its own words for nonsense."""
        model, named = chat.get("model"), request.headers.get(CONSULT_HEADER)
        if named is None and isinstance(model, str) and model.startswith(MODEL_PREFIX):
            named = model.removeprefix(MODEL_PREFIX)
        wish = consultation.wish(self.config, conversation, named)
        if wish is None and named is None:
            return None
        require_chat(chat)
        if wish is None:
            raise GatewayError(400, "there is no question to consult a teacher about")
        return wish


def _conversation(chat: dict[str, Any]) -> Conversation:
    """Return the conversation of a request, an empty one where its messages are none."""
    messages = chat.get("messages")
    sound = isinstance(messages, list) and all(isinstance(message, dict) for message in messages)
    return Conversation(messages if isinstance(messages, list) and sound else [])


def application(workspace: Workspace, config: Config) -> "web.Application":
    """Return the gateway as an aiohttp application; run it as :func:`serve` does."""
    from aiohttp import web

    gateway = Gateway(workspace, config)
    guard = Guard(gateway.metrics, config.gateway.max_in_flight, _NAMED, _OWN)
    app = web.Application(client_max_size=config.gateway.max_body_bytes, middlewares=[guard.middleware()])
    app.router.add_post(_CHAT, gateway.chat)
    app.router.add_post(MESSAGES, gateway.messages)
    app.router.add_post(_COUNT, gateway.count_tokens)
    app.router.add_get("/v1/models", gateway.models, allow_head=False)
    app.router.add_get("/health", gateway.health)
    app.router.add_get("/metrics", gateway.show_metrics)
    app.router.add_route("*", "/{path:.*}", gateway.pass_on)

    async def ended(_app: web.Application) -> None:
        await gateway.close()

    app.on_cleanup.append(ended)
    return app


async def started(workspace: Workspace, config: Config) -> "tuple[web.AppRunner, str]":
    """Start the gateway in the running event loop; return what ends it by ``cleanup()``, and its address.

    Raises :class:`UserError` for an address that cannot be listened on.
    """
    from aiohttp import web

    if not any(isinstance(one, NamesNoSecret) for one in _http_log.filters):
        _http_log.addFilter(NamesNoSecret())
    runner = web.AppRunner(
        application(workspace, config),
        access_log=None,
        logger=_http_log,
        handler_cancellation=True,
        auto_decompress=False,
        shutdown_timeout=_LAST_SECONDS,
    )
    await runner.setup()
    host, _, port = config.gateway.listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port), backlog=1024).start()
    except (OSError, OverflowError) as error:
        await runner.cleanup()
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(config.gateway.listen, reason.lower(), "choose another with --listen") from None
    name, bound = runner.addresses[0][:2]
    return runner, f"http://[{name}]:{bound}" if ":" in name else f"http://{name}:{bound}"


async def serve(workspace: Workspace, config: Config, listening: Callable[[str], None]) -> None:
    """Run the gateway until it is told to stop; call ``listening`` with its address when it listens.

    Raises :class:`UserError` for an address that cannot be listened on.
    """
    runner, address = await started(workspace, config)
    try:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        listening(address)
        await stop.wait()
    finally:
        await runner.cleanup()
