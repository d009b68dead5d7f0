"""Keys of the many providers whose forms betterleaks knows, beside the common ones in our own list."""

import re
from collections.abc import Iterator

from weakspot.capture.rules import Kind, Span

# It skips a line that asks for it, and it reads no further than a NUL. The replacements keep the lengths.
_SKIP = re.compile(r"(gitleaks|betterleaks):allow", re.IGNORECASE)
# The other findings are whole addresses, or pairs of a name and a password: we find what is secret in them.
_KEY = re.compile(r"[\w.+/=~-]{16,8000}")
_KINDS: dict[str, Kind] = {"private-key": "private-key", "jwt": "token"}


def provider_keys(text: str) -> Iterator[Span]:
    """Yield the keys in a text that are known by the form that their provider gave them."""
    import betterleaks

    readable = _SKIP.sub(r"\1_allow", text.replace("\0", " ")).encode("utf-8", "replace").decode("utf-8")
    for finding in betterleaks.scan_string(readable):
        if finding.confidence == "high" and _KEY.fullmatch(finding.secret):
            start = text.find(finding.secret)
            while start >= 0:
                yield Span(start, start + len(finding.secret), _KINDS.get(finding.rule_id, "api-key"))
                start = text.find(finding.secret, start + len(finding.secret))
