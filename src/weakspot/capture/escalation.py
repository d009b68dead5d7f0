"""Recognise the user's turn that asks for a teacher."""

import re
from dataclasses import dataclass
from functools import lru_cache

from weakspot.config import Config
from weakspot.records import Message

# What agents put around a user's words: reminders and surroundings go, the task's own tags are only taken off.
_SURROUNDINGS = re.compile(
    r"<(system-reminder|environment_details|environment_context|additional_data|context)>.*?</\1>", re.DOTALL
)
_TAGS = re.compile(r"</?(?:task|user_message|user_query|user|feedback|answer)>")
_POLITE = r"(?:(?:please|pls|ok(?:ay)?|now|then|let's|can you|could you|now please)[\s,]+)*"
# Longer words are about something else: a text of this length is not searched at all.
_LONGEST = 20_000


@dataclass(frozen=True)
class Escalation:
    """A wish to consult ``teacher``; ``remark`` is what the user said on top of it, often nothing."""

    teacher: str
    remark: str = ""


def spoken(text: str) -> str:
    """Return what the user said, without what an agent put around it."""
    # A command line's agent may hand on the quotes of its argument.
    return _TAGS.sub("", _SURROUNDINGS.sub("", text)).strip().strip("\"'`“”«»").strip()


def recognised(config: Config, text: str) -> Escalation | None:
    """Return whom ``text`` asks for, None where it is any other turn.

    The whole turn must be one of ``[escalation] phrases``, in any case, with or without a "please" and a
    closing mark; after a colon it may go on with a remark.
    """
    if len(text) > _LONGEST:
        return None
    words = spoken(text)
    match = _pattern(tuple(config.escalation.phrases), _names(config)).fullmatch(words)
    if match is None:
        return None
    named = next((group for group in match.groups()[:-1] if group), "")
    # "the expert" is nobody's name: it is the default teacher.
    teacher = teacher_named(config, named) or config.escalation.default_teacher
    return Escalation(teacher, (match[match.re.groups] or "").strip())


def teacher_named(config: Config, name: str) -> str | None:
    """Return the teacher that goes by ``name``, in any case; None where nobody does."""
    wanted = " ".join(name.lower().split())
    for teacher, table in config.teachers.items():
        if wanted in (teacher, table.model.lower(), *(one.lower() for one in table.names)):
            return teacher
    return None


def phrase(config: Config, teacher: str) -> str:
    """Return the words that stand for the escalation to ``teacher`` where the user wrote none."""
    first = config.escalation.phrases[0] if config.escalation.phrases else "consult {teacher}"
    return first.replace("{teacher}", teacher.capitalize())


def last_escalation(config: Config, messages: list[Message]) -> tuple[int, Escalation] | None:
    """Return place and wish of the escalation that ``messages`` end in, None where they do not.

    It is the last user turn; after it only the expert's own tool calls and their results may stand. In
    front of it there must be a question and an attempt, or there is nothing to consult anybody about.
    """
    users = [n for n, message in enumerate(messages) if message.role == "user"]
    if len(users) < 2 or users[-1] - users[-2] < 2:
        return None
    wish = recognised(config, messages[users[-1]].content or "")
    return (users[-1], wish) if wish else None


def _names(config: Config) -> tuple[str, ...]:
    tables = config.teachers.items()
    return tuple(name for teacher, table in tables for name in (teacher, table.model, *table.names))


@lru_cache(maxsize=8)
def _pattern(phrases: tuple[str, ...], names: tuple[str, ...]) -> re.Pattern[str]:
    expert = r"(?:the|an|your|my)?\s*expert"
    either = "|".join(_spaced(name) for name in sorted(names, key=len, reverse=True))
    bodies = (_spaced(one).replace(_spaced("{teacher}"), f"({either}|{expert})") for one in phrases)
    return re.compile(rf"{_POLITE}(?:{'|'.join(bodies)})(?:\s*,?\s*please)?\s*(?:[.!?…]*|:\s*(.*))", re.I | re.DOTALL)


def _spaced(text: str) -> str:
    return r"\s+".join(re.escape(word) for word in text.split())
