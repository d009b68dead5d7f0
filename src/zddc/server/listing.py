"""Answers with what is in a folder: as JSON with the keys that Caddy's listings have, or as a page without script."""

import base64
import hashlib
import html
import itertools
import os
import re
import stat
import string
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from zddc.access.decide import Chain, decide
from zddc.access.policy import Policy
from zddc.server.answer import REVALIDATED, Answer, Request, page_headers
from zddc.server.answers import format_tag
from zddc.server.conditions import Validators, status_of_conditions
from zddc.server.paths import servable
from zddc.times import format_mtime, utc_time
from zddc.visible import visible

_MOST_ROWS = 2000  # of a page
_SMALL = 1024  # bytes; less is not worth compressing
_LARGE = 64 * 1024  # bytes; less is compressed before a thread has begun
_AT_ONCE = 2000  # rows
_FOLDER_MODE = 1 << 31  # as Go writes a folder's mode, and Caddy with it
_IN_A_PATH = "!$&'()*+,;=:@"
# What stands for itself in JSON, and in an address but for the blank. To take it out of bytes is quicker than a
# regular expression.
_PLAIN = f"{string.ascii_letters}{string.digits}_.~ {_IN_A_PATH}-".encode()
_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;"
    "padding:0 1rem}table{width:100%;border-collapse:collapse}th,td{text-align:left;padding:.25rem .5rem;"
    "border-bottom:1px solid #8884;vertical-align:top}td{overflow-wrap:anywhere}.n{text-align:right;"
    "font-variant-numeric:tabular-nums}th,.n,.t{white-space:nowrap}"
)
STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"


class Row(NamedTuple):
    """A line of a listing: a file, or a folder, whose name is without a slash; ``mode`` is that of its permissions."""

    name: str
    size: int
    mtime_ns: int
    is_folder: bool = False
    mode: int = 0o444


def answer_listing(request: Request, folder: int, chain: Chain, policy: Policy) -> Answer:
    """Answer with what somebody may open in an open folder, which stays open; raises OSError where it cannot be read.

    ``chain`` are the rules that the folder itself is judged by, and have let the person in.
    """
    return answer_rows(request, rows_of(folder, chain, policy, request.email))


def answer_rows(request: Request, rows: Iterable[Row], headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """Answer with the lines of a listing, in the order given, as JSON or as a page, whichever is asked for."""
    if prefers_json(request.headers.get("accept", "")):
        return answer_either(request, _json(rows), b"", headers)
    names = request.path.names
    page = format_page(names[-1] if names else "Archive", format_table(names, list(rows)))
    return answer_either(request, [], page, headers)


def answer_either(
    request: Request,
    as_json: Iterable[bytes],
    page: bytes,
    headers: Iterable[tuple[str, str]] = (),
    headers_of_page: Sequence[tuple[str, str]] | None = None,
) -> Answer:
    """Answer with JSON or with a page, whichever is asked for: one of :func:`format_page`, or one with own headers."""
    if prefers_json(request.headers.get("accept", "")):
        pieces, kind, own = iter(as_json), "application/json", page_headers()
    else:
        pieces, kind, own = (
            iter([page]),
            "text/html; charset=utf-8",
            list(headers_of_page or page_headers(STYLE_SOURCE)),
        )
    tag, body, encoding = _encode(pieces, accepts_gzip(request.headers.get("accept-encoding", "")))
    own += [*headers, REVALIDATED, ("vary", "accept, accept-encoding"), ("etag", tag)]
    if failed := status_of_conditions(request, Validators(tag)):
        return Answer(failed, own)
    own += [("content-type", kind), ("content-length", str(len(body))), *encoding]
    return Answer(200, own, b"" if request.method == "HEAD" else body)


def rows_of(folder: int, chain: Chain, policy: Policy, email: str | None) -> Iterator[Row]:
    """Yield what somebody may open in an open folder, in the order of the names' code points.

    The folder is read before the first line comes, and has to stay open until the last one.
    """
    # Sorted names first, and one status after the other, is a fifth quicker than what os.scandir keeps of each.
    for name in sorted(servable(os.listdir(folder))):
        try:
            status = os.lstat(name, dir_fd=folder)
        except FileNotFoundError:  # removed meanwhile
            continue
        mode = status.st_mode
        if stat.S_ISREG(mode):
            yield Row(name, status.st_size, status.st_mtime_ns, False, mode & 0o777)
        elif stat.S_ISDIR(mode) and _may_enter(folder, chain, policy, email, name):
            yield Row(name, 0, status.st_mtime_ns, True, mode & 0o777)


def open_below(folder: int, chain: Chain, policy: Policy, email: str | None, name: str) -> tuple[int, Chain] | None:
    """Open a folder in an open folder, with its rules; None where it is not there or somebody may not read it."""
    try:
        below, longer = policy.enter(folder, chain, name)
    except OSError:
        return None
    if decide(longer, email, "r").allowed:
        return below, longer
    os.close(below)
    return None


def prefers_json(accept: str) -> bool:
    """Return whether an ``Accept`` header names JSON, and no page that it would rather have."""
    weights = _weights(accept)
    return weights.get("application/json", 0) > 0 and weights["application/json"] >= weights.get("text/html", 0)


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an ``Accept-Encoding`` header allows gzip."""
    weights = _weights(accept_encoding)
    return weights.get("gzip", weights.get("*", 0)) > 0


def _weights(field: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for item in field.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[name] = float(quality) if re.fullmatch(r"[01](\.[0-9]{0,3})?", quality) else 0
    return weights


def _may_enter(folder: int, chain: Chain, policy: Policy, email: str | None, name: str) -> bool:
    if opened := open_below(folder, chain, policy, email, name):
        os.close(opened[0])
    return opened is not None


def _json(rows: Iterable[Row]) -> Iterator[bytes]:
    left, before = iter(rows), b"["
    while some := list(itertools.islice(left, _AT_ONCE)):
        are_plain = _is_plain("".join(map(itemgetter(0), some)))
        yield before + ",".join([_as_json(row, are_plain or _is_plain(row.name)) for row in some]).encode()
        before = b","
    yield b"]" if before == b"," else b"[]"


def _as_json(row: Row, is_plain: bool) -> str:
    """Return a line as JSON: the keys of Caddy's listings."""
    name, size, mtime_ns, is_folder, mode = row
    if is_plain:
        text, url = name, name.replace(" ", "%20")
    else:
        text, url = json_text(name), url_of(name)[2:]
    slash, kind, mode = ("/", "true", mode | _FOLDER_MODE) if is_folder else ("", "false", mode)
    return (
        f'{{"name":"{text}{slash}","size":{size},"url":"./{url}{slash}","mod_time":"{format_mtime(mtime_ns)}",'
        f'"mode":{mode},"is_dir":{kind},"is_symlink":false}}'
    )


def _is_plain(text: str) -> bool:
    return not text.encode().translate(None, _PLAIN)


def json_text(text: str) -> str:
    """Return a text as it stands between the quotation marks of JSON."""
    return text if _is_plain(text) else msgspec.json.encode(text).decode()[1:-1]


def url_of(name: str) -> str:
    """Return the address of a name, relative to the folder that it is in."""
    if _is_plain(name):
        return f"./{name.replace(' ', '%20')}"
    return f"./{quote(name, safe=f'{_IN_A_PATH}/')}"


def format_page(title: str, content: str) -> bytes:
    """Return a page without script, of a title and of HTML that is to stand below it."""
    title = html.escape(visible(title))
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{title}</h1>\n{content}"
    ).encode()


def format_table(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the first lines of a listing as HTML; ``names`` are those of the folder's path."""
    up = '<tr><td><a href="../">..</a><td><td>\n' if names else ""
    lines = [
        f'<tr><td><a href="{html.escape(url_of(row.name + "/" * row.is_folder))}">'
        f"{html.escape(visible(row.name))}{'/' * row.is_folder}</a>"
        f"<td class=n>{'' if row.is_folder else f'{row.size:,}'}<td class=t>{utc_time(row.mtime_ns):%Y-%m-%d %H:%M}\n"
        for row in rows[:_MOST_ROWS]
    ]
    more = f"<p>{len(rows):,} names; the first {_MOST_ROWS:,} are shown.\n" if len(rows) > _MOST_ROWS else ""
    head = "<thead><tr><th>Name<th class=n>Bytes<th>Changed (UTC)\n"
    return f"{more}<table>\n{head}<tbody>\n{up}{''.join(lines)}</table>\n"


def _encode(pieces: Iterable[bytes], gzip: bool) -> tuple[str, bytes, list[tuple[str, str]]]:
    """Return the tag of a content, which is weak, as it is the same however encoded, the bytes to send, and a header.

    Of what is compressed, no more than some pieces are in memory otherwise. A second thread compresses one piece while
    the next is made.
    """
    encoding = _Encoding(gzip)
    with ThreadPoolExecutor(1, "compressing") as beside:
        under_way: list[Future[None]] = []
        for piece in pieces:
            while under_way:
                under_way.pop().result()
            if len(piece) < _LARGE:
                encoding.add(piece)
            else:
                under_way.append(beside.submit(encoding.add, piece))
        for one in under_way:
            one.result()
    return encoding.end()


class _Encoding:
    """Makes the tag of a content and what is sent of it, piece by piece."""

    def __init__(self, gzip: bool) -> None:
        self._digest, self._size = hashlib.blake2b(digest_size=15), 0
        self._compressor = zlib.compressobj(1, wbits=31) if gzip else None
        self._compressed: list[bytes] = []
        self._plain: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Add a piece."""
        self._digest.update(piece)
        self._size += len(piece)
        if self._compressor:
            self._compressed.append(self._compressor.compress(piece))
        if not self._compressor or self._size < _SMALL:
            self._plain.append(piece)

    def end(self) -> tuple[str, bytes, list[tuple[str, str]]]:
        """Return the tag, the bytes to send, and the headers that say how they are encoded."""
        tag = f"W/{format_tag(self._digest.digest())}"
        if self._compressor and self._size >= _SMALL:
            return tag, b"".join([*self._compressed, self._compressor.flush()]), [("content-encoding", "gzip")]
        return tag, b"".join(self._plain), []
