"""Folds white space where it means nothing: in prose, and neither in code nor in names of files."""

import re
import unicodedata

_SPACES = re.compile(r"\s+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_INDENTED = re.compile(r"(?: {2}|\t| \t)\s*\S")
# Spaces in a row on a line that names a file, or between the marks of code, are part of that name or code.
_VERBATIM = re.compile(r"`[^`]*\s{2}[^`]*`|\s{2}.*\w\.[A-Za-z0-9]{2,5}\b")


def normalise_text(text: str) -> str:
    """Return ``text`` in Unicode form NFC, with each run of white space as one space."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def normalise_prose(text: str) -> str:
    """Return ``text`` in Unicode form NFC, with each run of white space in its prose as one space.

    Code keeps its lines and its white space, but for that at the ends of lines: what stands between fences, and every
    line that is indented by two columns or more. So does a line that names a file with several spaces in a row.
    """
    found: list[str] = []
    prose: list[str] = []
    fence = ""

    def end_prose() -> None:
        if folded := normalise_text("\n".join(prose)):
            found.append(folded)
        prose.clear()

    for line in unicodedata.normalize("NFC", text).strip().splitlines():
        mark = _FENCE.match(line)
        if fence or mark or _INDENTED.match(line) or _VERBATIM.search(line.strip()):
            end_prose()
            found.append(line.rstrip())
        else:
            prose.append(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
    end_prose()
    return "\n".join(found)
