"""Tells thoughts from the answer where a server writes both into one text: ``<think>...</think>`` in front of it."""

import re
from collections.abc import Iterator

from weakspot.protocols.parts import Answer, Text, Thought, ThoughtsEnded

# The mark that opens thoughts, and those that close them: most models, Seed-OSS, Magistral, Kimi, and fine-tunes.
_UNOPENED: tuple[str, ...] = ("</think>", "</thinking>")
_MARKS = {
    "<think>": _UNOPENED,
    "<thinking>": _UNOPENED,
    "<thought>": ("</thought>",),
    "<reasoning>": ("</reasoning>",),
    "<seed:think>": ("</seed:think>",),
    "[think]": ("[/think]",),
    "◁think▷": ("◁/think▷",),
}
_OPENING = re.compile(rf"\s*((?ai:{'|'.join(map(re.escape, _MARKS))}))")
_CODE_FENCE = "```"


class ThoughtSplitter:
    """Splits a text, fed in pieces of any size, into thoughts and the answer behind them.

    A mark that comes later belongs to an answer about such marks. Some templates write the opening mark into the
    prompt: then the closing one says that all before it was thoughts, if it ends a line of ordinary text.
    """

    def __init__(self) -> None:
        self._held = ""
        self._said: list[str] = []
        self._step = self._begin
        self._thought = False
        self._closings = _UNOPENED

    def feed(self, text: str) -> Iterator[Text | Thought | ThoughtsEnded]:
        """Yield what is known to be a thought or not; what may be the beginning of a mark is held back."""
        self._held += text
        yield from self._split(last=False)

    def flush(self) -> Iterator[Text | Thought | ThoughtsEnded]:
        """Yield what was held back, because something other than text follows."""
        yield from self._split(last=True)

    def _split(self, *, last: bool) -> Iterator[Text | Thought | ThoughtsEnded]:
        before: tuple[str, object] | None = None
        # Each step takes something from what is held, or goes on to another step, or waits for more.
        while self._held and (self._held, self._step) != before:
            before = self._held, self._step
            yield from self._step(last)

    def _begin(self, last: bool) -> Iterator[Text | Thought | ThoughtsEnded]:
        rest = self._held.lstrip()
        if opening := _OPENING.match(self._held):
            self._held, self._thought, self._step = self._held[opening.end() :], True, self._think
            self._closings = _MARKS[opening[1].lower()]
        elif last or not any(one.startswith(rest.lower()) for one in _MARKS):
            self._step = self._pass if self._thought else self._speak
            self._held = rest if self._thought else self._held
        yield from ()

    def _think(self, last: bool) -> Iterator[Text | Thought | ThoughtsEnded]:
        closing = self._closing()
        thought = self._held[: closing.start()] if closing else self._take(last)
        if closing:
            self._held, self._step = self._held[closing.end() :], self._begin
        if thought:
            yield Thought(thought)

    def _speak(self, last: bool) -> Iterator[Text | Thought | ThoughtsEnded]:
        closing = self._closing()
        if closing and not last and not self._held[closing.end() :].strip(" \t"):
            return  # what follows decides
        if not closing:
            text, ends = self._take(last), False
        else:
            text, after = self._held[: closing.start()], self._held[closing.end() :]
            ends = _ends_thoughts("".join([*self._said, text]), after)
            text, self._held = (text if ends else text + closing[0]), after
        if text:
            self._said.append(text)
            yield Text(text)
        if ends:
            self._thought, self._step = True, self._begin
            yield ThoughtsEnded()

    def _pass(self, last: bool) -> Iterator[Text | Thought | ThoughtsEnded]:
        text, self._held = self._held, ""
        yield Text(text)

    def _closing(self) -> re.Match[str] | None:
        return re.search("|".join(map(re.escape, self._closings)), self._held, re.IGNORECASE | re.ASCII)

    def _take(self, last: bool) -> str:
        """Take what is held, except what may be the beginning of a closing mark."""
        sizes = () if last else range(max(map(len, self._closings)) - 1, 0, -1)
        rest = self._held.lower()
        size = next((n for n in sizes if any(one.startswith(rest[-n:]) for one in self._closings)), 0)
        end = max(0, len(self._held) - size)
        taken, self._held = self._held[:end], self._held[end:]
        return taken


def _ends_thoughts(before: str, after: str) -> bool:
    """Return whether a closing mark without an opening one ends thoughts, and is not merely mentioned."""
    if "<think" in before or before.count(_CODE_FENCE) % 2:
        return False
    begins_line = not before.rpartition("\n")[2].strip()
    ends_line = after.lstrip(" \t").startswith(("\n", "\r"))
    return begins_line or ends_line


def split_thoughts(text: str) -> tuple[str, str]:
    """Return the thoughts in front of a whole text, empty where there are none, and the text without them."""
    splitter = ThoughtSplitter()
    answer = Answer.of([*splitter.feed(text), *splitter.flush()])
    return answer.thought.strip(), answer.text
