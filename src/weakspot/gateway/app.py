"""The gateway's endpoints: a request for a teacher is a consultation, all others go to the local model."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from weakspot.access.bodies import LONG_BYTES, body_of
from weakspot.access.client_keys import Clients
from weakspot.access.request_guard import Rules
from weakspot.access.token import describe_exposure, find_or_make_token, keep_token
from weakspot.capture import consultation
from weakspot.capture.consultation import MODEL_PREFIX, ConsultationRequest
from weakspot.capture.conversation import Conversation
from weakspot.capture.recorder import timestamp
from weakspot.capture.trigger_phrases import resembles_wish
from weakspot.config import Config
from weakspot.gateway.answer_cache import AnswerCache
from weakspot.gateway.bridge import answer_translated, count_tokens
from weakspot.gateway.clients import client_name
from weakspot.gateway.consult import Consultations
from weakspot.gateway.content_encoding import read_body
from weakspot.gateway.feedback import FeedbackStore
from weakspot.gateway.local_model import LocalModel
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.middleware import Guard, SecretFreeLogFilter
from weakspot.gateway.passthrough import forward_request
from weakspot.gateway.paths import (
    CHAT,
    COUNT,
    ENDPOINTS,
    FEEDBACK,
    MESSAGES,
    MODELS,
    RESPONSES,
    UPLOADS,
    canonical_path,
    holds_conversation,
    is_passed_on,
)
from weakspot.gateway.response_cache import ResponseCache
from weakspot.gateway.routing import Routing
from weakspot.gateway.schemas import (
    chat_of_messages,
    chat_of_responses,
    items_of_responses,
    parse_json,
    parse_json_body,
    read_in_turn,
    require_chat,
    require_readable,
)
from weakspot.gateway.upstream import GatewayError, Upstream, headers_of_new_body
from weakspot.gateway.write_queue import WriteQueue
from weakspot.http_server import start_app, wait_for_signal
from weakspot.protocols import anthropic_messages, openai_chat, responses
from weakspot.protocols.parts import AnswerWriter
from weakspot.records import UnheardWish
from weakspot.redaction.redact import scrub_text
from weakspot.teachers import api_keys
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

CONSULT_HEADER = "x-weakspot-consult"
_OWN = ("/health", "/metrics")
_CONVERSATIONS = f"{CHAT}, {MESSAGES} or {RESPONSES}"
_HEALTH_SECONDS = 2.0
_SHOWN_CHARACTERS = 200
_log = logging.getLogger(__name__)
_http_log = logging.getLogger(f"{__name__}.http")


class Gateway:
    """The parts of a running gateway, and the handlers of its endpoints."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self.config = config
        self.metrics = Metrics()
        self.upstream = Upstream(config)
        self.attempts = AnswerCache(config.gateway.remembered_bytes)
        self.remembered = ResponseCache(config.gateway.remembered_bytes)
        self.keeper = WriteQueue(workspace, config, self.metrics)
        self.routing = Routing(workspace, config, self.upstream)
        self.feedback = FeedbackStore(workspace, config)
        self.local = LocalModel(
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
        """Store what was captured, then close all connections."""
        await self.consultations.close()
        await self.keeper.close()
        await self.routing.close()
        await self.upstream.close()

    async def chat(self, request: "web.Request") -> "web.StreamResponse":
        """Chat completions: a consultation, or the local model."""
        data, body = await parse_json_body(request)
        require_readable(data, body, self.config.gateway.max_text_characters)
        conversation = await _read_conversation(data, body.get("messages"))
        wish = self._consultation_request(request, body, conversation)
        if wish is not None:
            usage_wanted = bool((body.get("stream_options") or {}).get("include_usage"))
            writer = openai_chat.Writer(str(body.get("model", "")), usage_wanted=usage_wanted)
            return await self.consultations.answer(request, wish, body, writer)
        asked = await self.local.route_request(request, body, conversation)
        # An unchanged request goes on as the very bytes that came.
        sent = data if asked.chat == body else asked.data
        hear = partial(self.local.remember_answer, asked, conversation)
        return await forward_request(asked.route.upstream, request, sent, hear)

    async def messages(self, request: "web.Request") -> "web.StreamResponse":
        """Anthropic's Messages API: a consultation, or the local model's answer in its format."""
        chat, conversation = await self._read_messages(request)
        return await self._answer(request, chat, conversation, anthropic_messages.Writer(str(chat.get("model", ""))))

    async def responses(self, request: "web.Request") -> "web.StreamResponse":
        """OpenAI's Responses API: a consultation, or the local model's answer in its format."""
        return await self._answer(request, *await self._read_responses(request))

    async def count_response_tokens(self, request: "web.Request") -> "web.StreamResponse":
        """The number of tokens of a request of the Responses API."""
        from aiohttp import web

        chat, conversation, _ = await self._read_responses(request)
        asked = await self.local.route_request(request, chat, conversation, any_name=True)
        found = await count_tokens(asked, request)
        return web.json_response({"object": "response.input_tokens", "input_tokens": found})

    async def _read_responses(self, request: "web.Request") -> tuple[dict[str, Any], Conversation, AnswerWriter]:
        """Return a request of the Responses API, behind what is remembered before it, as one for a chat completion.

        With it come the conversation and who writes and remembers the answer.
        """
        data, body = await parse_json_body(request)
        items = self.remembered.with_references(items_of_responses(body))
        previous = body.get("previous_response_id")
        earlier = self.remembered.conversation(str(previous)) if previous is not None else []
        chat, tools = await read_in_turn(data, lambda: chat_of_responses(body, [*earlier, *items]))
        require_readable(data, chat, self.config.gateway.max_text_characters)

        def keep(response: dict[str, Any]) -> None:
            if body.get("store") is not False:
                self.remembered.keep(items, response)

        return chat, await _read_conversation(data, chat["messages"]), responses.Writer(body, tools, keep)

    async def _answer(
        self, request: "web.Request", chat: dict[str, Any], conversation: Conversation, writer: AnswerWriter
    ) -> "web.StreamResponse":
        """Answer a request that was converted to a chat: by a consultation, or from the local model."""
        wish = self._consultation_request(request, chat, conversation)
        if wish is not None:
            return await self.consultations.answer(request, wish, chat, writer)
        asked = await self.local.route_request(request, chat, conversation, any_name=True)
        return await answer_translated(asked, request, writer, partial(self.local.remember_answer, asked, conversation))

    async def remembered_response(self, request: "web.Request") -> "web.StreamResponse":
        """A response as it is remembered, or what it answers; or forget it."""
        from aiohttp import web

        name, _, part = canonical_path(request.path).removeprefix(f"{RESPONSES}/").partition("/")
        found = self.remembered.answer(request.method, name, part, {**request.query})
        if found is not None:
            return web.json_response(found)
        return await self.pass_on(request)

    async def count_tokens(self, request: "web.Request") -> "web.StreamResponse":
        """The number of tokens of a Messages request."""
        from aiohttp import web

        chat, conversation = await self._read_messages(request)
        asked = await self.local.route_request(request, chat, conversation, any_name=True)
        return web.json_response({"input_tokens": await count_tokens(asked, request)})

    async def _read_messages(self, request: "web.Request") -> tuple[dict[str, Any], Conversation]:
        """Return a Messages request as one for a chat completion, and the conversation in it."""
        data, body = await parse_json_body(request)
        require_readable(data, body, self.config.gateway.max_text_characters)
        chat = chat_of_messages(body)
        return chat, await _read_conversation(data, chat["messages"])

    async def models(self, request: "web.Request") -> "web.StreamResponse":
        """The alias, the local models, and each teacher as ``expert/<teacher>``."""
        from aiohttp import web

        headers = self.upstream.headers(request)
        headers["Accept-Encoding"] = "identity"
        async with self.upstream.request("GET", canonical_path(request.raw_path), headers) as answer:
            status, data, returned = answer.status, await read_body(answer), headers_of_new_body(answer.headers)
        try:
            body = json.loads(data)
            body["data"] += self._own_models()
            data = json.dumps(body).encode()
        except (ValueError, TypeError, KeyError):
            data = self.upstream.without_key(data)  # an answer in an unknown format is passed on as it is
        return web.Response(status=status, body=data, headers=returned)

    async def model(self, request: "web.Request") -> "web.StreamResponse":
        """One model: the gateway's own, or the local server's."""
        from aiohttp import web

        name = canonical_path(request.path).removeprefix(f"{MODELS}/")
        own = next((one for one in self._own_models() if one["id"] == name), None)
        return web.json_response(own) if own else await self.pass_on(request)

    def _own_models(self) -> list[dict[str, Any]]:
        names = [self.config.gateway.alias, *(f"{MODEL_PREFIX}{name}" for name in self.config.teachers)]
        return [{"id": one, "object": "model", "created": 0, "owned_by": "weakspot"} for one in names]

    async def serve(self, request: "web.Request") -> "web.StreamResponse":
        """Answer at the endpoint that is meant, however its path is written; pass on what is inference."""
        path = canonical_path(request.path)
        handlers = {
            ("POST", CHAT): self.chat,
            ("POST", MESSAGES): self.messages,
            ("POST", COUNT): self.count_tokens,
            ("POST", RESPONSES): self.responses,
            ("POST", f"{RESPONSES}/input_tokens"): self.count_response_tokens,
            ("POST", FEEDBACK): self.feedback.take,
            ("GET", MODELS): self.models,
        }
        other = self.pass_on
        if request.method == "GET" and path.startswith(f"{MODELS}/"):
            other = self.model
        elif path.startswith(f"{RESPONSES}/"):
            other = self.remembered_response
        return await handlers.get((request.method, path), other)(request)

    async def pass_on(self, request: "web.Request") -> "web.StreamResponse":
        """Pass a request on unchanged, if it is for an inference endpoint or one that the settings open.

        The local model's server has other endpoints as well, which change it; and it gets the settings' key.
        """
        data = body_of(request)
        if holds_conversation(request.path):
            await self._refuse_wish(request, data)
        path = canonical_path(request.path)
        if not is_passed_on(request.method, path, tuple(self.config.gateway.pass_)):
            shown = json.dumps(f"{request.method} {path[:_SHOWN_CHARACTERS]}")
            raise GatewayError(
                404, f"not passed on to the local model's server; to open it: [gateway] pass = [{shown}]"
            )
        if CONSULT_HEADER in request.headers:
            raise GatewayError(400, f"{CONSULT_HEADER}: a teacher can be consulted on {_CONVERSATIONS} only")
        return await forward_request(self.upstream, request, data)

    async def health(self, request: "web.Request") -> "web.StreamResponse":
        """The state of the gateway, and of the local model's server."""
        from aiohttp import web

        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                names = await self.upstream.models(self.upstream.json_headers(request), oldest_seconds=0)
        except (GatewayError, TimeoutError):
            return web.json_response({"status": "ok", "upstream": "down", "models": []})
        return web.json_response({"status": "ok", "upstream": "ok", "models": names, "live": self.routing.live()})

    async def show_metrics(self, request: "web.Request") -> "web.StreamResponse":
        """The metrics in Prometheus' text format."""
        from aiohttp import web

        return web.Response(body=self.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    def _consultation_request(
        self, request: "web.Request", chat: dict[str, Any], conversation: Conversation
    ) -> ConsultationRequest | None:
        """Return the request for a teacher; None for the local model, whose server itself refuses malformed bodies."""
        named = _named_teacher(request, chat)
        wish = consultation.parse_consultation_request(self.config, conversation, named)
        if wish is None and named is None:
            self._note_unheard_wish(request, conversation)
            return None
        require_chat(chat)
        if wish is None:
            raise GatewayError(400, "there is no question to consult a teacher about")
        return wish

    async def _refuse_wish(self, request: "web.Request", data: bytes) -> None:
        """Refuse a request for a teacher on a path that cannot carry one: passed on, it would be lost in silence."""
        try:
            _, body = await parse_json(data)
        except GatewayError as error:
            if error.status == 413:
                raise
            return  # the local model's server refuses what is no JSON
        require_readable(data, body, self.config.gateway.max_text_characters)
        turns = await _read_conversation(data, body.get("messages"))
        named = _named_teacher(request, body)
        if named is not None or consultation.parse_consultation_request(self.config, turns, None) is not None:
            raise GatewayError(400, f"a teacher cannot be consulted on {request.path}: use {_CONVERSATIONS}")

    def _note_unheard_wish(self, request: "web.Request", conversation: Conversation) -> None:
        """Count a last message that looks like a request for an expert, and keep its beginning for 'status'."""
        if not conversation.ends_in_query or not resembles_wish(self.config, conversation.words):
            return
        client = client_name(request.headers.get("User-Agent", ""))
        self.metrics.unheard.labels(client).inc()
        words = scrub_text(conversation.words[:_SHOWN_CHARACTERS], api_keys(self.config))
        now = timestamp(datetime.now(UTC))
        self.keeper.note_unheard(UnheardWish(timestamp=now, client=client, words=words))


async def _read_conversation(data: bytes, messages: Any) -> Conversation:
    """Return the conversation that a request's messages are; a long one is read in a thread, once and for all."""

    def read() -> Conversation:
        conversation = Conversation.of(messages)
        if len(data) > LONG_BYTES:  # of a short one the key is found behind the answer
            conversation.remember()
        return conversation

    return await read_in_turn(data, read)


def _named_teacher(request: "web.Request", body: dict[str, Any]) -> str | None:
    """Return the teacher that a request names in its header or as its model, None where it names none."""
    model, named = body.get("model"), request.headers.get(CONSULT_HEADER)
    if named is None and isinstance(model, str) and model.startswith(MODEL_PREFIX):
        return model.removeprefix(MODEL_PREFIX)
    return named


def application(workspace: Workspace, config: Config, rules: Rules) -> "web.Application":
    """Return the gateway as an aiohttp application; run it as :func:`serve` does."""
    from aiohttp import web

    gateway = Gateway(workspace, config)
    guard = Guard(gateway.metrics, rules, config.gateway, ENDPOINTS, _OWN)
    app = web.Application(client_max_size=config.gateway.max_body_bytes, middlewares=[guard.middleware()])
    app.router.add_get("/health", gateway.health)
    app.router.add_get("/metrics", gateway.show_metrics)
    app.router.add_route("*", "/{path:.*}", gateway.serve)

    async def close_gateway(_app: web.Application) -> None:
        await gateway.close()

    app.on_cleanup.append(close_gateway)
    app.on_response_prepare.append(guard.open_to_page)
    return app


async def start_server(workspace: Workspace, config: Config) -> "tuple[web.AppRunner, str]":
    """Start the gateway in the running event loop; return its runner, ended by ``cleanup()``, and its address.

    Raises :class:`UserError` for an address that cannot be listened on, or a token that cannot be had.
    """
    if not any(isinstance(one, SecretFreeLogFilter) for one in _http_log.filters):
        _http_log.addFilter(SecretFreeLogFilter())
    settings = config.gateway
    token = find_or_make_token(settings, settings.listen)
    clients = Clients(workspace.clients)
    rules = Rules.of(settings, settings.listen, token.value if token else "", clients=clients, uploads=UPLOADS)
    runner, address = await start_app(
        application(workspace, config, rules),
        settings.listen,
        max_connections=settings.max_connections,
        logger=_http_log,
        handler_cancellation=True,
        auto_decompress=False,
    )
    try:
        keep_token(token)
    except UserError:
        await runner.cleanup()
        raise
    for line in describe_exposure(settings.listen, token):
        _log.warning("%s", line)
    return runner, address


async def serve(workspace: Workspace, config: Config, listening: Callable[[str], None]) -> None:
    """Run the gateway until SIGINT or SIGTERM; call ``listening`` with its address once it listens.

    Raises :class:`UserError` for an address that cannot be listened on.
    """
    runner, address = await start_server(workspace, config)
    await wait_for_signal(runner, lambda: listening(address))
