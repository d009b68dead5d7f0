"""Finds API keys of some 400 providers with the library betterleaks, where it is installed."""

import functools
import os
import re
from collections.abc import Iterator
from types import ModuleType

from weakspot.redaction.rules import SecretKind, SecretSpan, occurrences

# An allow comment in a line, or a NUL, stops betterleaks. The replacements keep the lengths.
_ALLOW = re.compile(r"(gitleaks|betterleaks):allow", re.IGNORECASE)
# Its other findings are URLs, or names with their passwords: our own rules find the secret part of them.
_KEY = re.compile(r"[\w.+/=~-]{16,8000}")
_KINDS: dict[str, SecretKind] = {"private-key": "private-key", "jwt": "token"}
# Its time per character grows with the text: it gets pieces. Hardly any key is longer than their overlap.
_PIECE, _OVERLAP = 3_500, 500


@functools.cache
def _library() -> tuple[ModuleType | None, int]:
    try:
        import betterleaks
    except ImportError:
        return None, 0
    return betterleaks, os.getpid()


def provider_keys(text: str) -> Iterator[SecretSpan]:
    """Yield the keys in a text that look like those of some 400 providers; none without betterleaks."""
    betterleaks, process_id = _library()
    # Its Go runtime does not survive a fork: a call in a child process would never return.
    if betterleaks is None or process_id != os.getpid():
        return
    readable = _ALLOW.sub(r"\1_allow", text.replace("\0", " ")).encode("utf-8", "replace").decode("utf-8")
    for start in range(0, len(text), _PIECE):
        piece = readable[start : start + _PIECE + _OVERLAP]
        # Its low-confidence rules go by the name beside a value; our context patterns do, too, with fewer false hits.
        found = {one.secret: one.rule_id for one in betterleaks.scan_string(piece) if one.confidence == "high"}
        for secret, rule in found.items():
            if _KEY.fullmatch(secret):
                for span in occurrences(secret, _KINDS.get(rule, "api-key"), piece):
                    yield span._replace(start=start + span.start, end=start + span.end)
