"""Detection rules for secrets, and the function that applies a list of them to a text."""

import re
import string
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

SecretKind = Literal["private-key", "api-key", "token", "password", "iban", "e-mail"]
Match = re.Match[str]

_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class SecretSpan(NamedTuple):
    """The position of a secret in a text; ``in_context`` if only its surroundings show that it is one.

    ``plain`` is the secret itself where it stands there in another form.
    """

    start: int
    end: int
    kind: SecretKind
    in_context: bool = False
    plain: str = ""


class Rule(NamedTuple):
    """A pattern that is tried where one of the words stands; its group ``secret`` is what is replaced.

    Words are written in lower case and found in any case. Every repetition in a pattern has a bound: the time is
    linear in the length of the text, also for a text that was made to take long.
    """

    kind: SecretKind
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    accepts: Callable[[Match], bool]
    in_context: bool = False
    # The secret comes before the word: if the word is in the text, the pattern is tried everywhere.
    anywhere: bool = False
    # Where the pattern finds a list, this one finds its items.
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


def spans(rules: Iterable[Rule], text: str) -> Iterator[SecretSpan]:
    """Yield what the rules find, rule by rule; spans may overlap."""
    lowered = text.lower()
    if len(lowered) != len(text):  # some letters become two in lower case
        lowered = text.translate(_TO_LOWER)
    for rule in rules:
        for match in rule.matches(text, lowered):
            yield SecretSpan(*match.span("secret"), rule.kind, rule.in_context)


def occurrences(secret: str, kind: SecretKind, text: str) -> Iterator[SecretSpan]:
    """Yield the positions of a known secret in a text."""
    start = text.find(secret)
    while start >= 0:
        yield SecretSpan(start, start + len(secret), kind)
        start = text.find(secret, start + len(secret))
