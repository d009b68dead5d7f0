"""E-mail addresses, and the patterns by which rules name people."""

import re
from fnmatch import fnmatchcase
from functools import lru_cache

ANYBODY, ANONYMOUS = "*", "anonymous"
LONGEST_EMAIL = 254

_ROLE = re.compile(r"[a-z0-9][a-z0-9._-]*")
# What else an address may hold looks like the syntax of other tools, and would silently match nobody.
_LOCAL_PART = re.compile(r"[a-z0-9.*?_+%&'=~#-]+")
_PATTERN = re.compile(rf"{_LOCAL_PART.pattern}@[a-z0-9*?-]+(?:\.[a-z0-9*?-]+)*")


def parse_email(text: str) -> str:
    """Return an address in lower case, as it is compared with patterns; raise ValueError with what is wrong with it."""
    if not text.isascii():
        raise ValueError("holds a character that is not ASCII")
    if not text.isprintable() or " " in text:
        raise ValueError("holds white space or a control character")
    if len(text) > LONGEST_EMAIL:
        raise ValueError(f"is longer than {LONGEST_EMAIL} characters")
    if text.count("@") != 1:
        raise ValueError("does not hold exactly one '@'")
    if text.startswith("@") or text.endswith("@"):
        raise ValueError("holds nothing on one side of '@'")
    return text.lower()


def parse_pattern(text: str) -> str:
    """Return a pattern in lower case; raise ValueError with what is wrong with it.

    ``*`` is anybody who has an address, ``anonymous`` who has none. With an ``@`` it is an address, in which ``*``
    stands for any characters and ``?`` for one, but never for the ``@``. Anything else is the name of a role.
    """
    if text == ANYBODY:
        return text
    if "@" not in text:
        return parse_role(text)
    # Most are in order, which is sooner known than what may be wrong. Only ASCII, since other letters turn into it.
    if text.isascii() and len(text) <= LONGEST_EMAIL and _PATTERN.fullmatch(pattern := text.lower()):
        return pattern
    if not _LOCAL_PART.fullmatch(parse_email(text).partition("@")[0]):
        raise ValueError("holds a character before '@' that no pattern may hold")
    raise ValueError("is no pattern of a domain after '@'")


def parse_role(text: str) -> str:
    """Return the name of a role in lower case; raise ValueError with what is wrong with it."""
    name = text.lower() if text.isascii() else text
    if not _ROLE.fullmatch(name):
        raise ValueError("is no name of a role, which has letters, digits, '.', '_' and '-' only")
    return name


def is_role(pattern: str) -> bool:
    """Whether a pattern names a role."""
    return "@" not in pattern and pattern not in (ANYBODY, ANONYMOUS)


# A person asks for many files below the same few rules.
@lru_cache(maxsize=1 << 14)
def matches(pattern: str, email: str | None) -> bool:
    """Whether a pattern that is no role names the person of an address from :func:`parse_email`, None without one."""
    if email is None or pattern in (ANYBODY, ANONYMOUS):
        return pattern == (ANONYMOUS if email is None else ANYBODY)
    return all(map(_fits, pattern.split("@"), email.split("@")))


def _fits(glob: str, text: str) -> bool:
    # Most are one of the first two, or no glob, and need no regular expression. None has fnmatch's brackets.
    return glob in ("*", text) or (("*" in glob or "?" in glob) and fnmatchcase(text, glob))
