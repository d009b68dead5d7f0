"""Asks a teacher one question, and stores the answer."""

import asyncio
import contextlib
import logging
import time

from pydantic import BaseModel, Field

from weakspot.access.client_keys import Client
from weakspot.capture import consultation, trigger_phrases
from weakspot.capture.consultation import ConsultationRequest
from weakspot.capture.recorder import Collected, Unfitted
from weakspot.config import Config
from weakspot.protocols.parts import Answer
from weakspot.teachers import TeacherError, Teachers, cost
from weakspot.workspace import Workspace
from zddc.errors import UserError

_log = logging.getLogger(__name__)


class Consulted(BaseModel):
    """The expert's answer, and what became of the record of it."""

    answer: str = Field(description="what the expert says, to be passed on or acted on")
    complete: bool = Field(description="false where the answer was cut off: it is kept, but never trained on")
    teacher: str = Field(description="who was asked")
    model: str = Field(description="the model that answered")
    interaction_id: str | None = Field(description="id of the record, null where it could not be stored")
    stored: bool = Field(description="whether the record is on the disk")
    not_stored_because: str | None = Field(description="why it is not stored; the answer is valid nevertheless")
    seconds: float = Field(description="seconds until the answer was complete")
    cost_usd: float | None = Field(description="null where a price is not known")


def build_consultation_request(
    config: Config, query: str, attempt: str, context: str, teacher: str
) -> ConsultationRequest:
    """Return the request to consult ``teacher``, "" for the default one, about one question.

    Raises :class:`UserError` for an empty text and an unknown teacher.
    """
    refuse_empty(query=query, attempt=attempt)
    name = trigger_phrases.find_teacher(config, teacher or config.escalation.default_teacher)
    if name is None:
        raise UserError("teacher", f"there is no {teacher[:80]}", f"there are {', '.join(config.teachers)}")
    before = [{"role": "system", "content": context}] if context.strip() else []
    return ConsultationRequest(
        teacher=name,
        before=[*before, {"role": "user", "content": query}],
        attempt=[{"role": "assistant", "content": attempt}],
        escalation=trigger_phrases.trigger_phrase(config, name),
    )


async def consult(
    workspace: Workspace,
    config: Config,
    teachers: Teachers,
    one: ConsultationRequest,
    source: str,
    client: Client | None = None,
) -> Consulted:
    """Ask the teacher for a named ``client``, if it is one, and store the answer, also where it breaks off or the
    client disconnects.

    Raises :class:`TeacherError` where the answer did not reach its end, or is empty.
    """
    import anyio

    answer, started = Answer(), time.monotonic()
    question = consultation.question(one, (), None)
    try:
        async with contextlib.aclosing(teachers.ask(one.teacher, question, client)) as parts:
            async for part in parts:
                answer.add(part)
    finally:
        seconds = round(time.monotonic() - started, 3)
        spent = cost(config.teachers[one.teacher], answer.finished) if answer.finished else None
        with anyio.CancelScope(shield=True):  # the client may be gone, and this call with it
            kept = await asyncio.to_thread(_store_answer, workspace, config, one, answer, seconds, spent, source)
    teacher, finished = config.teachers[one.teacher], answer.finished
    if finished is None or answer.empty:
        raise TeacherError(502, f"teacher {one.teacher}: no answer ({finished.reason if finished else 'it broke off'})")
    return Consulted(
        answer=answer.text,
        complete=answer.complete,
        teacher=one.teacher,
        model=finished.model or teacher.model,
        interaction_id=kept.interaction.id if isinstance(kept, Collected) else None,
        stored=isinstance(kept, Collected),
        not_stored_because=kept if isinstance(kept, str) else None,
        seconds=seconds,
        cost_usd=spent,
    )


def _store_answer(
    workspace: Workspace,
    config: Config,
    one: ConsultationRequest,
    answer: Answer,
    seconds: float,
    cost_usd: float | None,
    source: str,
) -> Collected | str:
    """Store the answer; return the record, or the reason why there is none."""
    if answer.empty:
        return "the answer is empty"
    try:
        stored = consultation.store_consultation(
            workspace,
            config,
            one,
            answer,
            seconds=seconds,
            cost_usd=cost_usd,
            source=source,
            conversation=[*one.before, *one.attempt, {"role": "user", "content": one.escalation}],
        )
    except (UserError, OSError) as error:
        _log.error("a consultation is not stored: %s", error)
        return str(error)
    if isinstance(stored, Unfitted):
        return f"{stored.detail}; it is kept in {stored.file.name}, and is not trained on"
    return stored


def refuse_empty(**texts: str) -> None:
    """Raise :class:`UserError` for the first text that is empty, by its name."""
    for name, text in texts.items():
        if not text.strip():
            raise UserError(name, "is empty", "give the whole text, word for word")
