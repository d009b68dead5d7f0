"""The local model behind the gateway: routes a question, adds retrieved examples, and notes its use."""

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weakspot.access.adapters import client_of
from weakspot.capture.conversation import Conversation
from weakspot.capture.recorder import timestamp
from weakspot.config import Config
from weakspot.gateway.answer_cache import AnswerCache
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.routing import Route, Routing
from weakspot.gateway.upstream import GatewayError, Upstream
from weakspot.gateway.write_queue import WriteQueue
from weakspot.models.adapters import read_manifest
from weakspot.models.chat_template import RenderOptions, Thinking
from weakspot.protocols import openai_chat
from weakspot.protocols.parts import Answer, StreamError
from weakspot.protocols.turns import Messages, strict_turns
from weakspot.records import Release, UsageEvent
from weakspot.retrieval import ExampleIndex, augment_messages
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

_KEPT = ("tools", "max_tokens", "max_completion_tokens", "temperature")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RoutedRequest:
    """A request as its server gets it: the client's ``chat`` with the model's name and retrieved examples set.

    ``client`` is the name of who asks, None for one without a key of its own.
    """

    route: Route
    chat: dict[str, Any]
    started: float
    client: str | None = None

    @property
    def data(self) -> bytes:
        """The request's body as JSON."""
        return json.dumps(self.chat).encode()


class LocalModel:
    """The local model, whichever of its adapters answers."""

    def __init__(
        self,
        workspace: Workspace,
        config: Config,
        *,
        upstream: Upstream,
        routing: Routing,
        keeper: WriteQueue,
        attempts: AnswerCache,
        metrics: Metrics,
    ) -> None:
        self._upstream, self._routing, self._metrics = upstream, routing, metrics
        self._keeper, self._attempts = keeper, attempts
        self._workspace = workspace
        self._modes: dict[str, Thinking] = {}
        self._index = ExampleIndex(workspace, config) if config.retrieval.enabled else None

    async def route_request(
        self, request: "web.Request", chat: dict[str, Any], conversation: Conversation, *, any_name: bool = False
    ) -> RoutedRequest:
        """Return a request as its server gets it; ``conversation`` is that of ``chat`` where it is sound.

        ``any_name`` is for clients that may ask for a model by a name that no server here has.
        """
        started, headers = time.monotonic(), self._upstream.json_headers(request)
        route = await self._routing.route(str(chat.get("model", "")), conversation, headers, any_name=any_name)
        changed = {**chat, "model": route.model} if "model" in chat or any_name else chat
        if conversation:
            messages = chat["messages"]
            # An adapter was trained to answer the bare question: examples in front of it make it worse.
            if self._index is not None and route.release is None:
                messages = await self._with_examples(self._index, conversation)
            changed = {**changed, "messages": strict_turns(messages)}
        if route.release is not None and not openai_chat.thinking_options(chat):
            changed = self._with_adapter_mode(changed, route.release)
        client = client_of(request)
        return RoutedRequest(route, changed, started, client.client if client else None)

    def _with_adapter_mode(self, chat: dict[str, Any], release: Release) -> dict[str, Any]:
        """Return a request that says nothing of thinking as the adapter was trained: with it, or without."""
        name = release.adapter or ""
        if name not in self._modes:
            try:
                self._modes[name] = read_manifest(self._workspace, AdapterName.parse(name), verify=False).thinking
            except (UserError, OSError, ValueError):
                self._modes[name] = "default"
        arguments = RenderOptions(thinking=self._modes[name]).template_arguments()
        given = chat.get("chat_template_kwargs") or {}
        return {**chat, "chat_template_kwargs": {**arguments, **given}} if arguments else chat

    def domain_of(self, conversation: Conversation) -> str:
        """Return the domain of the question that a conversation ends in."""
        return self._routing.domain_of(conversation)

    def remember_answer(self, asked: RoutedRequest, conversation: Conversation, answer: bytes) -> None:
        """Cache the server's whole answer; count the question if the last message is one of the user's."""
        if conversation:
            self._attempts.remember(conversation, answer)
            if conversation.ends_in_query:
                self._note(asked)

    async def ask_for_attempt(
        self, request: "web.Request", chat: dict[str, Any], conversation: Conversation
    ) -> Messages:
        """Ask the local model what the teacher is asked; return its turn, empty where it gives none."""
        kept = {key: chat[key] for key in _KEPT if key in chat}
        try:
            asked = await self.route_request(
                request, {**kept, "messages": conversation.messages}, conversation, any_name=True
            )
            upstream = asked.route.upstream
            data = await upstream.completion(asked.chat, upstream.json_headers(request))
            answer = Answer.of(openai_chat.parts_of_answer(data))
        except (GatewayError, StreamError):
            return []
        self._note(asked)
        return [] if answer.empty else [answer.turn()]

    def note_consultation(
        self,
        teacher: str,
        domain: str,
        conversation: Conversation,
        seconds: float,
        cost_usd: float | None,
        client: str | None = None,
    ) -> None:
        """Note that a teacher was consulted about the question that a conversation ends in, by which named client."""
        release = self._routing.release_for(domain, conversation)
        use = UsageEvent(
            timestamp=timestamp(datetime.now(UTC)),
            domain=domain,
            model=f"expert/{teacher}",
            release=release.number if release else None,
            consulted=True,
            seconds=round(seconds, 3),
            cost_usd=cost_usd,
            client=client,
        )
        self._keeper.note(use)

    def _note(self, asked: RoutedRequest) -> None:
        route = asked.route
        number = route.release.number if route.release else None
        self._metrics.questions.labels(route.domain, route.release.adapter if route.release else "base").inc()
        if asked.client:
            self._metrics.client_questions.labels(asked.client).inc()
        use = UsageEvent(
            timestamp=timestamp(datetime.now(UTC)),
            domain=route.domain,
            model=route.model,
            release=number,
            consulted=False,
            seconds=round(time.monotonic() - asked.started, 3),
            client=asked.client,
        )
        self._keeper.note(use)

    async def _with_examples(self, index: "ExampleIndex", conversation: Conversation) -> Messages:
        try:
            return await asyncio.to_thread(augment_messages, index, conversation)
        except (UserError, OSError) as error:
            _log.error("going on without retrieved examples: %s", error)
            return conversation.messages
