"""Keys of the many providers whose forms betterleaks knows, where it is installed."""

import functools
import os
import re
from collections.abc import Iterator
from types import ModuleType

from weakspot.redaction.rules import Kind, Span, occurrences

# What stops it from looking: a line that asks for it, and a NUL. The replacements keep the lengths.
_ALLOW = re.compile(r"(gitleaks|betterleaks):allow", re.IGNORECASE)
# The other findings are addresses, or names with their passwords: we find what is secret in them.
_KEY = re.compile(r"[\w.+/=~-]{16,8000}")
_KINDS: dict[str, Kind] = {"private-key": "private-key", "jwt": "token"}
# The longer the text, the longer it takes for each character of it. Hardly a key is longer than the overlap.
_PIECE, _OVERLAP = 3_500, 500


@functools.cache
def _library() -> tuple[ModuleType | None, int]:
    try:
        import betterleaks
    except ImportError:
        return None, 0
    return betterleaks, os.getpid()


def provider_keys(text: str) -> Iterator[Span]:
    """Yield the keys in a text that have the form of one of some 400 providers; none without betterleaks."""
    betterleaks, process_id = _library()
    # Its Go runtime does not survive a fork: a child that asked it would wait for ever.
    if betterleaks is None or process_id != os.getpid():
        return
    readable = _ALLOW.sub(r"\1_allow", text.replace("\0", " ")).encode("utf-8", "replace").decode("utf-8")
    for start in range(0, len(text), _PIECE):
        piece = readable[start : start + _PIECE + _OVERLAP]
        # The rules of low confidence go by the name beside a value, and so do we, with fewer false hits.
        found = {one.secret: one.rule_id for one in betterleaks.scan_string(piece) if one.confidence == "high"}
        for secret, rule in found.items():
            if _KEY.fullmatch(secret):
                for span in occurrences(secret, _KINDS.get(rule, "api-key"), piece):
                    yield span._replace(start=start + span.start, end=start + span.end)
