"""Other readings of a text, in which a secret may be plain: escapes resolved, base64 and hexadecimal decoded."""

import base64
import html
import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from weakspot.redaction.rules import Match
from zddc.visible import INVISIBLE

# How often an escape may be escaped, and an encoding encoded.
_MOST_ESCAPES, _MOST_ENCODINGS = 3, 2

_HIDDEN = re.compile(f"(?:{INVISIBLE.pattern}|\ufe0f)+")
# Searching for one character is quick: most texts have none of them.
_HIDDEN_SIGN, _ESCAPE_SIGN = re.compile(f"{INVISIBLE.pattern}|\ufe0f"), re.compile(r"[%\\&\U000e0020-\U000e007e]")
# A run of escapes of one length is one match: each character of it has its place.
_ESCAPES = re.compile(
    r"""(?P<bytes> (?:%[0-9A-Fa-f]{2})+ | (?P<x>\\{1,4}x)[0-9A-Fa-f]{2} (?:(?P=x)[0-9A-Fa-f]{2})* )
      | (?P<octal> (?:\\[0-3][0-7]{2})+ )
      | (?P<units> (?P<u>\\{1,4}u)[0-9A-Fa-f]{4} (?:(?P=u)[0-9A-Fa-f]{4})* )
      | (?P<point> \\{1,4}(?:u\{[0-9A-Fa-f]{1,6}\}|U[0-9A-Fa-f]{8}) )
      | (?P<entity> &(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30}); )
      | (?P<control> \\{1,4}[nrt/] )
      | (?P<tags> [\U000e0020-\U000e007e]+ )""",
    re.VERBOSE,
)
_BYTE_SIGN, _UNIT_SIGN = re.compile(r"%|\\+x"), re.compile(r"\\+u")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "/": "/"}

# Eight bytes and more, the shortest secret that is known: in one piece, or each byte by itself.
_HEX = re.compile(
    r"[0-9A-Fa-f]{16,}|(?:0[xX])?[0-9A-Fa-f]{2}(?:[\s:,;-]{1,20}(?:0[xX])?[0-9A-Fa-f]{2}(?![0-9A-Za-z])){7,}"
)
_HEX_SIGN = re.compile(r"0[xX]|[^0-9A-Fa-f]")
# Further lines are no words: nothing comes after them.
_BASE64 = re.compile(
    r"[A-Za-z0-9+/_-]{11,}+(?:\r?\n[ \t]{0,40}+[A-Za-z0-9+/_-]++(?![:.,]|[ \t]{1,40}\w))*+={0,2}", re.ASCII
)
_STANDARD = str.maketrans("-_", "+/", " \t\r\n=")
_READABLE = re.compile(rb"[\t\n\r -~]{8,}")


@dataclass(frozen=True)
class View:
    """A reading of a text, or of another reading of it.

    ``places`` are where the two differ: position and length in this one, start and end in the other, and how many
    characters of the other are one of this, 0 if that is not known.
    """

    text: str
    places: Sequence[tuple[int, int, int, int, int]] = ()
    of: "View | None" = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the start and the end of that part of the first text that is read as ``start`` to ``end`` here."""
        if self.of is None:
            return start, end
        first, last = self._place(start), self._place(end - 1)
        return self.of.original(first[0], max(first[1], last[1]))

    def _place(self, position: int) -> tuple[int, int]:
        """Return the start and the end of what is read as one character."""
        number = bisect_right(self.places, position, key=lambda place: place[0]) - 1
        if number < 0:
            return position, position + 1
        at, length, start, end, width = self.places[number]
        if position >= at + length:
            start, at, width = end, at + length, 1
        elif not width:
            return start, end
        return start + (position - at) * width, start + (position - at + 1) * width


def without_invisible(text: str) -> View:
    """Return a text as a reader sees it, without what has no width and without control characters."""
    first = View(text)
    return _replacement_view(first, _HIDDEN_SIGN, _HIDDEN, lambda match: "") or first


def inner_views(view: View, depth: int = _MOST_ENCODINGS) -> Iterator[View]:
    """Yield the readings of a text in which its escapes are resolved, and what is encoded in it, and so on in these."""
    for _ in range(_MOST_ESCAPES):
        plain = _replacement_view(view, _ESCAPE_SIGN, _ESCAPES, _resolve)
        if plain is None:
            break
        yield plain
        view = plain
    decoded = _content_of_encodings(view) if depth else None
    if decoded is not None:
        yield decoded
        yield from inner_views(decoded, depth - 1)


def _replacement_view(
    view: View, sign: re.Pattern[str], pattern: re.Pattern[str], resolve: Callable[[Match], str]
) -> View | None:
    """Return the view with every match replaced, None where there is none; each match begins with a ``sign``."""
    if not sign.search(view.text):
        return None
    done, at, parts, places = 0, 0, [], []
    for match in pattern.finditer(view.text):
        new = resolve(match)
        parts += [view.text[done : match.start()], new]
        at += match.start() - done
        width, rest = divmod(len(match[0]), len(new) or 1)
        places.append((at, len(new), *match.span(), 0 if rest else width))
        at, done = at + len(new), match.end()
    return View("".join([*parts, view.text[done:]]), places, view) if places else None


def _resolve(match: Match) -> str:
    return _RESOLVERS[str(match.lastgroup)](match[0])


def _point(escape: str) -> str:
    number = int(escape.strip("\\uU{}"), 16)
    return chr(number) if number <= sys.maxunicode else escape


_RESOLVERS: dict[str, Callable[[str], str]] = {
    "bytes": lambda escape: bytes.fromhex(_BYTE_SIGN.sub("", escape)).decode("latin-1"),
    "octal": lambda escape: "".join(chr(int(one, 8)) for one in escape.split("\\")[1:]),
    "units": lambda escape: "".join(chr(int(one, 16)) for one in _UNIT_SIGN.split(escape)[1:]),
    "point": _point,
    "entity": html.unescape,
    "control": lambda escape: _CONTROLS[escape[-1]],
    "tags": lambda escape: "".join(chr(ord(one) - 0xE0000) for one in escape),
}


def _content_of_encodings(view: View) -> View | None:
    """Return what is readable of the base64 and the hexadecimal in a view, with a NUL between two stretches of it."""
    at, parts, places = 0, [], []
    for pattern, decode in ((_HEX, _decode_hex), (_BASE64, _decode_base64)):
        for match in pattern.finditer(view.text):
            found = b"\n".join(part for data in decode(match[0]) for part in _READABLE.findall(data)).decode("ascii")
            if found:
                parts.append(found)
                places.append((at, len(found), *match.span(), 0))
                at += len(found) + 1
    return View("\0".join(parts), places, view) if places else None


def _decode_hex(stretch: str) -> Iterable[bytes]:
    """Yield the bytes by each of the two ways in which a digit before it may have shifted it, and those of each line.

    What stands on a line before need not be of the same thing, and a key begins no word where a letter is before it.
    """
    for part in dict.fromkeys([stretch, *stretch.splitlines()]):
        digits = _HEX_SIGN.sub("", part)
        for n in range(2):
            yield bytes.fromhex(digits[n : n + (len(digits) - n) // 2 * 2])


def _decode_base64(stretch: str) -> Iterable[bytes]:
    """Yield the bytes by each of the four ways in which letters before it may have shifted it."""
    letters = stretch.translate(_STANDARD)
    for n in range(4):
        # A letter that is left alone is no byte.
        rest = letters[n:-1] if (len(letters) - n) % 4 == 1 else letters[n:]
        yield base64.b64decode(rest + "=" * (-len(rest) % 4))
