"""Decodes bodies of the local model's server that are compressed, though they were asked for as they are."""

import zlib
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import ClientResponse

# A small body can become very large: none of an answer's size does.
MOST_BYTES = 256 * 1024 * 1024
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_PLAIN = ("", "identity", "none")


class EncodingError(ValueError):
    """A body that cannot be decoded, in one line."""


class ContentDecoder:
    """Decodes a body in pieces: gzip, deflate with or without a header, or none."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        if self._encoding not in (*_PLAIN, "gzip", "x-gzip", "deflate"):
            raise EncodingError(f"the answer is compressed as {self._encoding}, which was not asked for")
        is_plain = self._encoding in _PLAIN
        self._decode: Callable[[bytes], bytes] = bytes if is_plain else self._inflate
        self._inflater = None if is_plain or self._encoding == "deflate" else zlib.decompressobj(_GZIP)
        self._left = MOST_BYTES

    def feed(self, data: bytes) -> bytes:
        """Return what ``data`` decodes to; raise :class:`EncodingError` where it cannot be decoded."""
        try:
            return self._decode(data)
        except zlib.error as error:
            raise EncodingError(f"the answer is not {self._encoding}: {error}") from None

    def _inflate(self, data: bytes) -> bytes:
        found = bytearray()
        while data:
            if self._inflater is None:
                # Some servers leave out the header, of which each has the same low bits.
                self._inflater = zlib.decompressobj(_ZLIB if data[0] & 0x0F == zlib.DEFLATED else _RAW)
            found += self._inflater.decompress(data, self._left + 1 - len(found))
            if len(found) > self._left:
                raise EncodingError(f"the answer is larger than {MOST_BYTES} bytes")
            data = self._inflater.unused_data
            if self._inflater.eof:
                self._inflater = zlib.decompressobj(_GZIP)  # a body may be several, one behind the other
        self._left -= len(found)
        return bytes(found)


def plain_body(data: bytes, encoding: str) -> bytes:
    """Return a whole body as it was before it was compressed; raise :class:`EncodingError` where it cannot be."""
    return ContentDecoder(encoding).feed(data)


async def read_pieces(answer: "ClientResponse") -> AsyncGenerator[bytes]:
    """Yield the decoded body of an answer as it comes; raise :class:`EncodingError` where it cannot be decoded."""
    decoder = ContentDecoder(answer.headers.get("Content-Encoding", ""))
    async for data in answer.content.iter_any():
        yield decoder.feed(data)


async def read_body(answer: "ClientResponse") -> bytes:
    """Return the whole decoded body of an answer; raise :class:`EncodingError` where it cannot be decoded."""
    return plain_body(await answer.read(), answer.headers.get("Content-Encoding", ""))
