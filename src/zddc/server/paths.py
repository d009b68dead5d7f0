"""The path of a request, as it came, into names; whatever could be read in two ways is refused."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from zddc.server.answer import Path
from zddc.server.guard import RefusedError

LONGEST_PATH = 4096
LONGEST_NAME = 255
_AT_ONCE = 1000  # names
# Most names have only these bytes, and neither start nor end with those.
_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b"/\\"))
_BAD_STARTS, _BAD_ENDS = {"", "."}, {".", " "}

# A name that a path can have, so that somebody can ask for it.
_SERVABLE = re.compile(r"(?![.])[^\x00-\x1f\x7f\\/\ud800-\udfff]+(?<![. ])")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile("[\0-\x1f\x7f]")


def parse_path(raw: bytes) -> Path:
    """Return the names of a path without its query; raise :class:`RefusedError` for one that is not served.

    Percent-encoding is undone once, and nothing else is: no name is shortened, joined or corrected.
    """
    if len(raw) > LONGEST_PATH:
        raise RefusedError(400, f"the path is longer than {LONGEST_PATH} bytes")
    if not raw.startswith(b"/"):
        raise RefusedError(400, "the path does not begin with '/'")
    if b"#" in raw or b"?" in raw:
        raise RefusedError(400, "the path holds '#' or '?'")
    if b"%" in raw and _BAD_ESCAPE.search(raw):
        raise RefusedError(400, "the path holds a '%' that is not followed by two hexadecimal digits")
    is_folder = raw.endswith(b"/")
    inner = raw[1:-1] if is_folder else raw[1:]
    return Path(tuple(map(_name, inner.split(b"/"))) if raw != b"/" else (), is_folder)


def _name(segment: bytes) -> str:
    data = unquote_to_bytes(segment) if b"%" in segment else segment
    try:
        name = data.decode()
    except UnicodeDecodeError:
        raise RefusedError(400, "the path is not UTF-8") from None
    if not name:
        raise RefusedError(400, "the path holds an empty name")
    if not name.isprintable() and _CONTROL.search(name):
        raise RefusedError(400, "the path holds a control character")
    if "/" in name or "\\" in name:
        raise RefusedError(400, "a name in the path holds '/' or '\\'")
    if name.endswith((".", " ")):
        raise RefusedError(400, "a name in the path ends with '.' or a blank")
    if len(data) > LONGEST_NAME:
        raise RefusedError(400, f"a name in the path is longer than {LONGEST_NAME} bytes")
    return name


def servable(names: Sequence[str]) -> Iterator[str]:
    """Yield those of the names of a folder that :func:`is_servable` is true of."""
    parts = (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
    return chain.from_iterable(some if _are_servable(some) else filter(is_servable, some) for some in parts)


def _are_servable(names: Sequence[str]) -> bool:
    """Return whether names are plainly servable, in a third of the time that it takes to look at each."""
    return (
        not "".join(names).encode("utf-8", "surrogatepass").translate(None, _PLAIN)
        and _BAD_STARTS.isdisjoint(map(itemgetter(slice(1)), names))
        and _BAD_ENDS.isdisjoint(map(itemgetter(slice(-1, None)), names))
        and max(map(len, names)) <= LONGEST_NAME
    )


def is_servable(name: str) -> bool:
    """Return whether a path may have this name: it is neither hidden nor refused in a URL."""
    return _SERVABLE.fullmatch(name) is not None and (
        len(name) <= LONGEST_NAME // 4 or len(name.encode()) <= LONGEST_NAME
    )
