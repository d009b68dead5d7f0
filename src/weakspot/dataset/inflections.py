"""The inflected forms of an English word, by rules: errors, debugging, fixed, analysing."""

import re
from functools import cache

_VOWELS = "aeiou"


@cache
def inflected(word: str) -> frozenset[str]:
    """Return a word in lower case with its plural, its past, its -ing and its -er form, British and American."""
    return frozenset(form for spelling in _spellings(word) for form in _forms(spelling))


def _spellings(word: str) -> set[str]:
    """Return a word with -ise and -ize, and with -yse and -yze."""
    found = re.fullmatch(r"(\w{3,})([iy])[sz](e|ation)", word)
    return {f"{found[1]}{found[2]}{letter}{found[3]}" for letter in "sz"} if found else {word}


def _forms(word: str) -> set[str]:
    if len(word) < 3 or not word.isalpha() or not word.isascii():
        return {word}
    stem, last = word[:-1], word[-1]
    if word.endswith("sis"):
        return {word, f"{word[:-2]}es"}
    if last == "e":
        return {word, f"{word}s", f"{word}d", f"{stem}ing", f"{word}r", f"{word}rs"}
    if last == "y" and word[-2] not in _VOWELS:
        return {word, f"{stem}ies", f"{stem}ied", f"{word}ing", f"{stem}ier", f"{stem}iers"}
    plural = "es" if re.search("(?:[sxz]|[cs]h)$", word) else "s"
    stems = {word}
    if re.search("[^aeiou][aeiou][^aeiouwxy]$", word):
        stems.add(word + last)
    return {word, f"{word}{plural}"} | {stem + ending for stem in stems for ending in ("ed", "ing", "er", "ers")}
