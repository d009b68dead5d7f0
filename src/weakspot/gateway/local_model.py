"""A question for the local model: who answers it, with which examples in front of it, and that it was asked."""

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weakspot.capture.conversation import Conversation, Messages
from weakspot.capture.recorder import timestamp
from weakspot.config import Config
from weakspot.gateway.answer_cache import Attempts
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.routing import Route, Routing
from weakspot.gateway.upstream import GatewayError, Upstream
from weakspot.gateway.write_queue import Keeper
from weakspot.protocols import openai_chat
from weakspot.protocols.parts import Answer, StreamError
from weakspot.records import Use
from weakspot.retrieval import Index, augmented
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

_KEPT = ("tools", "max_tokens", "max_completion_tokens", "temperature")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A request as the server gets it: ``chat`` is the client's, but for the model's name and examples."""

    route: Route
    chat: dict[str, Any]
    started: float

    @property
    def data(self) -> bytes:
        """The body."""
        return json.dumps(self.chat).encode()


class Local:
    """Stands for the local model, whatever adapter of it answers."""

    def __init__(
        self,
        workspace: Workspace,
        config: Config,
        *,
        upstream: Upstream,
        routing: Routing,
        keeper: Keeper,
        attempts: Attempts,
        metrics: Metrics,
    ) -> None:
        self._upstream, self._routing, self._metrics = upstream, routing, metrics
        self._keeper, self._attempts = keeper, attempts
        self._index = Index(workspace, config) if config.retrieval.enabled else None

    async def asked(
        self, request: "web.Request", chat: dict[str, Any], conversation: Conversation, *, any_name: bool = False
    ) -> Asked:
        """Return a request as its server gets it; ``conversation`` is that of ``chat`` where it is sound.

        ``any_name`` is for clients that may ask for a model by a name that no server here has.
        """
        started, headers = time.monotonic(), self._upstream.json_headers(request)
        route = await self._routing.route(str(chat.get("model", "")), conversation, headers, any_name=any_name)
        changed = {**chat, "model": route.model} if "model" in chat or any_name else chat
        # An adapter was taught to answer the bare question: examples in front of it make it worse.
        if self._index is not None and conversation and route.release is None:
            changed = {**changed, "messages": await self._with_examples(self._index, conversation)}
        return Asked(route, changed, started)

    def heard(self, asked: Asked, conversation: Conversation, answer: bytes, streamed: bool) -> None:
        """Remember the server's whole answer, and count the question if it is one of the user's own."""
        if conversation:
            self._attempts.remember(conversation, answer, streamed=streamed)
            if conversation.ends_in_query:
                self._note(asked)

    async def attempted(self, request: "web.Request", chat: dict[str, Any], conversation: Conversation) -> Messages:
        """Ask what a teacher is asked; return the local model's turn, empty where it has none."""
        kept = {key: chat[key] for key in _KEPT if key in chat}
        try:
            asked = await self.asked(request, {**kept, "messages": conversation.messages}, conversation, any_name=True)
            upstream = asked.route.upstream
            data = await upstream.completion(asked.chat, upstream.json_headers(request))
            answer = Answer.of(openai_chat.parts_of_completion(data))
        except (GatewayError, StreamError):
            return []
        self._note(asked)
        return [] if answer.empty else [answer.message()]

    def consulted(self, teacher: str, conversation: Conversation, seconds: float, cost_usd: float | None) -> None:
        """Note that a teacher was consulted about the question that a conversation ends in."""
        domain, release = self._routing.choice(conversation)
        use = Use(
            timestamp=timestamp(datetime.now(UTC)),
            domain=domain,
            model=f"expert/{teacher}",
            release=release.number if release else None,
            consulted=True,
            seconds=round(seconds, 3),
            cost_usd=cost_usd,
        )
        self._keeper.note(use)

    def _note(self, asked: Asked) -> None:
        route = asked.route
        number = route.release.number if route.release else None
        self._metrics.questions.labels(route.domain, route.release.adapter if route.release else "base").inc()
        use = Use(
            timestamp=timestamp(datetime.now(UTC)),
            domain=route.domain,
            model=route.model,
            release=number,
            consulted=False,
            seconds=round(time.monotonic() - asked.started, 3),
        )
        self._keeper.note(use)

    async def _with_examples(self, index: "Index", conversation: Conversation) -> Messages:
        try:
            return await asyncio.to_thread(augmented, index, conversation)
        except (UserError, OSError) as error:
            _log.error("no examples are shown: %s", error)
            return conversation.messages
