"""Recognises trigger phrases: turns of the user that ask for a teacher, such as "consult Opus"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from weakspot.capture.new_questions import SENTENCE, has_question, is_linked_question
from weakspot.capture.speech import Speech, parse_speech
from weakspot.capture.wish_grammar import Grammar, Wish, wish_grammar
from weakspot.config import Config

_CLOSED = re.compile(r"(?:[.!?…)(¶:;,-] )*$")
_CLAUSE = re.compile(r"(?<=[,;)–—→-] )|(?<=[-=] > )")
_SIGNATURE = re.compile("(?:[.!] )?¶ (?:[^¶ ]+ ){1,3}(?:¶ (?:[^¶ ]+ ){1,3})?$")
_SEPARATORS = re.compile("(?:[.!?…¶,;:–—-] )*")
# A verb of asking this many words before a name makes a message look like a wish, if it is no longer than this.
_NEAR = 7
_SHORT = 300
_FEW = 5


@dataclass(frozen=True)
class Trigger:
    """A request to consult ``teacher``.

    It is about the question before, to which ``remark`` adds something, or about the new ``question`` it brings.
    """

    teacher: str
    remark: str = ""
    question: str = ""


def parse_trigger(config: Config, words: str) -> Trigger | None:
    """Return what ``words`` ask of a teacher, None where they are any other turn.

    A wish begins the message, or is its last sentence, or ends it after a comma. In code, in quotations, and with a
    condition or a negation it is none.
    """
    grammar = wish_grammar(config)
    if not grammar.names.may_stand_in(words) and not any("{teacher}" not in one for one in config.escalation.phrases):
        return None
    speech = parse_speech(words, grammar.names)
    for place in _places(speech.line):
        wish = _find_wish(grammar, speech.line, place)
        if wish is not None:
            return Trigger(wish.teacher, *_additions(grammar, speech, wish))
    return None


def _places(line: str) -> Iterator[int]:
    """Yield the places where a wish may begin: the start, the starts of sentences, and those of the last clauses."""
    yield 0
    starts = [found.end() for found in SENTENCE.finditer(line)]
    yield from starts[:2]
    yield from reversed(starts[-3:])
    since = starts[-2] if len(starts) > 1 else 0
    yield from reversed([found.end() for found in _CLAUSE.finditer(line, since)][-8:])


def _find_wish(grammar: Grammar, line: str, place: int) -> Wish | None:
    wish = grammar.parse_wish(line, place)
    if wish is None:
        return None
    before, rest = line[:place], line[wish.end :]
    if not _may_follow(grammar, before) or not (wish.is_mention or _may_precede(grammar, rest)):
        return None
    # "Ask Opus? It never helps." is no wish, unlike "Can you ask Opus? It must be fast."
    if rest.startswith("? ") and not _CLOSED.match(rest) and not grammar.question.match(line, place):
        return None
    if not before or _CLOSED.match(rest):
        return wish
    # With words on both sides it is one only as the last sentence, above a signature, or after a word or two.
    is_sentence = before[-2] in ".!?…¶)"
    is_last = SENTENCE.search(rest.rstrip(".!?…¶ ")) is None
    is_signed = before[-2] == "¶" and _SIGNATURE.match(rest) is not None
    return wish if is_sentence and (is_last or is_signed or before.count(" ") < 9) else None


def _may_follow(grammar: Grammar, before: str) -> bool:
    if before.endswith((": ¶ ", "• ")):
        return False
    if ":" in before and grammar.quoting.search(before):
        return False
    sentence = before[max([found.end() for found in SENTENCE.finditer(before)], default=0) :]
    return before[-2:-1] in ".!?…¶" or not grammar.condition.search(sentence)


def _may_precede(grammar: Grammar, rest: str) -> bool:
    if grammar.withdrawal.match(rest):
        return False
    if _CLOSED.match(rest) or rest[0] in ".!?…¶":
        return True
    if rest[0] in ",;:(-–—":
        return not grammar.condition.match(rest, 2) and not rest.startswith(", ⟨")
    return grammar.link.match(rest) is not None


def _additions(grammar: Grammar, speech: Speech, wish: Wish) -> tuple[str, str]:
    """Return the remark and the new question of a wish."""
    separators = _SEPARATORS.match(speech.line, wish.end)
    end = separators.end() if separators else wish.end
    before, after = speech.line[: wish.start], speech.line[end:]
    rest = speech.since(end).strip() if re.search(r"\w", after) else ""
    if rest and (has_question(grammar, after, asked=True) or (end == wish.end and is_linked_question(grammar, after))):
        return "", rest
    return rest, speech.until(wish.start).strip() if has_question(grammar, before, asked=False) else ""


def resembles_wish(config: Config, words: str) -> bool:
    """Return whether a message that is no wish looks like one: a name near a verb of asking, or among a few words."""
    grammar = wish_grammar(config)
    if len(words) > _SHORT or parse_trigger(config, words) is not None:
        return False
    line = parse_speech(words, grammar.names).line
    for named in re.finditer("(@ )?⟨[^⟩]*⟩ ", line):
        clause = re.split("[.!?…¶,;] ", line[: named.start()])[-1]
        near = " ".join(clause.split(" ")[-_NEAR:])
        seeks = named[1] or grammar.asking.search(near) or len(line.split()) <= _FEW
        if seeks and not grammar.refusal.search(near):
            return True
    return False


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
