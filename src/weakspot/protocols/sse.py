"""Server-sent events: decodes them from bytes in pieces of any size, and encodes one event."""

import codecs
import re
from collections.abc import Iterator

_LINE_END = re.compile(r"\r\n|\n|\r")


class Decoder:
    """Reads a stream of events; https://html.spec.whatwg.org/multipage/server-sent-events.html."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._line: list[str] = []
        self._data: list[str] = []
        self._after_cr = False

    def feed(self, data: bytes, *, last: bool = False) -> Iterator[str]:
        """Yield the data of each complete event; with ``last`` also of an event without an end."""
        text = self._utf8.decode(data, final=last)
        if text:
            # A CR has already ended its line: the LF of a CR LF split between two pieces ends no other.
            after_cr, self._after_cr = self._after_cr, text.endswith("\r")
            *ended, rest = _LINE_END.split(text.removeprefix("\n") if after_cr else text)
            for end in ended:
                yield from self._end_line(end)
            self._line.append(rest)
        if last:
            yield from self._end_line("")
            yield from self._end_line("")

    def _end_line(self, end: str) -> Iterator[str]:
        line = "".join([*self._line, end])
        self._line.clear()
        name, _, value = line.partition(":")
        # Older servers of llama.cpp report an error in a field of that name.
        if name in ("data", "error"):
            self._data.append(value.removeprefix(" "))
        elif not line and self._data:
            yield "\n".join(self._data)
            self._data.clear()


def event(data: str, name: str | None = None) -> bytes:
    """Return one event as bytes to send."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data}\n\n".encode()
