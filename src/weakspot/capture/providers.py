"""Keys of the many providers whose forms betterleaks knows, where it is installed."""

import functools
import os
import re
from collections.abc import Iterator
from types import ModuleType

from weakspot.capture.rules import Kind, Span, occurrences

# What stops it from looking: a line that asks for it, and a NUL. The replacements keep the lengths.
_ALLOW = re.compile(r"(gitleaks|betterleaks):allow", re.IGNORECASE)
# The other findings are addresses, or names with their passwords: we find what is secret in them.
_KEY = re.compile(r"[\w.+/=~-]{16,8000}")
_KINDS: dict[str, Kind] = {"private-key": "private-key", "jwt": "token"}


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
    findings = betterleaks.scan_string(readable)
    # The rules of low confidence go by the name beside a value, and so do we, with fewer false hits.
    for secret, rule in {one.secret: one.rule_id for one in findings if one.confidence == "high"}.items():
        if _KEY.fullmatch(secret):
            yield from occurrences(secret, _KINDS.get(rule, "api-key"), text)
