"""Tells secrets, which are random values or passwords, from placeholders and ordinary words."""

import re

_STAND_IN = re.compile(
    r"""^<.*>$ | ^\[.*\]$ | ^\(.*\)$ | ^%\w+%?$ | ^\$[\w:]+$ | \$[{(] | \{.*\}        # <key>, $KEY, {{ key }}
      | \.\.\. | … | ([xX*.•\#?0_])\1{4} | 1234567 | abcdefg                          # sk-..., xxxxx
      | your | example | sample | dummy | placeholder | change_?-?me | replace | redacted | insert | goes_?-?here
      | masked | hidden | undefined | ^(?:todo|dein|hier) | ^(?:none|null|nil|true|false)$""",
    re.IGNORECASE | re.VERBOSE,
)
# What tutorials write in place of a password: "password123", "my-secret-token", "test".
_WEAK = re.compile(
    r"""(?:my|the|auth|new|old|super|very|secure|strong|top|db|user|admin|test|demo|guest|root|foo|bar|some|app|api|abc
          |qwerty|postgres|letmein|welcome|p[a@]ssw[o0]r[dt]|pass(?:wd)?|pwd?|secret|token|key|string
          |1(?:2(?:3(?:45?6?)?)?)?|[-_!@.])+""",
    re.IGNORECASE | re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z]+(?:[._-][A-Za-z]+)*\d{0,2}")
_CODE = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*)+")
_PATH = re.compile(r"(?:[a-z]{2,20}:/|[~.]{0,2})/[\w./%-]*|[a-z0-9_-]{2,40}(?:/[a-z0-9_.-]{2,40}){1,20}")
_SEPARATOR = re.compile(r"[-_./+=]+")
_SWITCH = re.compile(r"(?<=[a-z])[A-Z]|(?<=[A-Za-z])[0-9]|(?<=[0-9])[A-Za-z]")
_PASSPHRASE = re.compile(r"[a-z]{2,20}(?:-[a-z]{2,20}){2,10}")
_SPACE = re.compile(r"\s")
_LETTER = re.compile(r"[^\W\d_]")
# ASCII digits and symbols, without those that join words; other scripts write prose without spaces.
_DIGIT_OR_SYMBOL = re.compile(r"[0-9!-,:-@\[-^`{-~]")


def is_stand_in(value: str) -> bool:
    """Tell whether a value is a placeholder, such as ``YOUR_API_KEY``, ``<token>``, ``${TOKEN}`` or ``xxxx``."""
    return bool(_STAND_IN.search(value[:60]) or _WEAK.fullmatch(value[:60]))


def is_random(value: str) -> bool:
    """Tell whether a value consists of random letters and digits, and not of words.

    In random text a digit stands beside a letter, or a capital after a small letter, at 3 to 5 places in 10;
    in words joined as in camelCase or kebab-case at fewer than 2.
    """
    core = _SEPARATOR.sub("", value[:400])
    return len(core) >= 14 and _switches(core) > 0.2 and not _SPACE.search(value) and not is_stand_in(value)


def is_password(value: str, *, quoted: bool) -> bool:
    """Tell whether the value of something called a password is one, and not a name, a type, code or a path.

    Without quotes it could be a variable, and more is asked of it.
    """
    if not 6 <= len(value) <= 200 or _SPACE.search(value) or is_stand_in(value) or _PATH.fullmatch(value):
        return False
    if not quoted and (_CODE.fullmatch(value) or (_NAME.fullmatch(value) and _switches(value) < 0.25)):
        return False
    has_letter, has_sign = bool(_LETTER.search(value)), bool(_DIGIT_OR_SYMBOL.search(value))
    return has_letter and (has_sign or _switches(value) >= 0.2)


def is_passphrase(value: str) -> bool:
    """Tell whether a value is three words or more with hyphens between them."""
    return bool(_PASSPHRASE.fullmatch(value)) and not is_stand_in(value)


def _switches(value: str) -> float:
    return len(_SWITCH.findall(value)) / len(value)
