"""The grammar of wishes for an expert, made of the words of the settings: see ``[escalation]``."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from weakspot.capture.speech import Names, family, misspellings, names_scanner
from weakspot.config import Config
from weakspot.settings import Language, Teacher

_CLOSING = "[.!?…)(¶:;,-] "
_EXPERT = "⟨⟩"


@dataclass(frozen=True)
class Wish:
    """A wish in a line of tokens, with the words around it that change nothing."""

    start: int
    end: int
    teacher: str
    is_mention: bool


class Grammar:
    """Finds wishes in a line of tokens, and tells what the words around them are.

    ``link`` continues a wish in the same breath. ``question`` and ``request`` begin a question and a task, ``back``
    points to what was said before, and ``this`` may do so. ``condition`` makes a wish of the same sentence none,
    ``withdrawal`` takes it back, and after ``quoting`` words are not meant as they stand. ``asking`` and ``refusal``
    make a message look like a wish, and not.
    """

    def __init__(
        self, phrases: Sequence[str], default: str, teachers: dict[str, Teacher], languages: list[Language]
    ) -> None:
        def words(key: str) -> list[str]:
            return [_tokens_of(one) for language in languages for one in getattr(language, key)]

        asked = [_tokens_of(one) for one in phrases]
        asked += words("phrases") if phrases else []
        before, after, this = (_any(words(key)) for key in ("before", "after", "this"))
        article = _any(words("articles"))
        opening = f"(?:(?:{before}) (?:, )?){{0,4}}"
        self._default = default
        self._phrases = _by_first_word(asked)
        self._teacher = rf"(?:@ )?(?:(?:(?:{article}) )?⟨⟩ |(?:(?:{article}) (?=⟨[^⟩]+⟩ # ))?⟨[^~⟩]+⟩ (?:# )?)"
        self._this = f"(?:{this}) "
        self._filler = f"(?:(?:{_any(words('fillers'))}) ){{0,3}}"
        self._lead = re.compile(f"(?:{before}) (?:[,!.-] )?")
        self.link = re.compile(f"(?:{_any(words('links'))}) ")
        self._tail = re.compile(
            f"(?:(?:, )?(?:{after}) |(?:(?:{_any(words('about'))}) )?(?:{this}) ){{0,6}}"
            f"(?=$|[.!?…¶,;:)(–—-] |{self.link.pattern})"
        )
        asking = _any(words("questions"))
        begin = rf"(?:{_any([*words('before'), *words('requests')])}) |(?:{asking}) (?:[^.!?¶]+ )?[?] "
        self._mention = re.compile(
            f"@ ⟨[^~⟩]*⟩ (?:# )?(?:(?:, )?(?:{after}) ){{0,3}}(?=(?:{_CLOSING})*$|[,:;-] |{begin})"
        )
        self.question = re.compile(f"{opening}(?:{asking}) ")
        self.request = re.compile(f"{opening}(?:{_any(words('requests'))}) ")
        self.back = _anywhere(words("back"))
        self.this = _anywhere(one for one in words("this") if " " not in one)
        self.condition = _anywhere(words("conditions"))
        self.withdrawal = re.compile(f"[.!?…¶,;–—-] (?:{_any(words('withdrawals'))}) (?:$|[.!?…¶,;–—-] )")
        self.quoting = _anywhere(words("quoting"))
        self.refusal = _anywhere(words("refusals"))
        self.asking = _anywhere(head for phrase in asked for head in _verbs(phrase))
        # A teacher whose name is an ordinary word: only the first phrase means it, and only with nothing around it.
        first = asked[0].replace("{teacher}", "⟨~[^⟩]+⟩") if asked else "(?!)"
        self._ordinary = re.compile(f"{first} (?:[.!] )?$")
        known = {word for text in [*asked, *words("before"), *words("after")] for word in re.split("[ /]", text)}
        self.names = _names(default, teachers, languages, known, {*self._phrases, *words("before"), *words("after")})

    def parse_wish(self, line: str, place: int) -> Wish | None:
        """Return the wish that begins at a place of the line."""
        if found := self._ordinary.match(line, place):
            return self._wish(found[0], place, found.end())
        for start in self._after_leads(line, place):
            if self._phrases and (found := self._mention.match(line, start)):
                return self._wish(found[0], place, found.end())
            first = line[start : line.find(" ", start)]
            # "No Opus please" is a refusal.
            refused = self.refusal.match(f"{line[:start].rpartition(' ')[0].rpartition(' ')[2]} ")
            for phrase in (*self._phrases.get(first, ()), *(() if refused else self._phrases[""])):
                found = self._pattern(phrase).match(line, start)
                tail = found and self._tail.match(line, found.end())
                if found and tail:
                    return self._wish(found[0], place, tail.end())
        return None

    def _after_leads(self, line: str, place: int) -> Iterator[int]:
        yield place
        for _ in range(8):
            found = self._lead.match(line, place)
            if found is None:
                return
            place = found.end()
            yield place

    def _wish(self, said: str, place: int, end: int) -> Wish:
        named = re.search("⟨~?([^⟩]*)⟩", said)
        return Wish(place, end, (named and named[1]) or self._default, said.startswith("@"))

    @cache  # noqa: B019  (a grammar lives as long as the cache of grammars)
    def _pattern(self, phrase: str) -> re.Pattern[str]:
        slots = {"{teacher}": self._teacher, "{this}": self._this}
        parts = [slots.get(word) or f"(?:{_any(word.split('/'))}) " for word in phrase.split()]
        return re.compile(self._filler.join(parts))


# The settings that were asked about last, and their grammar: the gateway asks about the same ones each time.
_latest: tuple[Config, Grammar] | None = None


def wish_grammar(config: Config) -> Grammar:
    """Return the grammar of the settings, which is made once."""
    global _latest  # noqa: PLW0603
    if _latest is None or _latest[0] is not config:
        _latest = config, _grammar_of(config)
    return _latest[1]


def _grammar_of(config: Config) -> Grammar:
    settings = config.escalation
    teachers = tuple((name, one.model_dump_json()) for name, one in config.teachers.items())
    languages = tuple(one.model_dump_json() for one in settings.languages.values())
    return _grammar(tuple(settings.phrases), settings.default_teacher, teachers, languages)


@lru_cache(maxsize=8)
def _grammar(
    phrases: tuple[str, ...], default: str, teachers: tuple[tuple[str, str], ...], languages: tuple[str, ...]
) -> Grammar:
    known = {name: Teacher.model_validate_json(one) for name, one in teachers}
    return Grammar(phrases, default, known, [Language.model_validate_json(one) for one in languages])


def _by_first_word(phrases: list[str]) -> dict[str, list[str]]:
    """Return the phrases by their first word, the longest first; those that begin with a slot are under ""."""
    found: dict[str, list[str]] = defaultdict(list)
    for phrase in sorted(phrases, key=lambda one: -len(one.split())):
        first = phrase.split()[0]
        for word in [""] if "{" in first else first.split("/"):
            found[word].append(phrase)
    return found


def _verbs(phrase: str) -> list[str]:
    """Return the words of asking of a phrase; {teacher} may be among its first words, as in "{teacher} fragen"."""
    words = [word for word in phrase.split() if "{" not in word]
    return [word for word in words[0].split("/") if len(word) > 2] if words else []


def _names(
    default: str, teachers: dict[str, Teacher], languages: list[Language], known: set[str], corrected: set[str]
) -> Names:
    families: dict[str, str] = {}
    ordinary = {word for language in languages for word in language.ordinary}
    for key, teacher in teachers.items():
        for name in (key, teacher.model, *teacher.names):
            for spelling in (family(name), " ".join(name.lower().split())):
                families.setdefault(spelling, f"~{key}" if spelling in ordinary else key)
    if default in teachers and teachers[default].kind == "anthropic":
        families.setdefault("claude", default)
    for language in languages:
        families |= {name.lower(): "" for name in language.expert if name.lower() not in families}
    families.pop("", None)
    words = [word for word in {*families, *corrected} if word.isalpha() and len(word) > 2]
    slips = {slip: word for word in words for slip in misspellings(word) if slip not in known and slip not in families}
    return names_scanner(families, {slip: f"⟨{families[w]}⟩" if w in families else w for slip, w in slips.items()})


def _tokens_of(text: str) -> str:
    """Return the words of a setting as they stand in a line of tokens."""
    return " ".join(text.lower().lstrip("/").replace("’", "'").replace("}'s", "} 's").split())


def _any(texts: Iterable[str]) -> str:
    return "|".join(sorted({re.escape(one) for one in texts}, key=lambda one: (-len(one), one))) or "(?!)"


def _anywhere(texts: Iterable[str]) -> re.Pattern[str]:
    return re.compile(f"(?:^|(?<= ))(?:{_any(texts)}) ")
