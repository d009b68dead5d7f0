"""Server-sent events, read from bytes however they are cut into pieces."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass
class Decoder:
    """Reads a stream of events; https://html.spec.whatwg.org/multipage/server-sent-events.html."""

    _text: str = ""
    _data: list[str] = field(default_factory=list)
    _utf8: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    )

    def feed(self, data: bytes, *, last: bool = False) -> Iterator[str]:
        """Yield the data of each event that is complete; with ``last`` also of one that nothing ends."""
        self._text += self._utf8.decode(data, final=last)
        position = 0
        for end in _LINE_END.finditer(self._text):
            # A CR at the very end may be the first half of CR LF: wait for what follows.
            if end.end() == len(self._text) and end.group() == "\r" and not last:
                break
            yield from self._line(self._text[position : end.start()])
            position = end.end()
        self._text = self._text[position:]
        if last:
            yield from self._line(self._text)
            yield from self._line("")

    def _line(self, line: str) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
            self._data.clear()
        elif line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))


def event(data: str, name: str | None = None) -> bytes:
    """Return one event as it is sent."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data}\n\n".encode()
