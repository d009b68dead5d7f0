"""Answers with every file below a folder that somebody may read, from the index: one JSON object a line."""

import os
import stat
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from zddc.access.decide import Chain, decide
from zddc.access.policy import Policy
from zddc.archive.index import Index
from zddc.archive.tree import Listing, is_zip_transmittal
from zddc.server.answer import REVALIDATED, Answer, Pieces, Request, page_headers
from zddc.server.listing import accepts_gzip, json_text
from zddc.server.paths import is_servable
from zddc.times import format_mtime

_AT_ONCE = 2000  # lines


def answer_recursive(request: Request, index: Index, policy: Policy) -> Answer:
    """Answer with the readable files below the folder of a request, whose rules have let the person in.

    A line has ``path``, relative to that folder, ``name``, ``size`` and ``mod_time``. A folder that is closed is passed
    over, and one below it that is open is not. The files of a zipped transmittal are among them.
    """
    gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
    headers = [*page_headers(), REVALIDATED, ("content-type", "application/x-ndjson"), ("vary", "accept-encoding")]
    headers += [("content-encoding", "gzip")] if gzip else []
    if request.method == "HEAD":
        return Answer(200, headers)
    pieces = _encode(lines(index, policy, request.path.names, request.email), gzip)
    return Answer(200, headers, Pieces(pieces, pieces.close))


def lines(index: Index, policy: Policy, names: Sequence[str], email: str | None) -> Iterator[str]:
    """Yield a line of JSON for each readable file below a folder, in the order of folders and names."""
    path = "/".join(names)
    start = len(path) + 1 if path else 0
    for listing in readable_listings(index.listings_below(path), policy, names, email):
        folder, before, is_named = None, "", False
        for entry in listing.entries:
            if entry.folder != folder:  # in a zip there may be more than one
                folder = entry.folder
                before = json_text(f"{folder[start:]}/") if folder[start:] else ""
                is_named = all(map(is_servable, folder[len(listing.path) :].split("/")[1:]))
            if is_named and is_servable(entry.name):
                name = json_text(entry.name)
                yield (
                    f'{{"path":"{before}{name}","name":"{name}","size":{entry.size},'
                    f'"mod_time":"{format_mtime(entry.mtime_ns)}"}}\n'
                )


def readable_listings(
    listings: Sequence[Listing], policy: Policy, names: Sequence[str], email: str | None
) -> Iterator[Listing]:
    """Yield those listings of folders, each before those below, that somebody may read.

    ``names`` are those of the first folder's path, in which all others are.
    Each folder is opened below the one that it is in, so that nothing behind a link is told of.
    """
    above: list[tuple[str, int, Chain]] = []
    try:
        for listing in listings:
            while above and not f"{listing.path}/".startswith(above[-1][0]):
                os.close(above.pop()[1])
            depth = len(names) + len(above)
            parts = listing.path.split("/") if listing.path else []
            if above and (len(parts) > depth or not is_servable(parts[-1])):
                continue  # in a folder that could not be opened
            with suppress(OSError):
                if not above:
                    with policy.open_folder(parts) as (folder, chain):
                        opened: tuple[int, Chain] = os.dup(folder), chain
                elif is_zip_transmittal(parts[-1]) and _is_file(above[-1][1], parts[-1]):
                    if decide(above[-1][2], email, "r").allowed:
                        yield listing
                    continue
                else:
                    opened = policy.enter(*above[-1][1:], parts[-1])
                above.append((f"{listing.path}/" if listing.path else "", *opened))
                if decide(opened[1], email, "r").allowed:
                    yield listing
    finally:
        for _, folder, _ in above:
            os.close(folder)


def _is_file(folder: int, name: str) -> bool:
    return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _encode(found: Iterator[str], gzip: bool) -> Generator[bytes, None, None]:
    compressor = zlib.compressobj(1, wbits=31) if gzip else None
    while data := "".join(islice(found, _AT_ONCE)).encode():
        yield compressor.compress(data) if compressor else data
    yield compressor.flush() if compressor else b""
