"""A compressed body is what it was before, in pieces of any size, and never larger than memory."""

import gzip
import zlib

import pytest

from weakspot.gateway import content_encoding
from weakspot.gateway.content_encoding import ContentDecoder, EncodingError, plain_body

TEXT = b'data: {"a": "b"}\n\n' * 500
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
BODIES = {
    "gzip": gzip.compress(TEXT),
    "X-GZip ": gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]),
    "deflate": zlib.compress(TEXT),
    "Deflate": RAW.compress(TEXT) + RAW.flush(),
    "": TEXT,
    "identity": TEXT,
    "none": TEXT,
}


@pytest.mark.parametrize("encoding", BODIES)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_body_is_decoded(encoding, size):
    data, decoder = BODIES[encoding], ContentDecoder(encoding)
    assert b"".join(decoder.feed(data[n : n + size]) for n in range(0, len(data), size)) == TEXT
    assert plain_body(data, encoding) == TEXT


def test_what_came_is_given_at_once():
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    decoder = ContentDecoder("gzip")
    for _ in range(3):
        assert decoder.feed(packer.compress(b"event") + packer.flush(zlib.Z_SYNC_FLUSH)) == b"event"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br"])
def test_an_encoding_that_nobody_asked_for_is_named(encoding):
    with pytest.raises(EncodingError, match=f"compressed as {encoding}"):
        plain_body(TEXT, encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_not_compressed_is_an_error(encoding):
    with pytest.raises(EncodingError, match=f"the answer is not {encoding}"):
        plain_body(b"\xffno such thing", encoding)


def test_a_bomb_is_an_error(monkeypatch):
    monkeypatch.setattr(content_encoding, "MOST_BYTES", 5000)
    bomb = gzip.compress(bytes(1_000_000))
    with pytest.raises(EncodingError, match="larger than 5000 bytes"):
        plain_body(bomb, "gzip")
    decoder = ContentDecoder("gzip")
    assert decoder.feed(gzip.compress(bytes(5000))) == bytes(5000)
    with pytest.raises(EncodingError, match="larger"):
        decoder.feed(gzip.compress(b"a"))
