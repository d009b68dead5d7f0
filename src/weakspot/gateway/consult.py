"""Answers a request for a teacher: streams the teacher's answer as an ordinary completion, and stores it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from weakspot.access.adapters import client_of
from weakspot.access.client_keys import Client
from weakspot.capture import consultation
from weakspot.capture.consultation import ConsultationRequest
from weakspot.capture.entrances import GATEWAY
from weakspot.capture.recorder import Collected, Unfitted
from weakspot.config import Config
from weakspot.gateway.answer_cache import AnswerCache
from weakspot.gateway.bridge import STREAM_HEADERS
from weakspot.gateway.local_model import LocalModel
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.schemas import holds_chat
from weakspot.gateway.upstream import CREDENTIALS
from weakspot.gateway.write_queue import WriteQueue
from weakspot.protocols import openai_chat
from weakspot.protocols.notice import format_notice
from weakspot.protocols.parts import Answer, AnswerWriter, Finished, Part, Text
from weakspot.protocols.turns import Messages, was_noticed
from weakspot.records.parsing import RecordError
from weakspot.storage.append_log import Journal
from weakspot.storage.ledger import Ledger
from weakspot.teachers import TeacherError, Teachers, cost
from weakspot.workspace import Workspace

if TYPE_CHECKING:
    from aiohttp import web

CAPTURE_HEADER = "x-weakspot-capture"
# How long storing waits for the local model's attempt, which was requested at the same time as the teacher's answer.
ATTEMPT_SECONDS = 15.0
_LAST_SECONDS = 10.0
_REACHED = ("answered", "cut")
# Shorter values are placeholders that local servers accept as a key, such as "none": they are no secrets.
_SHORTEST_KEY = 20
_log = logging.getLogger(__name__)


@dataclass
class _Consultation:
    """State of one consultation while its answer arrives; ``stored`` is set once, when it has ended."""

    wish: ConsultationRequest
    asked: asyncio.Task[Messages] | None
    tools: list[dict[str, Any]]
    secrets: list[str]
    domain: str
    # All that the client sent, what it asked of thinking, and why its record cannot be trained on, if it cannot.
    conversation: Messages
    thinking: dict[str, str]
    misfit: RecordError | None
    client: Client | None
    answer_id: str
    answer: Answer = field(default_factory=Answer)
    started: float = field(default_factory=time.monotonic)
    stored: asyncio.Task[Collected | Unfitted | None] | None = None


class Consultations:
    """Asks teachers on behalf of clients, and makes sure that every answer is stored."""

    def __init__(
        self,
        workspace: Workspace,
        config: Config,
        *,
        local: LocalModel,
        keeper: WriteQueue,
        attempts: AnswerCache,
        metrics: Metrics,
    ) -> None:
        self._workspace, self._config = workspace, config
        self._local, self._keeper, self._attempts, self._metrics = local, keeper, attempts, metrics
        self._teachers = Teachers(config, Ledger(workspace.spending))
        self._unfinished: set[asyncio.Task[Collected | Unfitted | None]] = set()

    async def answer(
        self, request: "web.Request", wish: ConsultationRequest, chat: dict[str, Any], writer: AnswerWriter
    ) -> "web.StreamResponse":
        """Answer the client from the teacher; the record is stored before the client sees the end.

        Raises :class:`TeacherError` as long as nothing was sent. A client that goes away, or a teacher that
        breaks off, leaves a record that is marked as incomplete.
        """
        wish, asked = self._find_attempt(request, wish, chat)
        one = _Consultation(
            wish,
            asked,
            chat.get("tools") or [],
            _secrets(request),
            domain=self._local.domain_of(wish.query),
            conversation=chat["messages"],
            thinking=openai_chat.thinking_options(chat),
            misfit=consultation.find_misfit(wish),
            client=client_of(request),
            answer_id=writer.id,
        )
        question = replace(
            consultation.question(wish, one.tools, _limit(chat)),
            secrets=tuple(one.secrets),
            options=openai_chat.answer_options(chat),
        )
        try:
            async with contextlib.aclosing(self._teachers.ask(wish.teacher, question, one.client)) as parts:
                return await self._send_answer(request, one, writer, parts, stream=bool(chat.get("stream")))
        except TeacherError:
            await asyncio.shield(self._finish_consultation(one, "failed"))
            raise
        finally:
            self._finish_consultation(one, "client-gone")

    async def close(self) -> None:
        """Wait for what is being stored, at most some seconds, and close the connections to the teachers."""
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=_LAST_SECONDS)
        await self._teachers.close()

    def _find_attempt(
        self, request: "web.Request", wish: ConsultationRequest, chat: dict[str, Any]
    ) -> tuple[ConsultationRequest, asyncio.Task[Messages] | None]:
        """Find the attempt that a client left out: in the cache, or else requested while the teacher answers."""
        if wish.attempt:
            return wish, None
        # The local model's server may have taken what a teacher does not.
        if (remembered := self._attempts.recall(wish.query)) and holds_chat(remembered):
            return replace(wish, attempt=remembered, attempt_from="remembered"), None
        if not self._config.gateway.ask_missing_attempt:
            return wish, None
        return wish, asyncio.create_task(self._local.ask_for_attempt(request, chat, wish.query))

    async def _send_answer(
        self,
        request: "web.Request",
        one: _Consultation,
        writer: AnswerWriter,
        parts: AsyncIterator[Part],
        *,
        stream: bool,
    ) -> "web.StreamResponse":
        from aiohttp import web

        # A failure before the first part gets an HTTP status of its own.
        part = await anext(parts)
        notice = self._notice(one)
        expected = _capture_note(one.misfit) if one.misfit else "expected"
        response = web.StreamResponse(headers={**STREAM_HEADERS, CAPTURE_HEADER: expected})
        if stream:
            await response.prepare(request)
            await response.write(writer.begin())
        try:
            while not isinstance(part, Finished):
                one.answer.add(part)
                if stream:
                    await response.write(writer.write(part))
                part = await anext(parts)
        except TeacherError as error:
            if not stream:
                raise
            await asyncio.shield(self._finish_consultation(one, "failed"))
            await response.write(writer.error_event(error.status, str(error)))
            return response
        one.answer.add(part)
        stored = await asyncio.shield(self._finish_consultation(one, "answered" if one.answer.complete else "cut"))
        # An answer that calls tools goes on.
        behind: list[Text] = [notice] if notice is not None and not one.answer.calls else []
        if not stream:
            told = replace(one.answer, texts=[*one.answer.texts, *(part.text for part in behind)])
            return web.json_response(writer.whole(told), headers={CAPTURE_HEADER: _capture_note(stored)})
        await response.write(b"".join([*map(writer.write, behind), writer.write(part), writer.end()]))
        return response

    def _notice(self, one: _Consultation) -> Text | None:
        """Return the line behind an answer that cannot be trained on; None where it can, or the client knows."""
        if one.misfit is None or not self._config.gateway.notices or was_noticed(one.conversation):
            return None
        return Text(format_notice(f"stored, but not fit to train on ({one.misfit.reason}); see 'weakspot validate'"))

    def _finish_consultation(self, one: _Consultation, outcome: str) -> "asyncio.Task[Collected | Unfitted | None]":
        """Count a consultation, and store it in a task that outlives the client; later calls change nothing."""
        if one.stored is None:
            seconds = time.monotonic() - one.started
            finished = one.answer.finished
            spent = cost(self._config.teachers[one.wish.teacher], finished) if finished else None
            client = one.client.client if one.client else None
            self._metrics.count_consultation(one.wish.teacher, outcome, finished, spent, seconds)
            if client:
                self._metrics.count_client(client, outcome, spent)
            if outcome in _REACHED:
                self._local.note_consultation(one.wish.teacher, one.domain, one.wish.query, seconds, spent, client)
            _log.info("consulted %s: %s, %.1f s", one.wish.teacher, outcome, seconds)
            one.stored = asyncio.create_task(self._store(one, seconds, spent))
            self._unfinished.add(one.stored)
            one.stored.add_done_callback(self._unfinished.discard)
        return one.stored

    async def _store(self, one: _Consultation, seconds: float, cost_usd: float | None) -> Collected | Unfitted | None:
        wish = one.wish
        if one.asked is not None:
            # An incomplete answer is never trained on: its attempt is not worth waiting for.
            await asyncio.wait([one.asked], timeout=ATTEMPT_SECONDS if one.answer.complete else 0)
            one.asked.cancel()  # where it has not ended
            done = one.asked.done() and not one.asked.cancelled()
            if done and (attempt := one.asked.result()):
                wish = replace(wish, attempt=attempt, attempt_from="asked")
        if one.answer.finished is None and one.answer.empty:
            return None  # there is no answer to store

        def store(journal: Journal) -> Collected | Unfitted:
            return consultation.store_consultation(
                self._workspace,
                self._config,
                wish,
                one.answer,
                seconds=seconds,
                cost_usd=cost_usd,
                source=GATEWAY,
                domain=one.domain,
                conversation=one.conversation,
                thinking=one.thinking,
                tools=one.tools,
                secrets=one.secrets,
                into=journal,
                answer_id=one.answer_id,
            )

        return await self._keeper.store(store)


def _capture_note(stored: Collected | Unfitted | RecordError | None) -> str:
    """Return what the client is told about the record; None is one that waits for the disk."""
    match stored:
        case Unfitted() | RecordError():
            return f"unfitted; reason={stored.reason}"
        case Collected():
            return f"stored; id={stored.interaction.id}"
    return "waiting"


def _limit(chat: dict[str, Any]) -> int | None:
    limit = chat.get("max_completion_tokens") or chat.get("max_tokens")
    return limit if isinstance(limit, int) and limit > 0 else None


def _secrets(request: "web.Request") -> list[str]:
    """Return the keys that the client itself sent, which its conversation may hold as well."""
    values = [value.split()[-1] for name, value in request.headers.items() if name.lower() in CREDENTIALS and value]
    return [value for value in values if len(value) >= _SHORTEST_KEY]
