"""The grammar of wishes for an expert, made of the words of the settings: see ``[escalation]``."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from weakspot.capture.speech import Names, family, misspellings, names_scanner
from weakspot.config import Config
from weakspot.settings import Language

_END = r"(?:[.!?…)(¶:;,-] )*$"


@dataclass(frozen=True)
class Grammar:
    """The patterns over a line of tokens.

    ``wish`` is a wish with the words around it that add nothing, ``link`` what may continue it in the same breath.
    ``question`` begins a question or a task, ``back`` points to what was said before, ``this`` may do so.
    ``condition`` makes a wish of the same sentence none, ``quoting`` means that words are not meant as they stand.
    """

    names: Names
    wish: re.Pattern[str]
    mention: re.Pattern[str]
    link: re.Pattern[str]
    question: re.Pattern[str]
    request: re.Pattern[str]
    back: re.Pattern[str]
    this: re.Pattern[str]
    condition: re.Pattern[str]
    quoting: re.Pattern[str]
    refusal: re.Pattern[str]
    asking: re.Pattern[str]


def wish_grammar(config: Config) -> Grammar:
    """Return the grammar of the settings, which is made once."""
    settings = config.escalation
    return _grammar(
        tuple(settings.phrases),
        settings.default_teacher,
        tuple((name, teacher.kind, teacher.model, *teacher.names) for name, teacher in config.teachers.items()),
        tuple((name, language.model_dump_json()) for name, language in settings.languages.items()),
    )


@lru_cache(maxsize=8)
def _grammar(
    phrases: tuple[str, ...],
    default: str,
    teachers: tuple[tuple[str, ...], ...],
    tables: tuple[tuple[str, str], ...],
) -> Grammar:
    languages = [Language.model_validate_json(table) for _, table in tables]

    def all_of(key: str) -> list[str]:
        return [_tokens_of(one) for language in languages for one in getattr(language, key)]

    asked = [*phrases, *(one for language in languages for one in language.phrases)]
    about = f"(?:(?:{_any(all_of('about'))}) )?(?:{_any(all_of('this'))}) "
    filler = f"(?:(?:{_any(all_of('fillers'))}) ){{0,3}}"
    article = _any(all_of("articles"))
    teacher = rf"(?:@ )?(?:(?:(?:{article}) )?⟨⟩ |(?:(?:{article}) (?=⟨[^⟩]+⟩ # ))?⟨[^~⟩]+⟩ (?:# )?)"
    this = f"(?:{_any(all_of('this'))}) "
    # The longest phrase first, so that no shorter one is taken for it.
    longest_first = sorted(asked if phrases else [], key=lambda one: -len(one.split()))
    cores = [_phrase(one, filler, teacher, this) for one in longest_first] or ["(?!)"]
    if phrases:
        cores.append(_phrase(phrases[0], "", "⟨~[^⟩]+⟩ ", this) + "(?=(?:[.!] )?$)")
    before, after = _any(all_of("before")), _any(all_of("after"))
    lead = f"(?:(?:{before}) (?:[,!.-] )?){{0,8}}"
    link = f"(?:{_any(all_of('links'))}) "
    wish = f"{lead}(?:{'|'.join(cores)})(?:(?:, )?(?:{after}) |{about}){{0,6}}(?=$|[.!?…¶,;:)(–—-] |{link})"
    mention = f"{lead}@ {teacher}(?:, )?(?:(?:{after}) ){{0,3}}"
    begin = f"(?:{before}|{_any([*all_of('questions'), *all_of('requests')])}) "
    return Grammar(
        _names(default, teachers, languages, asked, all_of("before") + all_of("after")),
        re.compile(wish),
        re.compile(f"{mention}(?={_END}|[,:;-] |{begin})" if phrases else "(?!)"),
        re.compile(link),
        re.compile(f"(?:(?:{before}) (?:, )?){{0,4}}(?:{_any(all_of('questions'))}) "),
        re.compile(f"(?:(?:{before}) (?:, )?){{0,4}}(?:{_any(all_of('requests'))}) "),
        _words(all_of("back")),
        _words(one for one in all_of("this") if " " not in one),
        _words(all_of("conditions")),
        _words(all_of("quoting")),
        _words(all_of("refusals")),
        _words(
            {one for phrase in asked for one in re.split("[ /]", _tokens_of(phrase).split(" {")[0]) if "{" not in one}
        ),
    )


def _names(
    default: str,
    teachers: tuple[tuple[str, ...], ...],
    languages: list[Language],
    phrases: list[str],
    others: list[str],
) -> Names:
    families: dict[str, str] = {}
    ordinary = {word for language in languages for word in language.ordinary}
    for teacher, _, *names in teachers:
        for name in (teacher, *names):
            for spelling in (family(name), " ".join(name.lower().split())):
                families.setdefault(spelling, f"~{teacher}" if spelling in ordinary else teacher)
    if any(teacher == default and kind == "anthropic" for teacher, kind, *_ in teachers):
        families.setdefault("claude", default)
    for language in languages:
        for name in language.expert:
            families.setdefault(name.lower(), "")
    families.pop("", None)
    heads = [head for phrase in phrases for head in _tokens_of(phrase).split()[0].split("/")]
    known = {word for phrase in [*phrases, *others] for word in re.split("[ /]", _tokens_of(phrase))} | set(families)
    corrected = [word for word in [*families, *heads, *others] if word.isalpha() and len(word) > 2]
    slips = {slip: word for word in corrected for slip in misspellings(word) if slip not in known}
    return names_scanner(families, {slip: f"⟨{families[w]}⟩" if w in families else w for slip, w in slips.items()})


def _tokens_of(text: str) -> str:
    """Return the words of a setting as they stand in a line of tokens."""
    return " ".join(text.lower().lstrip("/").replace("’", "'").replace("}'s", "} 's").replace("}s", "} 's").split())


def _phrase(phrase: str, filler: str, teacher: str, this: str) -> str:
    parts = []
    for word in _tokens_of(phrase).split():
        parts.append(teacher if word == "{teacher}" else this if word == "{this}" else f"(?:{_any(word.split('/'))}) ")
    return filler.join(parts)


def _any(texts: Iterable[str]) -> str:
    return "|".join(sorted({re.escape(one) for one in texts}, key=lambda one: (-len(one), one))) or "(?!)"


def _words(texts: Iterable[str]) -> re.Pattern[str]:
    return re.compile(f"(?:^|(?<= ))(?:{_any(texts)}) ")
