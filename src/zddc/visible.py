"""Makes characters visible that a terminal would obey or a reader could not see."""

import re

# Control characters but newline and tab, those that turn the direction of writing, those without a width, those that
# end a line elsewhere, and halves of surrogate pairs.
INVISIBLE = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_LAST_BYTE = 0x9F


def visible(text: str) -> str:
    r"""Return ``text`` with a visible form of each such character: ``\x1b`` for a control, else ``<U+202E>``."""
    return INVISIBLE.sub(lambda found: _form(found[0]), text)


def visible_in_json(line: str) -> str:
    """Return a line of JSON in which each such character is a JSON escape: its value stays the same."""
    return INVISIBLE.sub(lambda found: _json_escape(found[0]), line)


def split_visible(text: str) -> list[tuple[str, bool]]:
    """Return ``text`` in pieces, each with whether it is the visible form of one such character."""
    pieces, done = [], 0
    for found in INVISIBLE.finditer(text):
        pieces += [(text[done : found.start()], False), (_form(found[0]), True)]
        done = found.end()
    return [piece for piece in [*pieces, (text[done:], False)] if piece[0]]


def restore(text: str, original: str) -> str:
    """Return ``text``, an edited form of ``visible(original)``, with the characters that ``original`` has.

    A form that ``original`` itself spells out stays as it is, unless nothing was edited.
    """
    if text == visible(original):
        return original
    for character in dict.fromkeys(INVISIBLE.findall(original)):
        if _form(character) not in original:
            text = text.replace(_form(character), character)
    return text


def _form(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number <= _LAST_BYTE else f"<U+{number:04X}>"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4))
