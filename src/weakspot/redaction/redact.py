"""Replaces secrets and e-mail addresses in texts with placeholders, before they are stored."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from pydantic import JsonValue

from weakspot.redaction.betterleaks import provider_keys
from weakspot.redaction.context_patterns import CONTEXT_PATTERNS, kind_under
from weakspot.redaction.entropy import is_password, is_random
from weakspot.redaction.rules import SecretKind, SecretSpan, occurrences, spans
from weakspot.redaction.token_patterns import TOKEN_PATTERNS
from weakspot.redaction.views import View, inner_views, without_invisible

# Our own ids, times and names: they say where a record comes from, and other records refer to them.
_OURS = frozenset({"interaction_id", "timestamp", "conversation_id", "domain", "adapter", "source", "file_sha256"})
_HEADERS = frozenset({"cookie", "set-cookie", "authorization", "proxy-authorization", "auth"})
_LABELS: dict[SecretKind, str] = {
    "private-key": "PRIVATE_KEY",
    "api-key": "API_KEY",
    "token": "TOKEN",
    "password": "PASSWORD",
    "iban": "IBAN",
    "e-mail": "EMAIL",
}
_PLACEHOLDER = re.compile(rf"<({'|'.join(_LABELS.values())})_(\d{{1,9}})>")
# The same key in several lines, and in one with escaped line ends.
_LINE_END = re.compile(r"\\+[nr]|\s+")
# A shorter one might be a part of words.
_SHORTEST_KNOWN = 8
# Replacing a secret may reveal another one. Two rounds suffice, except for a text made to need more; the limit
# bounds the time for such a text.
_ROUNDS = 5
# How many secrets that were found by their context are also searched for in all other strings.
_MOST_SOUGHT = 50

_Change = Callable[[str, str], str]


class Scrubbed(NamedTuple):
    """A JSON value without its secrets, and how many different ones there were of each kind."""

    value: JsonValue
    counts: dict[SecretKind, int]


def scrub(value: JsonValue, known: Mapping[str, str] | Iterable[str] = ()) -> Scrubbed:
    """Return ``value`` with a placeholder for every secret, such as ``<API_KEY_1>``, the same for the same secret.

    Every string is searched, except the keys of objects and our own fields in the ``metadata`` of a record.
    ``known`` are secrets, or a mapping with secrets as values, that are replaced wherever they stand if they have
    at least 8 characters. Keys, and what is known, are also found behind invisible characters, escapes, base64 and
    hexadecimal: then what stands there is replaced as a whole. Placeholders that are there already stay.
    """
    secrets = known.values() if isinstance(known, Mapping) else known
    record = _Record([one for one in secrets if len(one) >= _SHORTEST_KNOWN])
    for _ in range(_ROUNDS):
        before, value = value, record.without_secrets(value)
        if value == before:
            break
    return Scrubbed(value, dict(record.counts))


def scrub_text(text: str, known: Mapping[str, str] | Iterable[str] = ()) -> str:
    """Return a text, such as a line of a log, without its secrets; see :func:`scrub`."""
    return str(scrub(text, known).value)


class _Record:
    """The secrets found in one record so far, and their placeholders."""

    def __init__(self, known: Iterable[str]) -> None:
        # The longest first: one may be part of another.
        self._known = sorted(set(known), key=len, reverse=True)
        self._sought: dict[str, SecretKind] = {}
        self._placeholders: dict[str, str] = {}
        self._numbers: Counter[str] = Counter()
        self.counts: Counter[SecretKind] = Counter()

    def without_secrets(self, value: JsonValue) -> JsonValue:
        """Return the value with placeholders; all strings are searched before any of them is changed."""
        found: list[list[SecretSpan]] = []

        def collect_spans(key: str, text: str) -> str:
            found.append(_without_overlaps(text, [*self._spans(key, text)]))
            for start, end, kind, in_context, _ in found[-1]:
                secret = text[start:end]
                if in_context and len(self._sought) < _MOST_SOUGHT and _is_telling(secret):
                    self._sought.setdefault(secret, kind)
            for label, number in _PLACEHOLDER.findall(text):
                self._numbers[label] = max(self._numbers[label], int(number))
            return text

        _map_strings(value, collect_spans)
        rest = iter(found)
        return _map_strings(value, lambda key, text: self._replace_secrets(text, next(rest)))

    def _spans(self, key: str, text: str) -> Iterator[SecretSpan]:
        """Yield what is found in a text, first what is sure: what is known, then what is encoded, then the rest."""
        yield from self._occurrences(text)
        seen = without_invisible(text)
        for view in chain(inner_views(seen), inner_views(seen.of) if seen.of else ()):
            found = (*self._occurrences(view.text), *spans(TOKEN_PATTERNS, view.text), *provider_keys(view.text))
            yield from (_in_text(view, span) for span in found)
        rest = _spans(key, seen.text) if seen.of is None else (*self._occurrences(seen.text), *_spans(key, seen.text))
        yield from (_in_text(seen, span) for span in rest)

    def _occurrences(self, text: str) -> Iterator[SecretSpan]:
        return (span for secret in self._known for span in occurrences(secret, "api-key", text))

    def _replace_secrets(self, text: str, found: list[SecretSpan]) -> str:
        sought = (span for secret, kind in self._sought.items() for span in occurrences(secret, kind, text))
        done, parts = 0, []
        for span in _without_overlaps(text, [*found, *sought]):
            secret = span.plain or text[span.start : span.end]
            parts += [text[done : span.start], self._placeholder(secret, span.kind)]
            done = span.end
        return "".join([*parts, text[done:]])

    def _placeholder(self, secret: str, kind: SecretKind) -> str:
        identity = _LINE_END.sub("", secret)
        if identity not in self._placeholders:
            label = _LABELS[kind]
            self._numbers[label] += 1
            self.counts[kind] += 1
            self._placeholders[identity] = f"<{label}_{self._numbers[label]}>"
        return self._placeholders[identity]


def _is_telling(secret: str) -> bool:
    """Tell whether a secret looks like one without its context, unlike a word that is used as a password."""
    return len(secret) >= _SHORTEST_KNOWN and (is_random(secret) or is_password(secret, quoted=True))


def _in_text(view: View, span: SecretSpan) -> SecretSpan:
    """Return a span of a view as one of the text."""
    if view.of is None:
        return span
    start, end = view.original(span.start, span.end)
    return span._replace(start=start, end=end, plain=view.text[span.start : span.end])


def _spans(key: str, text: str) -> Iterator[SecretSpan]:
    yield from spans(TOKEN_PATTERNS, text)
    yield from provider_keys(text)
    if kind := kind_under(key, text):
        yield SecretSpan(0, len(text), kind, True)
    header = f"{key}: " if key.lower() in _HEADERS else ""
    for span in spans(CONTEXT_PATTERNS, header + text):
        if span.start >= len(header):
            yield span._replace(start=span.start - len(header), end=span.end - len(header))


def _without_overlaps(text: str, found: list[SecretSpan]) -> list[SecretSpan]:
    """Return the spans in text order; of two that overlap only the one that was found first."""
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


def _map_strings(value: JsonValue, change: _Change, path: tuple[str, ...] = ()) -> JsonValue:
    """Return the value with ``change(key, text)`` applied to every string."""
    if isinstance(value, str):
        return change(path[-1] if path else "", value)
    if isinstance(value, list):
        return [_map_strings(item, change, path) for item in value]
    if isinstance(value, dict):
        # In a pair such as {"name": "Cookie", "value": "..."} the name is the key.
        name = value.get("name", value.get("key"))
        return {
            key: item
            if path == ("metadata",) and key in _OURS
            else _map_strings(item, change, (*path, name if key == "value" and isinstance(name, str) else key))
            for key, item in value.items()
        }
    return value
