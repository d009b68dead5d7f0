"""Finds the data in the HTML of a transmittal, and puts it there."""

import re
from collections.abc import Iterator

from zddc.canonical import JsonError

BLOCK_ID = "transmittal-data"
# With the id first: other readers know it only there.
OPENING = f'<script id="{BLOCK_ID}" type="application/json">'
CLOSING = "</script>"
NO_BLOCK = "no data block"

# HTML knows the letters and blanks of ASCII alone.
_START = re.compile(r"<script(?=[\s/>])", re.IGNORECASE | re.ASCII)
# Nothing in it is tried in two ways: it takes neither more time nor memory than it is long.
_TAG = re.compile(r"((?:\"[^\"]*+\"|'[^']*+'|[^>\"']++)*+)>")
_QUOTED = re.compile(r"\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)")
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?", re.ASCII)
_END = re.compile(r"</script(?=[\s/>])", re.IGNORECASE | re.ASCII)


class BlockError(ValueError):
    """The HTML holds no data that every program finds alike; the message is the reason."""


def find_block(html: str) -> tuple[int, int]:
    """Return where the data begins and ends in the HTML.

    It is the content of the only script whose id is :data:`BLOCK_ID`, also where that stands in a comment: what two
    programs could read differently is refused. Raises :class:`BlockError`.
    """
    found = []
    for script in _tags(html):
        value = _id_of(script[1])
        if "&" in value:
            raise BlockError("the id of a script is written with '&'")
        if value == BLOCK_ID:
            found.append(script.end())
    if len(found) != 1:
        raise BlockError("two data blocks" if found else NO_BLOCK)
    end = _END.search(html, found[0])
    if not end:
        raise BlockError("the data block is not closed")
    if "<" in html[found[0] : end.start()]:
        raise BlockError("a '<' in the data block")
    return found[0], end.start()


def _tags(html: str) -> Iterator[re.Match[str]]:
    """Yield the tags that begin a script, from behind the name; one that never ends is passed over.

    Where one that never ends is read on, outside of quotation marks, another one does not end either. So no more than
    three are read in vain: at each place a tag is outside of these, or between marks of one kind or the other.
    """
    endless: list[_Endless] = []
    at = 0
    while start := _START.search(html, at):
        at = start.end()
        if any(tag.is_plain_at(at) for tag in endless):
            continue
        if tag := _TAG.match(html, at):
            yield tag
            at = tag.end()
        else:
            endless.append(_Endless(html, at))


class _Endless:
    """A tag that never ends: what follows its name is asked about from left to right."""

    def __init__(self, html: str, start: int) -> None:
        self._quoted = _QUOTED.finditer(html, start)
        self._next = next(self._quoted, None)

    def is_plain_at(self, place: int) -> bool:
        """Whether a place is outside of quotation marks."""
        while self._next and self._next.end() <= place:
            self._next = next(self._quoted, None)
        return self._next is None or place <= self._next.start()


def _id_of(attributes: str) -> str:
    """Return the first id among the attributes of an element, as a browser takes it."""
    for name, *values in _ATTRIBUTE.findall(attributes):
        if name.lower() == "id":
            return "".join(values)
    return ""


def shift(error: JsonError, html: str, start: int) -> JsonError:
    """Return an error of the data with its place in the HTML in which the data begins at ``start``."""
    column = start - html.rfind("\n", 0, start) - 1 if error.line == 1 else 0
    return JsonError(error.reason, error.line + html.count("\n", 0, start), error.column + column)
