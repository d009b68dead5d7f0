"""Detects the domain of an interaction by the trigger words in its query and answers."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from weakspot.config import Config
from weakspot.dataset.inflections import inflected
from weakspot.records import Interaction
from weakspot.settings import Domain

# The gateway looks at every question: of a long one only the start and the end. Hints are in every long text.
_REACH = 4000
_REACH_OF_HINTS = 400
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
    matcher = _matcher(tuple((tuple(one.triggers), tuple(one.hints), tuple(one.except_)) for one in domains.values()))
    asked = matcher.entries_in(query, reach_of_hints=_REACH_OF_HINTS)
    answered = set[_Entry]().union(*(matcher.entries_in(answer) for answer in answers)) - asked
    hits: dict[str, dict[str, list[str]]] = {}
    scores: dict[str, int] = {}
    touched = {one.domain for one in (*asked, *answered)}
    for number, name in enumerate(domains):
        if number not in touched:
            continue
        in_query, in_answers = (
            sorted((one for one in found if one.domain == number), key=lambda one: one.place)
            for found in (asked, answered)
        )
        points, more = (sum(one.points for one in found) for found in (in_query, in_answers))
        if points + more > 1:
            hits[name] = {"query": [one.text for one in in_query], "answers": [one.text for one in in_answers]}
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


@dataclass(frozen=True, eq=False)
class _Entry:
    """A trigger, a hint or an exception, which has no points, of the domain with this number."""

    domain: int
    place: int
    text: str
    points: int

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        wanted = self.text.strip()
        pattern = wanted.removeprefix(_REGEX) if wanted.startswith(_REGEX) else _phrase_pattern(wanted)
        return re.compile(pattern, re.IGNORECASE)


@lru_cache(maxsize=8)
def _matcher(domains: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...]) -> "_Matcher":
    return _Matcher(
        _Entry(number, place, text, points)
        for number, (triggers, hints, exceptions) in enumerate(domains)
        for place, (text, points) in enumerate(
            [
                *((text, _trigger_points(text)) for text in triggers),
                *((text, 1) for text in hints),
                *((text, 0) for text in exceptions),
            ]
        )
    )


def _trigger_points(text: str) -> int:
    words = 1 if text.startswith(_REGEX) else len(_WORD.findall(text))
    return max(words, 1) + 1


class _Matcher:
    """Finds entries by their first words, so that the time does not grow with their number."""

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self._words: dict[str, list[_Entry]] = defaultdict(list)
        self._phrases: dict[str, list[_Entry]] = defaultdict(list)
        self._any_phrase: dict[str, re.Pattern[str]] = {}
        self._endings: dict[str, _Entry] = {}
        self._others: list[_Entry] = []
        for entry in entries:
            self._add(entry)

    def _add(self, entry: _Entry) -> None:
        wanted = entry.text.strip().casefold()
        first = _WORD.match(wanted)
        if wanted.startswith("*") and wanted[1:].isalnum():
            self._endings |= dict.fromkeys(inflected(wanted[1:]), entry)
        elif first is None or wanted.startswith(_REGEX):
            self._others.append(entry)
        elif first[0] == wanted:
            for form in inflected(wanted):
                self._words[form].append(entry)
        else:
            self._phrases[first[0]].append(entry)

    def entries_in(self, text: str, *, reach_of_hints: int = 0) -> set[_Entry]:
        """Return the triggers in a text, and the hints in its first characters."""
        if len(text) > 2 * _REACH:
            return self.entries_in(text[:_REACH], reach_of_hints=reach_of_hints) | self.entries_in(text[-_REACH:])
        found: set[_Entry] = set()
        covered: dict[int, int] = {}
        widest = (0, 0)
        # From left to right and the longest first. What shares words with an earlier match of its domain does not
        # count, nor what lies in a longer trigger of another one: "html" in "template.html".
        matches = self._matches(text, reach_of_hints)
        for entry, start, end in sorted(matches, key=lambda one: (one[1], -one[2], one[0].points > 0)):
            is_covered = start < covered.get(entry.domain, 0) or (end <= widest[1] and (start, end) != widest)
            if is_covered or (entry.points == 1 and end > reach_of_hints):
                continue
            covered[entry.domain] = end
            if entry.points:
                found.add(entry)
            if entry.points > 1 and end > widest[1]:
                widest = (start, end)
        return found

    def _matches(self, text: str, reach_of_hints: int) -> Iterator[tuple[_Entry, int, int]]:
        """Yield what is found with its place; not all hints behind their reach."""
        endings, words, phrases = tuple(self._endings), self._words, self._phrases
        # Most words begin nothing: each of them is looked at once, and only the others where they stand.
        begin = {
            word: said
            for word in set(_WORD.findall(text))
            if (said := word.casefold()) in words or said in phrases or said.endswith(endings)
        }
        without_hints = {
            word: said
            for word, said in begin.items()
            if said in phrases or said.endswith(endings) or any(entry.points != 1 for entry in words.get(said, ()))
        }
        for word in _WORD.finditer(text) if begin else ():
            if (said := (begin if word.end() <= reach_of_hints else without_hints).get(word[0])) is None:
                continue
            if said in words:
                for entry in words[said]:
                    yield entry, word.start(), word.end()
            if said in phrases and self._begins_phrase(said, text, word.start()):
                for entry in phrases[said]:
                    if found := entry.pattern.match(text, word.start()):
                        yield entry, found.start(), found.end()
            if said.endswith(endings):
                for ending, entry in self._endings.items():
                    if said.endswith(ending) and said != ending:
                        yield entry, word.start(), word.end()
        for entry in self._others:
            for found in entry.pattern.finditer(text):
                yield entry, found.start(), found.end()

    def _begins_phrase(self, said: str, text: str, place: int) -> bool:
        """Whether some phrase begins with a word where it stands: common ones begin many, and mostly none of them."""
        if said not in self._any_phrase:
            patterns = "|".join(f"(?:{entry.pattern.pattern})" for entry in self._phrases[said])
            self._any_phrase[said] = re.compile(patterns, re.IGNORECASE)
        return self._any_phrase[said].match(text, place) is not None


def _phrase_pattern(text: str) -> str:
    """Return the pattern of a phrase: its last word in any inflection, and any blanks or hyphens where it has one."""
    before = r"(?<!\w)" if re.match(r"\w", text) else ""
    after = r"(?!\w)" if re.search(r"\w$", text) else ""
    parts = re.split(r"(\s+|(?<=\w)-(?=\w))", text)
    last = "|".join(sorted(inflected(parts[-1].casefold()))) if parts[-1].isalpha() else re.escape(parts[-1])
    words = "".join(r"[\s-]+" if number % 2 else re.escape(part) for number, part in enumerate(parts[:-1]))
    return f"{before}{words}(?:{last}){after}"
