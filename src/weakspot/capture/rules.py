"""What a rule for finding secrets is, and how a list of them is applied to a text."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

Kind = Literal["private-key", "api-key", "token", "password", "e-mail"]
Match = re.Match[str]


class Span(NamedTuple):
    """Where a secret stands in a text; ``in_context`` if only its surroundings tell that it is one."""

    start: int
    end: int
    kind: Kind
    in_context: bool = False


class Rule(NamedTuple):
    """One pattern: its group ``secret`` is what must go, if ``accepts`` agrees.

    Nobody may be able to stop us with a text that is made for it. So every repetition has a bound, and what
    follows one cannot be part of it: the time grows as the text does, and no faster.
    """

    kind: Kind
    # The pattern is tried where one of these is in the lower-cased text: most texts have none.
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    accepts: Callable[[Match], bool]
    in_context: bool = False
    # Where it is set, the pattern counts only inside of what this one finds.
    within: re.Pattern[str] | None = None

    def matches(self, text: str) -> Iterator[Match]:
        """Yield the places where the pattern fits, accepted or not."""
        areas = (area.span() for area in self.within.finditer(text)) if self.within else ((0, len(text)),)
        for start, end in areas:
            yield from self.pattern.finditer(text, start, end)


def spans(rules: Iterable[Rule], text: str) -> Iterator[Span]:
    """Yield what the rules find, rule by rule; spans may overlap."""
    lowered = text.lower()
    for rule in rules:
        if any(word in lowered for word in rule.words):
            for match in rule.matches(text):
                if rule.accepts(match):
                    yield Span(*match.span("secret"), rule.kind, rule.in_context)
