"""The line that the gateway adds behind an expert's answer whose record cannot be trained on."""

import re

_NOTICE = re.compile(r"\[weakspot: [^\]\n]{1,300}\]\s*\Z")
_LONGEST = 400


def format_notice(text: str) -> str:
    """Return the notice as it stands behind an answer; ``text`` is one line without square brackets."""
    return f"\n\n[weakspot: {text}]"


def without_notice(text: str) -> str:
    """Return an answer as the expert gave it; the same text where no notice stands behind it."""
    end = max(0, len(text) - _LONGEST)
    match = _NOTICE.search(text, end) if "[weakspot: " in text[end:] else None
    return text[: match.start()].rstrip() if match else text
