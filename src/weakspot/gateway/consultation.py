"""A request that is for a teacher: asked, streamed to the client as an ordinary completion, and kept."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from weakspot.capture import consulting
from weakspot.capture.consulting import Wish
from weakspot.capture.keeping import Collected
from weakspot.capture.teachers import TeacherError, Teachers
from weakspot.config import Config
from weakspot.data.journal import Journal
from weakspot.gateway.attempts import Attempts
from weakspot.gateway.keeper import Keeper
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.passing import attempted
from weakspot.gateway.upstream import Upstream
from weakspot.protocols import anthropic_messages, openai_chat
from weakspot.protocols.parts import Answer, Finished, Part
from weakspot.workspace import Workspace

if TYPE_CHECKING:
    from aiohttp import web

SOURCE = "gateway"
# What agents call their session by: opencode, Claude Code.
_SESSIONS = ("x-session-id", "x-claude-code-session-id")
# How long a record waits for the local model's attempt when the teacher has finished before it.
_ATTEMPT_SECONDS = 300.0
_LAST_SECONDS = 10.0
_log = logging.getLogger(__name__)

Writer = openai_chat.Writer | anthropic_messages.Writer
_Asked = asyncio.Task[list[dict[str, Any]]]


class Consultations:
    """Asks teachers on behalf of clients, and sees to it that what they answer is kept."""

    def __init__(
        self,
        workspace: Workspace,
        config: Config,
        *,
        upstream: Upstream,
        keeper: Keeper,
        attempts: Attempts,
        metrics: Metrics,
    ) -> None:
        self._workspace, self._config = workspace, config
        self._upstream, self._keeper, self._attempts, self._metrics = upstream, keeper, attempts, metrics
        self._teachers = Teachers(config)
        self._unfinished: set[asyncio.Task[None]] = set()

    async def answer(
        self, request: "web.Request", one: Wish, chat: dict[str, Any], writer: Writer
    ) -> "web.StreamResponse":
        """Answer the client from the teacher; the record is stored before the client sees the end.

        Raises :class:`TeacherError` as long as nothing was sent. A client that goes away, or a teacher that
        breaks off, leaves a record that is marked as incomplete.
        """
        one, asked = self._with_attempt(request, one, chat)
        session = next((value for name in _SESSIONS if (value := request.headers.get(name))), None)
        kept = _Kept(one, asked, chat.get("tools") or (), time.monotonic(), session)
        asking = self._teachers.ask(one.teacher, consulting.question(one, kept.tools, _limit(chat)))
        async with contextlib.aclosing(asking) as parts:
            try:
                response = await self._sent(request, writer, parts, kept, stream=bool(chat.get("stream")))
            except TeacherError:
                self._done(kept, "failed")
                raise
            except (asyncio.CancelledError, ConnectionError):
                self._done(kept, "client-gone")
                raise
        return response

    async def close(self) -> None:
        """Wait for records that still lack the local model's attempt, and leave the teachers."""
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=_LAST_SECONDS)
        await self._teachers.close()

    def _with_attempt(self, request: "web.Request", one: Wish, chat: dict[str, Any]) -> tuple[Wish, _Asked | None]:
        """Find the attempt that a client left out: remembered, or asked for while the teacher answers."""
        if one.attempt:
            return one, None
        if remembered := self._attempts.recall(one.before):
            return replace(one, attempt=remembered, attempt_from="remembered"), None
        if not self._config.gateway.ask_missing_attempt:
            return one, None
        headers = self._upstream.json_headers(request)
        return one, asyncio.create_task(attempted(self._upstream, headers, {**chat, "messages": one.before}))

    async def _sent(
        self, request: "web.Request", writer: Writer, parts: AsyncIterator[Part], kept: "_Kept", *, stream: bool
    ) -> "web.StreamResponse":
        from aiohttp import web

        # What goes wrong before the first part has an HTTP status of its own.
        part = await anext(parts)
        headers = {"Content-Type": writer.content_type, "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        if stream:
            await response.prepare(request)
            await response.write(writer.begin())
        try:
            while not isinstance(part, Finished):
                kept.answer.add(part)
                if stream:
                    await response.write(writer.write(part))
                part = await anext(parts)
        except TeacherError as error:
            if not stream:
                raise
            self._done(kept, "failed")
            await response.write(writer.failed(error.status, str(error)))
            return response
        kept.answer.add(part)
        stored = self._done(kept, "answered" if kept.answer.complete else "cut")
        if kept.asked is None or kept.asked.done():  # nobody waits for a slow local model
            await asyncio.shield(stored)
        if not stream:
            return web.json_response(writer.whole(kept.answer))
        await response.write(writer.write(part) + writer.end())
        return response

    def _done(self, kept: "_Kept", outcome: str) -> "asyncio.Task[None]":
        """Count and log a consultation, and store it in a task that goes on when the client goes away."""
        seconds = time.monotonic() - kept.started
        self._metrics.consultations.labels(kept.wish.teacher, outcome).inc()
        _log.info("consulted %s: %s, %.1f s", kept.wish.teacher, outcome, seconds)
        if kept.asked is not None and outcome in ("failed", "client-gone"):
            kept.asked.cancel()
        task = asyncio.create_task(self._keep(kept, seconds))
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return task

    async def _keep(self, kept: "_Kept", seconds: float) -> None:
        if kept.answer.finished is None and kept.answer.empty:
            return  # nobody said anything
        one = kept.wish
        if kept.asked is not None:
            await asyncio.wait([kept.asked], timeout=_ATTEMPT_SECONDS)
            if kept.asked.done() and not kept.asked.cancelled() and kept.asked.result():
                one = replace(one, attempt=kept.asked.result(), attempt_from="asked")

        def store(journal: Journal) -> Collected:
            return consulting.kept(
                self._workspace,
                self._config,
                one,
                kept.answer,
                seconds=seconds,
                source=SOURCE,
                tools=kept.tools,
                conversation_id=kept.session,
                into=journal,
            )

        await self._keeper.keep(store)


@dataclass
class _Kept:
    """What is known of a consultation while its answer comes."""

    wish: Wish
    asked: _Asked | None
    tools: Sequence[dict[str, Any]]
    started: float
    session: str | None
    answer: Answer = field(default_factory=Answer)


def _limit(chat: dict[str, Any]) -> int | None:
    limit = chat.get("max_completion_tokens") or chat.get("max_tokens")
    return limit if isinstance(limit, int) and limit > 0 else None
