"""Finds what is asked below a folder ``.archive``, which is on no disk: links to documents, as they are current now."""

import html
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from zddc.access.decide import decide
from zddc.access.policy import Policy
from zddc.archive.contents import path_on_disk
from zddc.archive.index import Copy, Document, Index, Revision
from zddc.archive.links import FOLDER
from zddc.archive.resolution import Link, choose, resolve
from zddc.archive.tree import Entry
from zddc.revision import revision_key
from zddc.server.answer import Answer, Request, answer_text
from zddc.server.hash_links import HashLinks
from zddc.server.listing import Row, answer_either, answer_rows, format_page
from zddc.server.paths import is_servable
from zddc.times import format_time, utc_time
from zddc.visible import visible


def answer_archive(
    request: Request, index: Index, policy: Policy, root: Path, hashes: HashLinks
) -> Answer | tuple[str, ...] | None:
    """Answer what is asked below ``.archive``, a name of the request's path; None is for what looks absent.

    Names are those of the file that a link means, from the root on and on into a zip: that is answered in the place of
    the link, with its :func:`location` in ``content-location``.
    ``/<project>/.archive/`` has the links to the project's documents, ``<number>/`` all revisions of one, and
    ``<sha256>.html`` is the file of that SHA-256, where a list names it. The same in
    the root is for all projects, and below a folder of a project it leads to the project's. Whoever may read no copy of
    what a link means gets nothing, and never an older revision.
    """
    names, is_folder = request.path
    at = names.index(FOLDER)
    above, below = names[:at], names[at + 1 :]
    if len(above) > 1 or not (below or is_folder):
        return _redirect(request, (*above[:1], FOLDER, *below), is_folder or not below)
    project, reader = "".join(above), Reader(policy, root, request.email)
    if not below:
        rows = sorted(links(index, project, reader))
        return answer_rows(request, rows) if rows else None
    if len(below) > 1:
        return None
    if not is_folder:
        entry = resolve(index, below[0], project=project, may_read=reader.may_open)
        entry = entry or hashes.find(below[0], index, project, reader.may_open)
        if entry:
            return tuple(entry.path.split("/"))
    document = index.document(below[0], project)
    revisions = readable_revisions(document, reader) if document else []
    if not document or not revisions:
        return None
    return _answer_document(request, document, revisions) if is_folder else _redirect(request, names, True)


class Reader:
    """What the person of an address may read, None without one; each folder is judged once."""

    def __init__(self, policy: Policy, root: Path, email: str | None) -> None:
        self._policy, self._root, self._email = policy, root, email
        self._folders: dict[str, bool] = {}

    def may_enter(self, entry: Entry) -> bool:
        """Whether the folder of a file, or of the zip that it is in, is open to the person."""
        if entry.folder not in self._folders:
            path, member = path_on_disk(self._root, entry)
            self._folders[entry.folder] = self._may_open(path if member else entry.folder)
        return self._folders[entry.folder]

    def may_open(self, entry: Entry) -> bool:
        """Whether the person may read a file, and it, or the zip that it is in, is there now."""
        return self._folders.get(entry.folder, True) and self._may_open(path_on_disk(self._root, entry)[0])

    def _may_open(self, path: str) -> bool:
        try:
            return decide(self._policy.chain_of(path.split("/") if path else ()), self._email, "r").allowed
        except OSError:
            return False


def links(index: Index, project: str, reader: Reader) -> Iterator[Row]:
    """Yield the links that somebody may open: to each document, and to each revision that may be built to."""
    for document in index.documents(project):
        number = document.tracking_number
        for revision in ("", *(one.text for one in document.revisions if one.is_final_base)):
            name = f"{number}{'_' * bool(revision)}{revision}.html"
            entry = choose(document, Link(number, revision, "html"), reader.may_enter)
            if entry and is_servable(name):
                yield Row(name, entry.size, entry.mtime_ns)


def readable_revisions(document: Document, reader: Reader) -> list[Revision]:
    """Return the revisions of a document with the copies that somebody may read."""
    found = (
        (one.text, tuple(copy for copy in one.copies if reader.may_open(copy.entry))) for one in document.revisions
    )
    return [Revision(text, copies) for text, copies in found if copies]


def location(names: Iterable[str], *, is_folder: bool = False, query: Mapping[str, str] | None = None) -> str:
    """Return the address of what has these names, from the root on."""
    path = "".join(f"/{quote(name, safe='')}" for name in names)
    return f"{path}{'/' * is_folder}{f'?{urlencode(query)}' if query else ''}"


def _answer_document(request: Request, document: Document, revisions: list[Revision]) -> Answer:
    current = revision_key(document.current.text) if document.current.is_final_base else None
    found = [
        {
            "revision": one.text,
            "is_current": one.is_final_base and revision_key(one.text) == current,
            "copies": [_as_object(copy, one) for copy in one.copies],
        }
        for one in revisions
    ]
    page = format_page(document.tracking_number, _table(found))
    return answer_either(request, [json.dumps(found, ensure_ascii=False).encode()], page)


def _as_object(copy: Copy, revision: Revision) -> dict[str, Any]:
    first = next(one for one in revision.copies if one.name.extension == copy.name.extension)
    return {
        "path": copy.entry.path,
        "url": location(copy.entry.path.split("/")),
        "status": copy.name.status,
        "title": copy.name.title,
        "extension": copy.name.extension,
        "size": copy.entry.size,
        "mod_time": format_time(utc_time(copy.entry.mtime_ns)),
        "date": copy.place.transmittal.date,
        "party": copy.place.party,
        "transmittal": copy.place.transmittal.tracking_number,
        "conflict": copy.entry.size != first.entry.size,
    }


def _table(revisions: list[dict[str, Any]]) -> str:
    lines = [
        f"<tr><td class=t>{html.escape(visible(revision['revision']))}{' (current)' * revision['is_current']}<td>"
        f'<a href="{html.escape(copy["url"])}">{html.escape(visible(copy["path"]))}</a>'
        f"<td class=t>{copy['date']}<td class=n>{copy['size']:,}{' differs from the first' * copy['conflict']}\n"
        for revision in revisions
        for copy in revision["copies"]
    ]
    head = "<thead><tr><th>Revision<th>File<th>Date<th class=n>Bytes\n"
    return f"<table>\n{head}<tbody>\n{''.join(lines)}</table>\n"


def _redirect(request: Request, names: tuple[str, ...], is_folder: bool) -> Answer:
    address = location(names, is_folder=is_folder, query=request.query)
    return answer_text(301, "it is there", (("location", address),))
