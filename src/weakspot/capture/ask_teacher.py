"""Ask a teacher one question, and keep what it says."""

import asyncio
import contextlib
import logging
import time

from pydantic import BaseModel, Field

from weakspot.capture import consultation, trigger_phrases
from weakspot.capture.consultation import Wish
from weakspot.capture.recorder import Collected
from weakspot.config import Config
from weakspot.protocols.parts import Answer
from weakspot.records.parsing import RecordError
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
    interaction_id: str | None = Field(description="of the record, null where it could not be stored")
    stored: bool = Field(description="whether the record is on the disk")
    not_stored_because: str | None = Field(description="why it is not; the answer holds all the same")
    seconds: float = Field(description="until the answer was whole")
    cost_usd: float | None = Field(description="null where a price is not known")


def plain_wish(config: Config, query: str, attempt: str, context: str, teacher: str) -> Wish:
    """Return the wish for the answer of ``teacher``, "" for the default one, to one question.

    Raises :class:`UserError` for what cannot be asked.
    """
    refuse_empty(query=query, attempt=attempt)
    name = trigger_phrases.teacher_named(config, teacher or config.escalation.default_teacher)
    if name is None:
        raise UserError("teacher", f"there is no {teacher[:80]}", f"there are {', '.join(config.teachers)}")
    before = [{"role": "system", "content": context}] if context.strip() else []
    return Wish(
        teacher=name,
        before=[*before, {"role": "user", "content": query}],
        attempt=[{"role": "assistant", "content": attempt}],
        escalation=trigger_phrases.phrase(config, name),
    )


async def consult(workspace: Workspace, config: Config, teachers: Teachers, one: Wish, source: str) -> Consulted:
    """Ask the teacher, and keep what it says, also where it breaks off or whoever asked goes away.

    Raises :class:`TeacherError` where no answer came to its end.
    """
    import anyio

    answer, started = Answer(), time.monotonic()
    try:
        async with contextlib.aclosing(teachers.ask(one.teacher, consultation.question(one, (), None))) as parts:
            async for part in parts:
                answer.add(part)
    finally:
        seconds = round(time.monotonic() - started, 3)
        spent = cost(config.teachers[one.teacher], answer.finished) if answer.finished else None
        with anyio.CancelScope(shield=True):  # the client may be gone, and this call with it
            kept = await asyncio.to_thread(_kept, workspace, config, one, answer, seconds, spent, source)
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


def _kept(
    workspace: Workspace,
    config: Config,
    one: Wish,
    answer: Answer,
    seconds: float,
    cost_usd: float | None,
    source: str,
) -> Collected | str:
    """Store what was said; return the record, or why there is none."""
    if answer.empty:
        return "nothing was said"
    try:
        return consultation.kept(workspace, config, one, answer, seconds=seconds, cost_usd=cost_usd, source=source)
    except (RecordError, UserError, OSError) as error:
        _log.error("a consultation is not stored: %s", error)
        return str(error)


def refuse_empty(**texts: str) -> None:
    """Raise :class:`UserError` that names the first text with nothing in it."""
    for name, text in texts.items():
        if not text.strip():
            raise UserError(name, "is empty", "give the whole text, word for word")
