"""Signs of an answer that is useless for training: it refuses, or it was cut off."""

import re

_CANNOT = r"i(?: can ?not| can't| could not| won't| will not|(?:'m| am) (?:not able|unable))"
_APOLOGY = r"(?:i(?:'m| am)(?: so| very)? sorry|sorry|i apologi[sz]e|unfortunately|as an ai[^,.]*)[,.]? (?:but )?"
_ANSWERING = r"(?:to )?(?:help|assist|provide|recommend|share|create|write|give|discuss|support|comply|do that)"
# An apology alone is no refusal, and "I can't believe it" is none either.
_REFUSAL = re.compile(
    rf"{_APOLOGY}{_CANNOT}\b"
    rf"|{_CANNOT} {_ANSWERING}\b"
    r"|i (?:don't|do not) feel comfortable\b"
)

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
_LIST_TABLE_OR_HEADING = re.compile(r"\s*(?:[-*+•|#>]|\d+[.)]|[A-Za-z][.)]\s)|\s{4}")
_ENDS_IN_TAG_OR_ADDRESS = re.compile(r"(?:#\S+|https?://\S+)$")
_EARLIER_SENTENCE = re.compile(r"[^\W\d_A-Z]{3,}[.!?…]\s+[^\W\d_].*\s\w|[。！？।]\s*\w{4}")
_UNFINISHED = re.compile(r"[,、，]$|\b(?:the|an|and|or|but|because|their|your|its|than)$")


def refuses(answer: str) -> bool:
    """Return whether the answer begins with a refusal."""
    return bool(_REFUSAL.match(" ".join(answer[:300].replace("’", "'").lower().split())))


def is_cut_off(answer: str) -> bool:
    """Return whether the answer stops inside a code block, or in the middle of a sentence.

    Lists, tables, verse, signatures and tags are complete without a full stop. So a last line counts as cut off only
    if it contains an earlier complete sentence, or ends with a comma or a word such as "the".
    """
    if _stops_in_code(answer):
        return True
    line = answer.rstrip().rpartition("\n")[2]
    if _UNFINISHED.search(line):
        return True
    if not line[-1:].isalnum() or _LIST_TABLE_OR_HEADING.match(line) or _ENDS_IN_TAG_OR_ADDRESS.search(line):
        return False
    return bool(_EARLIER_SENTENCE.search(line))


def _stops_in_code(answer: str) -> bool:
    opened = ""
    for fence in _FENCE.findall(answer):
        if not opened:
            opened = fence
        elif fence.startswith(opened):
            opened = ""
    return bool(opened)
