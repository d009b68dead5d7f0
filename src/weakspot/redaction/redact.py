"""Replaces secrets and e-mail addresses in what is captured, before any of it is written."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from weakspot.redaction.betterleaks import provider_keys
from weakspot.redaction.context_patterns import CONTEXTS, kind_under
from weakspot.redaction.entropy import is_password, is_random
from weakspot.redaction.rules import Kind, Span, occurrences, spans
from weakspot.redaction.token_patterns import FORMS

# Ids, times and names that are ours: they say where a record comes from, and other records refer to them.
_OURS = frozenset({"interaction_id", "timestamp", "conversation_id", "domain", "adapter", "source"})
_HEADERS = frozenset({"cookie", "set-cookie", "authorization", "proxy-authorization", "auth"})
_LABELS: dict[Kind, str] = {
    "private-key": "PRIVATE_KEY",
    "api-key": "API_KEY",
    "token": "TOKEN",
    "password": "PASSWORD",
    "e-mail": "EMAIL",
}
_PLACEHOLDER = re.compile(rf"<({'|'.join(_LABELS.values())})_(\d{{1,9}})>")
# The same key in several lines, and in one with escaped line ends.
_LINE_END = re.compile(r"\\+[nr]|\s+")
# A shorter one might be a part of words.
_SHORTEST_KNOWN = 8
# A text that was cut at a secret may show another one. Two rounds do, but in a text that is made to need
# more; and no text may keep us busy.
_ROUNDS = 5
# How many of the secrets that only a context told are looked for everywhere, each of them in all strings.
_MOST_SOUGHT = 50

_Change = Callable[[str, str], str]


class Scrubbed(NamedTuple):
    """A JSON value without its secrets, and how many different ones there were of each kind."""

    value: JsonValue
    counts: dict[Kind, int]


def scrub(value: JsonValue, known: Mapping[str, str] | Iterable[str] = ()) -> Scrubbed:
    """Return ``value`` with a placeholder for every secret, such as ``<API_KEY_1>``, the same for the same secret.

    Every string counts but the keys of objects and what is ours in the ``metadata`` of a record. ``known`` are
    secrets that are sought wherever they stand, as such or as the values of a mapping, if they have at least 8
    characters. What is scrubbed already stays as it is.
    """
    secrets = known.values() if isinstance(known, Mapping) else known
    record = _Record([one for one in secrets if len(one) >= _SHORTEST_KNOWN])
    for _ in range(_ROUNDS):
        before, value = value, record.without_secrets(value)
        if value == before:
            break
    return Scrubbed(value, dict(record.counts))


def scrub_text(text: str, known: Mapping[str, str] | Iterable[str] = ()) -> str:
    """Return a line of a log or a message without its secrets, as :func:`scrub` does."""
    return str(scrub(text, known).value)


class _Record:
    """The secrets found in one record so far, and what stands for them."""

    def __init__(self, known: Iterable[str]) -> None:
        # The longest first: one may be part of another.
        self._known = sorted(set(known), key=len, reverse=True)
        self._sought: dict[str, Kind] = {}
        self._placeholders: dict[str, str] = {}
        self._numbers: Counter[str] = Counter()
        self.counts: Counter[Kind] = Counter()

    def without_secrets(self, value: JsonValue) -> JsonValue:
        """Return the value with placeholders; all of it is read before any of it is changed."""
        found: list[list[Span]] = []

        def read(key: str, text: str) -> str:
            known = (span for secret in self._known for span in occurrences(secret, "api-key", text))
            found.append(_apart(text, [*known, *_spans(key, text)]))
            for start, end, kind, in_context in found[-1]:
                secret = text[start:end]
                if in_context and len(self._sought) < _MOST_SOUGHT and _is_telling(secret):
                    self._sought.setdefault(secret, kind)
            for label, number in _PLACEHOLDER.findall(text):
                self._numbers[label] = max(self._numbers[label], int(number))
            return text

        _changed(value, read)
        rest = iter(found)
        return _changed(value, lambda key, text: self._scrubbed(text, next(rest)))

    def _scrubbed(self, text: str, found: list[Span]) -> str:
        sought = (span for secret, kind in self._sought.items() for span in occurrences(secret, kind, text))
        done, parts = 0, []
        for span in _apart(text, [*found, *sought]):
            parts += [text[done : span.start], self._placeholder(text[span.start : span.end], span.kind)]
            done = span.end
        return "".join([*parts, text[done:]])

    def _placeholder(self, secret: str, kind: Kind) -> str:
        identity = _LINE_END.sub("", secret)
        if identity not in self._placeholders:
            label = _LABELS[kind]
            self._numbers[label] += 1
            self.counts[kind] += 1
            self._placeholders[identity] = f"<{label}_{self._numbers[label]}>"
        return self._placeholders[identity]


def _is_telling(secret: str) -> bool:
    """Tell whether a secret is one without its context, and no word that was used as a password."""
    return len(secret) >= _SHORTEST_KNOWN and (is_random(secret) or is_password(secret, quoted=True))


def _spans(key: str, text: str) -> Iterator[Span]:
    yield from spans(FORMS, text)
    yield from provider_keys(text)
    if kind := kind_under(key, text):
        yield Span(0, len(text), kind, True)
    header = f"{key}: " if key.lower() in _HEADERS else ""
    for span in spans(CONTEXTS, header + text):
        if span.start >= len(header):
            yield span._replace(start=span.start - len(header), end=span.end - len(header))


def _apart(text: str, found: list[Span]) -> list[Span]:
    """Return the spans in their order in the text; of two that overlap the one that was found first."""
    if not found:
        return []
    taken = bytearray(len(text))
    for placeholder in _PLACEHOLDER.finditer(text):
        taken[slice(*placeholder.span())] = b"\1" * len(placeholder[0])
    apart = []
    for span in found:
        if taken.find(1, span.start, span.end) < 0:
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            apart.append(span)
    return sorted(apart)


def _changed(value: JsonValue, change: _Change, path: tuple[str, ...] = ()) -> JsonValue:
    """Return the value with every string as ``change`` returns it, given the key that it stands under."""
    if isinstance(value, str):
        return change(path[-1] if path else "", value)
    if isinstance(value, list):
        return [_changed(item, change, path) for item in value]
    if isinstance(value, dict):
        # In a pair such as {"name": "Cookie", "value": "..."} the name is the key.
        name = value.get("name", value.get("key"))
        return {
            key: item
            if path == ("metadata",) and key in _OURS
            else _changed(item, change, (*path, name if key == "value" and isinstance(name, str) else key))
            for key, item in value.items()
        }
    return value
