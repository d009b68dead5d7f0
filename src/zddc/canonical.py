"""JSON that every program reads alike, and its canonical form (RFC 8785): the bytes that are hashed and signed.

The reader refuses what JSON libraries read differently: a key twice, integers beyond 2^53, half a surrogate pair, NaN,
a byte order mark, more than 64 levels. ``spec/canonical.json`` has the cases.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

MOST_LEVELS = 64
# Beyond it, two integers may be one IEEE double.
LARGEST_INTEGER = 1 << 53

_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_UNICODE = re.compile(r"[0-9a-fA-F]{4}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class JsonError(ValueError):
    """What is no JSON, or not such as every program reads alike.

    ``line`` and ``column`` count from 1, in characters; both are 0 for what has no place in a text.
    """

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"{reason} (line {line}, column {column})" if line else reason)
        self.reason, self.line, self.column = reason, line, column


def parse_json(text: str | bytes) -> Json:
    """Return the value of a JSON text, given as UTF-8 where it is bytes; raise :class:`JsonError` for any other text.

    A number that is written without a fraction and an exponent is an int, any other one a float.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            raise JsonError("not UTF-8") from None
    return _Parser(text).parse()


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._position = text, 0

    def parse(self) -> Json:
        if self._text.startswith("\ufeff"):
            self._fail("a byte order mark")
        value = self._value(0)
        self._skip()
        if self._position < len(self._text):
            self._fail("more than one value")
        return value

    def _fail(self, reason: str, position: int | None = None) -> NoReturn:
        raise JsonError(reason, *_place(self._text, self._position if position is None else position))

    def _skip(self) -> str:
        """Pass over white space; return the character behind it, nothing at the end."""
        found = _BLANK.match(self._text, self._position)
        self._position = found.end() if found else self._position
        return self._text[self._position : self._position + 1]

    def _value(self, levels: int) -> Json:
        match self._skip():
            case "{":
                return self._object(levels + 1)
            case "[":
                return self._array(levels + 1)
            case '"':
                return self._string()
            case "":
                self._fail("the text ends too early")
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._position):
                self._position += len(word)
                return value
        return self._number()

    def _number(self) -> int | float:
        start, found = self._position, _NUMBER.match(self._text, self._position)
        if not found:
            self._fail("no JSON value")
        self._position = found.end()
        if found[1] or found[2]:
            if math.isinf(value := float(found[0])):
                self._fail("a number that is too large", start)
            return value
        # No integer of more digits is one that counts, and Python refuses those of thousands.
        if len(found[0]) > 17 or abs(integer := int(found[0])) > LARGEST_INTEGER:
            self._fail("an integer beyond 2^53", start)
        return integer

    def _string(self) -> str:
        start = self._position
        self._position += 1
        parts = []
        while True:
            plain = _PLAIN.match(self._text, self._position)
            if plain:
                parts.append(plain[0])
                self._position = plain.end()
            match self._text[self._position : self._position + 1]:
                case '"':
                    self._position += 1
                    break
                case "\\":
                    parts.append(self._escape())
                case "":
                    self._fail("the text ends too early")
                case _:
                    self._fail("a control character in a string")
        text = "".join(parts)
        if _SURROGATE.search(text):
            text = _join_surrogates(text)
            if _SURROGATE.search(text):
                self._fail("half a surrogate pair", start)
        return text

    def _escape(self) -> str:
        letter = self._text[self._position + 1 : self._position + 2]
        if letter == "u":
            found = _UNICODE.match(self._text, self._position + 2)
            if not found:
                self._fail("a backslash that escapes nothing")
            self._position = found.end()
            return chr(int(found[0], 16))
        if letter not in _ESCAPES:
            self._fail("a backslash that escapes nothing")
        self._position += 2
        return _ESCAPES[letter]

    def _array(self, levels: int) -> list[Json]:
        values: list[Json] = []
        self._many(levels, "]", lambda: values.append(self._value(levels)))
        return values

    def _object(self, levels: int) -> dict[str, Json]:
        values: dict[str, Json] = {}

        def member() -> None:
            if self._skip() != '"':
                self._fail("no key in quotation marks")
            start = self._position
            key = self._string()
            if key in values:
                self._fail("a key twice in one object", start)
            if self._skip() != ":":
                self._fail("no ':' after a key")
            self._position += 1
            values[key] = self._value(levels)

        self._many(levels, "}", member)
        return values

    def _many(self, levels: int, end: str, read_one: Callable[[], None]) -> None:
        if levels > MOST_LEVELS:
            self._fail(f"more than {MOST_LEVELS} levels")
        self._position += 1
        if self._skip() == end:
            self._position += 1
            return
        while True:
            read_one()
            found = self._skip()
            if found not in (",", end):
                self._fail(f"no ',' and no '{end}'" if found else "the text ends too early")
            self._position += 1
            if found == end:
                return


def _join_surrogates(text: str) -> str:
    # Two escapes, each of half a pair, are one character.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def canonical_bytes(value: Json) -> bytes:
    """Return the canonical form of a value as RFC 8785 has it, in UTF-8.

    Raises :class:`JsonError` for what the reader would refuse, and for what is no JSON.
    """
    parts: list[str] = []
    _write(value, 0, parts.append)
    return "".join(parts).encode()


def _write(value: Json, levels: int, write: Callable[[str], object]) -> None:
    if value is None or value is True or value is False:
        write(json.dumps(value))
    elif isinstance(value, str):
        write(_quote(value))
    elif isinstance(value, int | float):
        write(_format_number(value))
    elif levels >= MOST_LEVELS:
        raise JsonError(f"more than {MOST_LEVELS} levels")
    elif isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise JsonError("a key that is no text")
        for number, key in enumerate(sorted(value, key=utf16_units)):
            write("," if number else "{")
            write(_quote(key))
            write(":")
            _write(value[key], levels + 1, write)
        write("}" if value else "{}")
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for number, one in enumerate(value):
            write("," if number else "[")
            _write(one, levels + 1, write)
        write("]" if value else "[]")
    else:
        raise JsonError(f"{type(value).__name__} is no JSON")


def utf16_units(text: str) -> bytes:
    """Return a key that sorts texts by their UTF-16 units, as JavaScript does, and not by code points."""
    return text.encode("utf-16-be", "surrogatepass")


def _quote(text: str) -> str:
    if _SURROGATE.search(text):
        raise JsonError("half a surrogate pair")
    # Escapes quotation mark, backslash and C0 controls only, those without a letter as \u00xx.
    return json.dumps(text, ensure_ascii=False)


def _format_number(value: float) -> str:
    """Return a number as ECMAScript writes it: the shortest digits that give the same double."""
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise JsonError("an integer beyond 2^53")
        return str(value)
    if not math.isfinite(value):
        raise JsonError("a number that is not finite")
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.digits times ten to this power.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        text = digits.ljust(point, "0")
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1:+d}"
    return f"-{text}" if value < 0 else text
