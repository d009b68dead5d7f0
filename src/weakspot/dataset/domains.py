"""Detects the domain of an interaction by the trigger words in its query and answers."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Choose the domain whose triggers have the most words; a trigger in the query counts ``query_weight`` times.

    ``domains`` are in order of precedence. Their triggers are matched as whole words in any inflection, ignoring case,
    unless they stand in an exception of the domain. If none is found, the domain is ``default``.
    """
    matcher = _matcher(tuple((tuple(one.triggers), tuple(one.except_)) for one in domains.values()))
    asked = matcher.triggers_in(query)
    answered = [matcher.triggers_in(answer) for answer in answers]
    hits: dict[str, dict[str, list[str]]] = {}
    scores: dict[str, int] = {}
    for number, (name, domain) in enumerate(domains.items()):
        in_query = [one for one in domain.triggers if (number, one) in asked]
        in_answers = [
            one for one in domain.triggers if one not in in_query and any((number, one) in found for found in answered)
        ]
        if in_query or in_answers:
            hits[name] = {"query": in_query, "answers": in_answers}
            scores[name] = query_weight * _weight(in_query) + _weight(in_answers)
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


def _weight(triggers: Iterable[str]) -> int:
    return sum(2 if one.startswith(_REGEX) else len(re.findall(r"\w+", one)) or 1 for one in triggers)


@lru_cache(maxsize=8)
def _matcher(domains: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]) -> "_Matcher":
    return _Matcher(domains)


class _Matcher:
    """Finds triggers by their first words, so that the time does not grow with the number of triggers."""

    def __init__(self, domains: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]) -> None:
        self._by_word: dict[str, list[tuple[int, str, bool, re.Pattern[str] | None]]] = defaultdict(list)
        self._by_ending: list[tuple[str, int, str]] = []
        self._others: list[tuple[int, str, bool, re.Pattern[str]]] = []
        for number, (triggers, exceptions) in enumerate(domains):
            for text, is_trigger in [*((one, True) for one in triggers), *((one, False) for one in exceptions)]:
                self._add(number, text, is_trigger)

    def _add(self, number: int, text: str, is_trigger: bool) -> None:
        wanted = text.strip()
        if wanted.startswith(_REGEX):
            self._others.append((number, text, is_trigger, re.compile(wanted.removeprefix(_REGEX), re.IGNORECASE)))
        elif wanted.startswith("*") and wanted[1:].isalnum() and is_trigger:
            self._by_ending += [(form, number, text) for form in inflected(wanted[1:].casefold())]
        elif head := re.match(r"\w+", wanted):
            whole = head[0] == wanted
            pattern = None if whole else re.compile(_phrase_pattern(wanted), re.IGNORECASE)
            for form in inflected(wanted.casefold()) if whole else [head[0].casefold()]:
                self._by_word[form].append((number, text, is_trigger, pattern))
        else:
            self._others.append((number, text, is_trigger, re.compile(_phrase_pattern(wanted), re.IGNORECASE)))

    def triggers_in(self, text: str) -> set[tuple[int, str]]:
        """Return the triggers in a text, each with the number of its domain."""
        if len(text) > 2 * _REACH:
            return self.triggers_in(text[:_REACH]) | self.triggers_in(text[-_REACH:])
        found: list[tuple[int, str, int, int]] = []
        excepted: dict[int, list[tuple[int, int]]] = {}
        for number, trigger, is_trigger, start, end in self._matches(text):
            if is_trigger:
                found.append((number, trigger, start, end))
            else:
                excepted.setdefault(number, []).append((start, end))
        return {
            (number, trigger)
            for number, trigger, start, end in found
            if not any(first <= start and end <= last for first, last in excepted.get(number, ()))
        }

    def _matches(self, text: str) -> Iterator[tuple[int, str, bool, int, int]]:
        for word in _WORD.finditer(text):
            said = word[0].casefold()
            for number, trigger, is_trigger, pattern in self._by_word.get(said, ()):
                if pattern is None:
                    yield number, trigger, is_trigger, word.start(), word.end()
                elif match := pattern.match(text, word.start()):
                    yield number, trigger, is_trigger, match.start(), match.end()
            for ending, number, trigger in self._by_ending:
                if said.endswith(ending) and said != ending:
                    yield number, trigger, True, word.start(), word.end()
        for number, trigger, is_trigger, pattern in self._others:
            for match in pattern.finditer(text):
                yield number, trigger, is_trigger, match.start(), match.end()


def _phrase_pattern(text: str) -> str:
    """Return the pattern of a phrase: its last word in any inflection, and any blanks or hyphens where it has one."""
    before = r"(?<!\w)" if re.match(r"\w", text) else ""
    after = r"(?!\w)" if re.search(r"\w$", text) else ""
    parts = re.split(r"(\s+|(?<=\w)-(?=\w))", text)
    last = "|".join(sorted(inflected(parts[-1].casefold()))) if parts[-1].isalpha() else re.escape(parts[-1])
    words = "".join(r"[\s-]+" if number % 2 else re.escape(part) for number, part in enumerate(parts[:-1]))
    return f"{before}{words}(?:{last}){after}"
