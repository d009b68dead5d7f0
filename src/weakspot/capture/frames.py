"""Takes off what agents put around a user's words: the table is ``frames.toml``, one entry for each frame."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

# Pictures may stand before the words.
_QUOTED = re.compile(r'((?:\[[a-z_]{1,20}\]\n)*)"([^"]+)"')
# Tags of the user's words stand in each other where a client passes another's message on.
_DEEPEST = 4


@dataclass(frozen=True)
class Frame:
    """What a message looks like that a program wrote around a user's words; see ``frames.toml``."""

    begins: re.Pattern[str] | None
    contains: str
    between: tuple[str, ...]
    after: tuple[str, ...]
    before: re.Pattern[str] | None
    holds: str

    def words(self, text: str) -> str | None:
        """Return the user's words in a message, None where it is not in this frame; takes linear time."""
        if self.contains not in text or (self.begins is not None and self.begins.match(text) is None):
            return None
        if not (self.between or self.after or self.before):
            return ""
        for start, end in ((f"<{tag}>", f"</{tag}>") for tag in self.between):
            if start in text and end in text:
                return text.rpartition(start)[2].partition(end)[0]
        return self._inner(text)

    def _inner(self, text: str) -> str | None:
        """Return what stands behind the last of ``after`` and in front of ``before``, None where one is missing."""
        if self.before is not None:
            if (end := self.before.search(text)) is None:
                return None
            text = text[: end.start()]
        if not self.after:
            return None if self.between else text
        return next((text.rpartition(one)[2] for one in self.after if one in text), None)


@dataclass(frozen=True)
class _Table:
    """The frames; ``begins`` is how any of those begins that have a beginning: most texts do not."""

    frames: tuple[Frame, ...]
    begins: re.Pattern[str]
    context: re.Pattern[str]
    words: re.Pattern[str]
    marks: re.Pattern[str]


class Unframed(NamedTuple):
    """The user's words in a message, or what it holds instead, as ``frames.toml`` names it; empty where neither."""

    words: str
    holds: str

    @property
    def is_tool_result(self) -> bool:
        """Whether it is the result of a tool, as agents without tool calls send it."""
        return self.holds == "result"

    @property
    def is_client_request(self) -> bool:
        """Whether it makes its conversation a request of the client for itself, such as one for a title."""
        return self.holds == "request"


def user_text(text: str) -> str:
    """Return what the user said, without what programs wrote around it; empty where nothing is left."""
    return unframe(text).words


def bare_query(text: str) -> str:
    """Return a query as records hold it: as it was sent, or where a program wrote around it the user's words only."""
    words = user_text(text)
    return text if not words or text.strip() == words else words


def read_frames() -> list[dict[str, Any]]:
    """Return the entries of the table."""
    text = resources.files("weakspot.capture").joinpath("frames.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["frame"])


def unframe(text: str) -> Unframed:
    """Take off what programs wrote around the user's words in a message."""
    table = _table()
    text = table.marks.sub(r"\g<mark>", text)
    for _ in range(2):  # a frame may stand behind a tag
        text = text.strip()
        may_begin = table.begins.match(text)
        for frame in table.frames:
            if (may_begin or frame.begins is None) and (said := frame.words(text)) is not None:
                text = said.strip()
                if not text:
                    return Unframed("", frame.holds)
                may_begin = table.begins.match(text)
        if not table.context.search(text):
            break
        text = "".join(_outside(table.context, text))
    text = text.strip()
    for _ in range(_DEEPEST):
        if (match := table.words.fullmatch(text)) is None:
            break
        text = match["said"].strip()
    return Unframed(_without_quotes(text), "")


@cache
def _table() -> _Table:
    entries = read_frames()
    context, words, marks = (
        "|".join(re.escape(tag) for one in entries if one.get("holds") == kind for tag in one.get("tags", ()))
        for kind in ("context", "words", "mark")
    )
    attributes = r"(?:\s[^<>]{0,1000})?"
    frames = tuple(_frame(one) for one in entries if "tags" not in one)
    return _Table(
        frames,
        re.compile("|".join(f"(?:{one.begins.pattern})" for one in frames if one.begins is not None)),
        re.compile(rf"<({context}){attributes}>"),
        re.compile(rf"<(?P<tag>{words}){attributes}>(?P<said>.*)</(?P=tag)>", re.DOTALL),
        re.compile(rf"<(?P<tag>{marks}){attributes}>\s{{0,9}}(?P<mark>\[[a-z_]{{1,20}}\])\s{{0,9}}</(?P=tag)>"),
    )


def _frame(entry: dict[str, Any]) -> Frame:
    begins, before = (re.compile(entry[key]) if key in entry else None for key in ("begins", "before"))
    tags, markers = tuple(entry.get("between", ())), tuple(entry.get("after", ()))
    return Frame(begins, entry.get("contains", ""), tags, markers, before, entry.get("holds", ""))


def _outside(tags: re.Pattern[str], text: str) -> Iterator[str]:
    """Yield the pieces of a text that stand outside of blocks with these tags."""
    place, unclosed = 0, set()
    for start in tags.finditer(text):
        if start.start() < place or start[1] in unclosed:
            continue
        closing = f"</{start[1]}>"
        end = text.find(closing, start.end())
        if end < 0:
            unclosed.add(start[1])  # later ones are not closed either: skipping them keeps the time linear
            continue
        yield text[place : start.start()]
        place = end + len(closing)
    yield text[place:]


def _without_quotes(text: str) -> str:
    """Return a text without quotes around all of it: an agent started from a shell may pass them on."""
    quoted = _QUOTED.fullmatch(text)
    return (quoted[1] + quoted[2].strip()) if quoted else text
