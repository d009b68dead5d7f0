"""Answers with what is in a folder: as JSON with the keys that Caddy's listings have, or as a page without script."""

import base64
import hashlib
import html
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from zddc.access.decide import Chain, decide
from zddc.access.policy import Policy
from zddc.server.answer import REVALIDATED, Answer, Request, page_headers
from zddc.server.answers import format_tag
from zddc.server.conditions import Validators, status_of_conditions
from zddc.server.paths import is_servable
from zddc.times import utc_time
from zddc.visible import visible

_MOST_ROWS = 2000  # of a page
_SMALL = 1024  # bytes; less is not worth compressing
_AT_ONCE = 1000  # rows
_FOLDER_MODE = 1 << 31  # as Go writes a folder's mode, and Caddy with it
_IN_A_PATH = "!$&'()*+,;=:@"
_ONLY_BLANKS = re.compile(rf"[A-Za-z0-9_.~ {re.escape(_IN_A_PATH)}-]*")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}table{width:100%;"
    "border-collapse:collapse}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #8884}"
    "td:nth-child(n+2){white-space:nowrap}td:nth-child(2){text-align:right}"
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


def answer_rows(request: Request, rows: Sequence[Row], headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """Answer with the lines of a listing, in the order given, as JSON or as a page, whichever is asked for."""
    names = request.path.names
    is_page = not prefers_json(request.headers.get("accept", ""))
    page = format_page(names[-1] if names else "Archive", _table(names, rows)) if is_page else b""
    return answer_either(request, _json(rows), page, headers)


def answer_either(
    request: Request, as_json: Iterable[bytes], page: bytes, headers: Iterable[tuple[str, str]] = ()
) -> Answer:
    """Answer with JSON or with a page of :func:`format_page`, whichever is asked for."""
    if prefers_json(request.headers.get("accept", "")):
        pieces, kind, own = iter(as_json), "application/json", page_headers()
    else:
        pieces, kind, own = iter([page]), "text/html; charset=utf-8", page_headers(STYLE_SOURCE)
    tag, body, encoding = _encode(pieces, accepts_gzip(request.headers.get("accept-encoding", "")))
    own += [*headers, REVALIDATED, ("vary", "accept, accept-encoding"), ("etag", tag)]
    if failed := status_of_conditions(request, Validators(tag)):
        return Answer(failed, own)
    own += [("content-type", kind), ("content-length", str(len(body))), *encoding]
    return Answer(200, own, b"" if request.method == "HEAD" else body)


def rows_of(folder: int, chain: Chain, policy: Policy, email: str | None) -> list[Row]:
    """Return what somebody may open in an open folder, in the order of the names' code points."""
    rows = []
    with os.scandir(folder) as found:
        for entry in found:
            if not is_servable(entry.name):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # removed meanwhile
                continue
            if stat.S_ISREG(status.st_mode):
                rows.append(Row(entry.name, status.st_size, status.st_mtime_ns, False, status.st_mode & 0o777))
            elif stat.S_ISDIR(status.st_mode) and _may_enter(folder, chain, policy, email, entry.name):
                rows.append(Row(entry.name, 0, status.st_mtime_ns, True, status.st_mode & 0o777))
    rows.sort(key=itemgetter(0))
    return rows


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


def _json(rows: Sequence[Row]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    yield b"["
    for start in range(0, len(rows), _AT_ONCE):
        some = encoder.encode([_as_object(row) for row in rows[start : start + _AT_ONCE]])
        yield (b"," if start else b"") + some[1:-1]
    yield b"]"


class _Line(msgspec.Struct):
    """A line as JSON: the keys of Caddy's listings."""

    name: str
    size: int
    url: str
    mod_time: datetime
    mode: int
    is_dir: bool
    is_symlink: bool = False


def _as_object(row: Row) -> _Line:
    name = f"{row.name}/" if row.is_folder else row.name
    mode = row.mode | _FOLDER_MODE if row.is_folder else row.mode
    return _Line(name, row.size, url_of(name), utc_time(row.mtime_ns), mode, row.is_folder)


def url_of(name: str) -> str:
    """Return the address of a name, relative to the folder that it is in."""
    if _ONLY_BLANKS.fullmatch(name):
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


def _table(names: Sequence[str], rows: Sequence[Row]) -> str:
    up = '<tr><td><a href="../">..</a><td><td>\n' if names else ""
    lines = [
        f'<tr><td><a href="{html.escape(url_of(row.name + "/" * row.is_folder))}">'
        f"{html.escape(visible(row.name))}{'/' * row.is_folder}</a>"
        f"<td>{'' if row.is_folder else f'{row.size:,}'}<td>{utc_time(row.mtime_ns):%Y-%m-%d %H:%M}\n"
        for row in rows[:_MOST_ROWS]
    ]
    more = f"<p>{len(rows):,} names; the first {_MOST_ROWS:,} are shown.\n" if len(rows) > _MOST_ROWS else ""
    head = "<thead><tr><th>Name<th>Bytes<th>Changed (UTC)\n"
    return f"{more}<table>\n{head}<tbody>\n{up}{''.join(lines)}</table>\n"


def _encode(pieces: Iterator[bytes], gzip: bool) -> tuple[str, bytes, list[tuple[str, str]]]:
    """Return the tag of a content, which is weak, as it is the same however encoded, the bytes to send, and a header.

    Of what is compressed, no more than a piece is in memory otherwise.
    """
    digest, compressed, plain, size = hashlib.blake2b(digest_size=15), [], [], 0
    compressor = zlib.compressobj(1, wbits=31) if gzip else None
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        if compressor:
            compressed.append(compressor.compress(piece))
        if not compressor or size < _SMALL:
            plain.append(piece)
    tag = f"W/{format_tag(digest.digest())}"
    if compressor and size >= _SMALL:
        return tag, b"".join([*compressed, compressor.flush()]), [("content-encoding", "gzip")]
    return tag, b"".join(plain), []
