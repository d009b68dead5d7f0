"""Divides a user's words into tokens, without code and quotations, and with the names of teachers recognised."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# A wish stands at the start or at the end of a message: no more than this many characters of each are looked at.
_REACH = 2000
# What hides code and quotations: no phrase has this character.
_HIDDEN = "\x00"
_FENCED = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n(?:.*?^[ \t]*\1|.*)", re.MULTILINE | re.DOTALL)
_QUOTED_LINES = re.compile(r"^[ \t]{0,3}>[^\n]*|^(?: {4}|\t)[^\n]*", re.MULTILINE)
_QUOTED = re.compile(
    r"""`+([^`]{1,400})`+|"([^"]{1,400})"|“([^”“]{1,400})[”“]|„([^“”]{1,400})[“”]|«([^»]{1,400})»"""
    r"""|(?<!\w)'([^'\n]{1,200})'(?!\w)|(?<!\w)‘([^’\n]{1,200})’(?!\w)"""
)
_EMPHASIS = re.compile(r"\*{1,3}(?=\S)|(?<=\S)\*{1,3}|(?<!\w)_{1,3}(?=\w)|(?<=[\w.!?])_{1,3}(?!\w)|~~")
_BULLET = r"(?P<bullet>(?:^|(?<=\n))[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]+)"
_QUOTES = "\"'`“”„«»‘’"
_LETTERS = re.compile(r"[^\W\d_]+")
_BLANKS = {code: " " for code in range(128) if not chr(code).isalpha()}
# Signs that are not left out as emojis are, and signs that mean something in a line of tokens.
_SYMBOLS = "+<>=|$~^→"
_OWN_SIGNS = "⟨⟩#•¶§"
# "sonnet 18" is a poem's number.
_VERSION = r"(?:[\s_-]{1,2}v?\d(?:[.-]\d{1,8}){0,3}(?!\w))?"


@dataclass(frozen=True)
class Names:
    """The names of teachers and their spellings: ``families`` are names without versions, ``slips`` misspelt words."""

    families: Mapping[str, str]
    slips: Mapping[str, str]
    scanner: re.Pattern[str]
    hints: frozenset[str]

    def may_stand_in(self, text: str) -> bool:
        """Whether a name may stand in the start or the end of a text, which takes a fraction of the time to tell."""
        said = text if len(text) <= 2 * _REACH else f"{text[:_REACH]} {text[-_REACH:]}"
        said = said.lower()
        # Words are the same either way; most texts are ASCII, where blanks for all other signs take less time.
        words = said.translate(_BLANKS).split() if said.isascii() else _LETTERS.findall(said)
        return not self.hints.isdisjoint(words)


def names_scanner(families: Mapping[str, str], slips: Mapping[str, str]) -> Names:
    """Return what finds the names of ``families``, with any version, and corrects the words in ``slips``."""
    words = [re.escape(one) for one in sorted(families, key=len, reverse=True)]
    names = "|".join(one.replace(r"\ ", rf"{_VERSION}[\s_-]{{1,2}}") for one in words) or "(?!)"
    scanner = re.compile(
        rf"{_BULLET}|(?P<newline>\n(?:[^\S\n]*+\n)*+)"
        rf"|(?<![\w./\\#-])(?P<name>(?:{names}){_VERSION})(?![\w/\\-]|[.]\w|\()(?P<of>'s?(?!\w))?"
        r"|(?P<word>(?<!\w)\.?\w+(?:['./\\_:@+#-]+\w+)*(?:\(\)|/)?)|(?P<hidden>\x00+)|(?P<mark>\S)",
        re.IGNORECASE,
    )
    slips_of_names = (slip for slip, meant in slips.items() if meant.startswith("⟨"))
    hints = frozenset(word for name in (*families, *slips_of_names) for word in _LETTERS.findall(name))
    return Names(families, slips, scanner, hints)


def family(name: str) -> str:
    """Return a name in lower case and without its version: "claude opus" for claude-opus-5-5."""
    words = re.split(r"[\s_-]+", name.lower())
    return " ".join(word for word in words if word and not re.fullmatch(r"v?\d[\d.]*", word))


def misspellings(word: str) -> Iterator[str]:
    """Yield what slips of the fingers make of a word: two letters swapped, one doubled, one missing."""
    for place in range(len(word)):
        before, after = word[:place], word[place + 1 :]
        yield before + word[place] * 2 + after
        if after and after[0] != word[place]:
            yield before + after[0] + word[place] + after[1:]
        if len(word) > 5 and place:
            yield before + after


@dataclass(frozen=True)
class Speech:
    """The tokens of a message in one line, each with a blank behind it; a name is ``⟨teacher⟩``."""

    text: str
    line: str
    starts: tuple[int, ...]

    def since(self, place: int) -> str:
        """Return the user's text from a place in the line on."""
        return self.text[self.starts[self.line.count(" ", 0, place)] :]

    def until(self, place: int) -> str:
        """Return the user's text up to a place in the line."""
        return self.text[: self.starts[self.line.count(" ", 0, place)]]


def parse_speech(text: str, names: Names) -> Speech:
    """Return the tokens of the start and of the end of ``text``."""
    said = without_quotes(text)
    if "\n" not in said:
        said = re.sub(r"^(?:[-*+•]\s+|/(?=\w+\s))", "", said)
    if len(said) <= 2 * _REACH:
        parts = [(0, _without_code(said))]
    else:
        start = len(said) - _REACH
        # A code block that begins in the middle goes on in the end.
        fence = "```\n" if said.count("```", 0, start) % 2 else ""
        end = _without_code(fence + said[start:])[len(fence) :]
        parts = [(0, _without_code(said[:_REACH]) + _HIDDEN), (start, end)]
    tokens = [(token, shift + start) for shift, part in parts for token, start in _tokens(part, names)]
    return Speech(said, "".join(f"{token} " for token, _ in tokens), (*(start for _, start in tokens), len(said)))


def without_quotes(text: str) -> str:
    """Return a text without blanks around it, and without quotes where it is quoted as a whole; code stays code."""
    said = text.strip()
    if len(said) > _REACH or said[:1] not in _QUOTES or said[-1:] not in _QUOTES or said.startswith("```"):
        return said
    inside = said.strip(_QUOTES)
    # Apostrophes may stand inside; other quotes are of quotations.
    return said if any(quote in inside for quote in _QUOTES if quote not in "'’") else inside.strip()


def _without_code(text: str) -> str:
    text = _FENCED.sub(_hidden, text)
    text = _QUOTED_LINES.sub(_hidden, text)
    return _EMPHASIS.sub(lambda found: " " * len(found[0]), text)


def _hidden(found: re.Match[str]) -> str:
    return _HIDDEN * len(found[0])


def _tokens(text: str, names: Names) -> Iterator[tuple[str, int]]:
    def without_quotation(found: re.Match[str]) -> str:
        name = next(filter(None, found.groups()), "")
        is_name = len(name) < 60 and family(name) in names.families
        return f" {name} ".center(len(found[0])) if is_name else _hidden(found)

    for found in names.scanner.finditer(_QUOTED.sub(without_quotation, text).replace("’", "'")):
        kind, start, said = found.lastgroup, found.start(), found[0].lower()
        if found["name"]:
            name, exact = family(found["name"]), " ".join(found["name"].lower().split())
            yield f"⟨{names.families.get(exact, names.families[name])}⟩", start
            yield from [("#", start)] * (name != " ".join(re.split(r"[\s_-]+", exact)))
            yield from [("'s", start)] * (found["of"] is not None)
        elif kind == "bullet":
            yield "•", start
        elif kind == "newline":
            yield "¶", start
        elif kind == "hidden":
            yield "§", start
        elif kind == "word":
            yield names.slips.get(said, said), start
        elif unicodedata.category(said[0])[0] not in "SCM" or said in _SYMBOLS:
            yield "·" if said in _OWN_SIGNS else said, start
