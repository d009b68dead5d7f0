"""Recognises trigger phrases: turns of the user that ask for a teacher, such as "consult Opus"."""

import re
from dataclasses import dataclass
from functools import lru_cache

from weakspot.config import Config

_POLITE = r"(?:(?:please|pls|ok(?:ay)?|now|then|let's|can you|could you)[\s,]++)*"
_EXPERT = r"(?:(?:the|an|your|my)\s++)?expert"
_NOTHING = "(?!)"


@dataclass(frozen=True)
class Trigger:
    """A request to consult ``teacher``; ``remark`` is what the user added to it, often nothing.

    ``question`` is a new question that the same message brings.
    """

    teacher: str
    remark: str = ""
    question: str = ""


def parse_trigger(config: Config, text: str) -> Trigger | None:
    """Return the teacher that ``text`` asks for, None where it is any other turn.

    The whole turn must be one of ``[escalation] phrases``, in any case, with or without a "please" and a
    closing mark; after a colon it may go on with a remark.
    """
    match = _pattern(tuple(config.escalation.phrases), _names(config)).fullmatch(text)
    if match is None:
        return None
    named = next((group for group in match.groups()[:-1] if group), "")
    # "the expert" is nobody's name: it is the default teacher.
    teacher = find_teacher(config, named) or config.escalation.default_teacher
    return Trigger(teacher, (match[match.re.groups] or "").strip())


def find_teacher(config: Config, name: str) -> str | None:
    """Return the teacher with this name, model or other name, in any case; None where there is none."""
    wanted = " ".join(name.lower().split())
    for teacher, table in config.teachers.items():
        if wanted in (teacher, table.model.lower(), *(one.lower() for one in table.names)):
            return teacher
    return None


def trigger_phrase(config: Config, teacher: str) -> str:
    """Return the trigger phrase for ``teacher`` that a record has where the user wrote none."""
    first = config.escalation.phrases[0] if config.escalation.phrases else "consult {teacher}"
    return first.replace("{teacher}", teacher.capitalize())


def _names(config: Config) -> tuple[str, ...]:
    tables = config.teachers.items()
    return tuple(name for teacher, table in tables for name in (teacher, table.model, *table.names))


@lru_cache(maxsize=8)
def _pattern(phrases: tuple[str, ...], names: tuple[str, ...]) -> re.Pattern[str]:
    # White space is matched possessively, without backtracking, so that matching takes linear time.
    teacher = "|".join([*(_words_pattern(name) for name in sorted(names, key=len, reverse=True)), _EXPERT])
    bodies = [_words_pattern(one).replace(_words_pattern("{teacher}"), f"({teacher})") for one in phrases] or [_NOTHING]
    end = r"(?:\s*+,?\s*+please)?\s*+(?:[.!?…]*|:\s*(.*))"
    return re.compile(f"{_POLITE}(?:{'|'.join(bodies)}){end}", re.IGNORECASE | re.DOTALL)


def _words_pattern(text: str) -> str:
    return r"\s++".join(re.escape(word) for word in text.split())


def resembles_wish(config: Config, words: str) -> bool:
    """Whether a message that is no trigger phrase looks like a request for an expert."""
    return False
