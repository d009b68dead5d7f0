"""What a rule for finding secrets is, and how a list of them is applied to a text."""

import re
import string
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

Kind = Literal["private-key", "api-key", "token", "password", "e-mail"]
Match = re.Match[str]

_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class Span(NamedTuple):
    """Where a secret stands in a text; ``in_context`` if only its surroundings tell that it is one."""

    start: int
    end: int
    kind: Kind
    in_context: bool = False


class Rule(NamedTuple):
    """A pattern that is tried where one of the words stands; its group ``secret`` is what must go.

    Words are lower-case and stand for themselves in any case. Nobody may be able to stop us with a text that
    is made for it: every repetition has a bound, so that the time grows as the text does, and no faster.
    """

    kind: Kind
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    accepts: Callable[[Match], bool]
    in_context: bool = False
    # The secret comes before the word: the pattern is tried everywhere, if the word is there at all.
    anywhere: bool = False
    # The pattern finds a list, and this one what is in it.
    items: re.Pattern[str] | None = None

    def matches(self, text: str, lowered: str) -> Iterator[Match]:
        """Yield what the rule finds in a text, of which ``lowered`` is the same in lower case."""
        for word in self.words:
            start = lowered.find(word)
            if self.anywhere and start >= 0:
                yield from filter(self.accepts, self.pattern.finditer(text))
                return
            while start >= 0:
                found = self.pattern.match(text, start)
                matches = [*filter(self.accepts, self._items(text, found))] if found else []
                yield from matches
                start = lowered.find(word, found.end() if found and (matches or self.items) else start + 1)

    def _items(self, text: str, found: Match) -> Iterable[Match]:
        return self.items.finditer(text, *found.span()) if self.items else (found,)


def spans(rules: Iterable[Rule], text: str) -> Iterator[Span]:
    """Yield what the rules find, rule by rule; spans may overlap."""
    lowered = text.lower()
    if len(lowered) != len(text):  # some letters become two
        lowered = text.translate(_TO_LOWER)
    for rule in rules:
        for match in rule.matches(text, lowered):
            yield Span(*match.span("secret"), rule.kind, rule.in_context)


def occurrences(secret: str, kind: Kind, text: str) -> Iterator[Span]:
    """Yield the places where a secret that is known stands in a text."""
    start = text.find(secret)
    while start >= 0:
        yield Span(start, start + len(secret), kind)
        start = text.find(secret, start + len(secret))
