"""Detects the domain of an interaction by the trigger words in its query and answers."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from weakspot.config import Config
from weakspot.dataset.inflections import inflected
from weakspot.records import Interaction
from weakspot.settings import Domain

# The gateway looks at every question: of a long one only the start and the end.
_REACH = 4000
_WORD = re.compile(r"\w+")
_REGEX = "re:"


@dataclass(frozen=True)
class Detection:
    """The detected domain, and the triggers found in query and answers for every domain that has any."""

    domain: str
    hits: dict[str, dict[str, list[str]]]


def detect(
    query: str,
    answers: Sequence[str],
    domains: Mapping[str, Domain],
    *,
    default: str,
    query_weight: int,
) -> Detection:
    """Choose the domain with the most points; those of the query count ``query_weight`` times.

    A trigger is two points, one more for each further word, and a hint one; with one point a domain is not found. Both
    are matched as whole words in any inflection, ignoring case, unless they stand in an exception of the domain. Among
    equals the first domain wins; if none is found, it is ``default``.
    """
    matcher = _matcher(tuple(((*one.triggers, *one.hints), tuple(one.except_)) for one in domains.values()))
    asked = matcher.triggers_in(query)
    answered = [matcher.triggers_in(answer) for answer in answers]
    hits: dict[str, dict[str, list[str]]] = {}
    scores: dict[str, int] = {}
    for number, (name, domain) in enumerate(domains.items()):
        words = [*domain.triggers, *domain.hints]
        in_query = [one for one in words if (number, one) in asked]
        in_answers = [one for one in words if one not in in_query and any((number, one) in found for found in answered)]
        points, more = _points(in_query, domain), _points(in_answers, domain)
        if points + more > 1:
            hits[name] = {"query": in_query, "answers": in_answers}
            scores[name] = query_weight * points + more
    # Among equals max returns the first, and dicts keep the table's order.
    return Detection(max(scores, key=scores.__getitem__) if scores else default, hits)


def detect_domain(example: Interaction, config: Config) -> Detection:
    """Detect an interaction's domain with the triggers of the workspace's settings."""
    collect, query, answers = config.collect, example.query.text, [example.local.text, example.expert.text]
    return detect(query, answers, config.domains, default=collect.default_domain, query_weight=collect.query_weight)


def with_domain(example: Interaction, config: Config) -> Interaction:
    """Return the example with its domain: the captured one, else the one detected from its words."""
    if example.metadata.domain is not None:
        return example
    return example.with_metadata({"domain": detect_domain(example, config).domain})


def _points(found: Sequence[str], domain: Domain) -> int:
    triggers = [one for one in found if one in domain.triggers]
    further = sum(len(_WORD.findall(one)) - 1 for one in triggers if _WORD.search(one) and not one.startswith(_REGEX))
    return len(found) + len(triggers) + further


@lru_cache(maxsize=8)
def _matcher(domains: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]) -> "_Matcher":
    return _Matcher(domains)


@dataclass(frozen=True)
class _Entry:
    """A trigger or an exception of the domain with this number."""

    domain: int
    text: str
    is_exception: bool

    @property
    def pattern(self) -> re.Pattern[str]:
        wanted = self.text.strip()
        pattern = wanted.removeprefix(_REGEX) if wanted.startswith(_REGEX) else _phrase_pattern(wanted)
        return re.compile(pattern, re.IGNORECASE)


class _Matcher:
    """Finds triggers by their first words, so that the time does not grow with the number of triggers."""

    def __init__(self, domains: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]) -> None:
        self._words: dict[str, list[_Entry]] = defaultdict(list)
        self._phrases: dict[str, list[tuple[_Entry, re.Pattern[str]]]] = defaultdict(list)
        self._endings: dict[str, _Entry] = {}
        self._others: list[tuple[_Entry, re.Pattern[str]]] = []
        for number, (triggers, exceptions) in enumerate(domains):
            for text in triggers:
                self._add(_Entry(number, text, is_exception=False))
            for text in exceptions:
                self._add(_Entry(number, text, is_exception=True))

    def _add(self, entry: _Entry) -> None:
        wanted = entry.text.strip().casefold()
        first = _WORD.match(wanted)
        if wanted.startswith("*") and wanted[1:].isalnum():
            self._endings |= dict.fromkeys(inflected(wanted[1:]), entry)
        elif first is None or wanted.startswith(_REGEX):
            self._others.append((entry, entry.pattern))
        elif first[0] == wanted:
            for form in inflected(wanted):
                self._words[form].append(entry)
        else:
            self._phrases[first[0]].append((entry, entry.pattern))

    def triggers_in(self, text: str) -> set[tuple[int, str]]:
        """Return the triggers in a text, each with the number of its domain."""
        if len(text) > 2 * _REACH:
            return self.triggers_in(text[:_REACH]) | self.triggers_in(text[-_REACH:])
        found: set[tuple[int, str]] = set()
        covered: dict[int, int] = {}
        # From left to right and the longest first: what ends no later than an earlier match of its domain lies in it.
        matches = sorted(self._matches(text), key=lambda one: (one[1], -one[2], not one[0].is_exception))
        for entry, _, end in matches:
            if end > covered.get(entry.domain, 0):
                covered[entry.domain] = end
                if not entry.is_exception:
                    found.add((entry.domain, entry.text))
        return found

    def _matches(self, text: str) -> Iterator[tuple[_Entry, int, int]]:
        endings = tuple(self._endings)
        for word in _WORD.finditer(text):
            said = word[0].casefold()
            for entry in self._words.get(said, ()):
                yield entry, word.start(), word.end()
            for entry, pattern in self._phrases.get(said, ()):
                if found := pattern.match(text, word.start()):
                    yield entry, found.start(), found.end()
            if said.endswith(endings):
                for ending, entry in self._endings.items():
                    if said.endswith(ending) and said != ending:
                        yield entry, word.start(), word.end()
        for entry, pattern in self._others:
            for found in pattern.finditer(text):
                yield entry, found.start(), found.end()


def _phrase_pattern(text: str) -> str:
    """Return the pattern of a phrase: its last word in any inflection, and any blanks or hyphens where it has one."""
    before = r"(?<!\w)" if re.match(r"\w", text) else ""
    after = r"(?!\w)" if re.search(r"\w$", text) else ""
    parts = re.split(r"(\s+|(?<=\w)-(?=\w))", text)
    last = "|".join(sorted(inflected(parts[-1].casefold()))) if parts[-1].isalpha() else re.escape(parts[-1])
    words = "".join(r"[\s-]+" if number % 2 else re.escape(part) for number, part in enumerate(parts[:-1]))
    return f"{before}{words}(?:{last}){after}"
