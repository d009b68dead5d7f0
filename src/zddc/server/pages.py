"""Answers with the pages of ZDDC: at ``/_tools/``, in every folder, and in the place of a listing for a browser."""

import functools
import html
import json
import zlib
from typing import Any

from zddc import tools
from zddc.access.decide import Chain
from zddc.access.policy import Policy
from zddc.archive.index import Index
from zddc.server.answer import EVERYWHERE, REVALIDATED, Answer, Request, answer_text, page_headers
from zddc.server.answers import disposition
from zddc.server.conditions import Validators, status_of_conditions
from zddc.server.listing import (
    STYLE_SOURCE,
    accepts_gzip,
    answer_either,
    answer_listing,
    format_page,
    format_table,
    prefers_json,
    rows_of,
)
from zddc.server.projects import find_projects
from zddc.tools import ToolPage
from zddc.visible import visible

FOLDER = "_tools"
PROJECTS = "projects"

# A page knows by it that a server of ours is there, and asks it who is asking.
_MARK = ("server-timing", "zddc")


def answer_tools(request: Request) -> Answer | None:
    """Answer what is asked below ``/_tools``: the list of the pages, or one of them; None is for what looks absent."""
    names, is_folder = request.path
    if len(names) == 1:
        if not is_folder:
            return answer_text(301, "it is there", (("location", f"/{FOLDER}/"),))
        found = [_as_object(page) for page in tools.read_pages().values()]
        return answer_either(request, [json.dumps(found).encode()], format_page("Tools", _table(found)))
    return answer_page(request) if len(names) == 2 else None


def answer_page(request: Request) -> Answer | None:
    """Answer with the page that the last name of a path means, and None where it means none."""
    names, is_folder = request.path
    page = tools.read_pages().get(names[-1].removesuffix(".html")) if names and names[-1].endswith(".html") else None
    if page is None or is_folder:
        return None
    gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{page.sha256}{"-gzip" * gzip}"'
    headers = [*headers_of(page), REVALIDATED, ("etag", tag), ("vary", "accept-encoding")]
    if failed := status_of_conditions(request, Validators(tag)):
        return Answer(failed, headers)
    body = _compress(page) if gzip else page.content
    headers += [("content-encoding", "gzip")] if gzip else []
    is_shown = "download" not in request.query
    headers.append(("content-disposition", disposition(page.file_name, is_shown=is_shown)))
    headers += [("content-type", "text/html; charset=utf-8"), ("content-length", str(len(body)))]
    return Answer(200, headers, b"" if request.method == "HEAD" else body)


def answer_root(request: Request, index: Index | None, policy: Policy) -> Answer | None:
    """Answer what everybody may ask of the root, also without a right to read it, and None for all else.

    A browser gets the page of projects. ``?projects``, for JSON, has what is there for the person, and only of those
    named in ``?projects=a,b``; ``index`` is None while that cannot be known yet.
    """
    if prefers_json(request.headers.get("accept", "")):
        if PROJECTS not in request.query:
            return None
        if index is None:
            return answer_text(503, "the archive is being read; come back soon", (("retry-after", "2"),))
        wanted = [name for name in request.query[PROJECTS].split(",") if name]
        found = [one.as_object() for one in find_projects(index, policy, request.email, wanted)]
        return answer_either(request, [json.dumps(found, ensure_ascii=False).encode()], b"")
    page = tools.read_pages().get("landing")
    if page is None or not _wants_page(request.headers.get("accept", "")) or set(request.query) - {PROJECTS}:
        return None
    return _answer_in_place(request, page, page.content)


def answer_folder(request: Request, folder: int, chain: Chain, policy: Policy) -> Answer:
    """Answer with what somebody may open in an open folder, as :func:`answer_listing` does.

    A browser gets the page of the archive, which asks for the listing; without script it shows one, if that is short.
    """
    page = tools.read_pages().get("archive")
    if page is None or not _wants_page(request.headers.get("accept", "")):
        return answer_listing(request, folder, chain, policy)
    rows = list(rows_of(folder, chain, policy, request.email))
    return _answer_in_place(request, page, page.with_content(format_table(request.path.names, rows)))


def headers_of(page: ToolPage) -> list[tuple[str, str]]:
    """Return the headers that a page has: its own policy, and that no other page may put it into a frame."""
    policy = ("content-security-policy", f"{page.policy}; frame-ancestors 'none'")
    return [*EVERYWHERE, policy, ("cross-origin-opener-policy", "same-origin"), _MARK]


def answer_absent(accept: str, email: str | None) -> Answer:
    """Answer about what is not there, or is not for somebody, which looks the same; a browser gets a way to go on."""
    if not _wants_page(accept):
        return answer_text(404, "not found")
    who = f"You are signed in as {html.escape(visible(email))}." if email else "You are not signed in."
    said = f'<p>Nothing of this name is here, or it is not for you.\n<p>{who} <a href="/">Start page</a>\n'
    body = format_page("Not found", said)
    own = [("content-type", "text/html; charset=utf-8"), ("content-length", str(len(body)))]
    return Answer(404, [*own, *page_headers(STYLE_SOURCE), ("cache-control", "no-store")], body)


def _wants_page(accept: str) -> bool:
    return "text/html" in accept.lower() and not prefers_json(accept)


def _answer_in_place(request: Request, page: ToolPage, content: bytes) -> Answer:
    return answer_either(request, [], content, headers_of_page=headers_of(page))


@functools.lru_cache(maxsize=len(tools.PAGES))
def _compress(page: ToolPage) -> bytes:
    compressor = zlib.compressobj(9, wbits=31)
    return compressor.compress(page.content) + compressor.flush()


def _as_object(page: ToolPage) -> dict[str, Any]:
    return {
        "name": page.file_name,
        "url": f"./{page.file_name}",
        "size": len(page.content),
        "sha256": page.sha256,
        "code_sha256": page.code_sha256,
    }


def _table(found: list[dict[str, Any]]) -> str:
    lines = [
        f'<tr><td><a href="{one["url"]}">{one["name"]}</a><td><a href="{one["url"]}?download">download</a>'
        f"<td class=n>{one['size']:,}<td>{one['sha256']}\n"
        for one in found
    ]
    head = "<thead><tr><th>Page<th>For offline<th class=n>Bytes<th>SHA-256\n"
    return f"<table>\n{head}<tbody>\n{''.join(lines)}</table>\n"
