"""Writes the links of an archive as pages, so that they work from a folder, without a server."""

import html
import json
import os
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zddc import hashing
from zddc.archive.contents import path_on_disk
from zddc.archive.index import Index
from zddc.archive.resolution import resolve
from zddc.archive.tree import Entry
from zddc.errors import UserError
from zddc.times import format_time, utc_time

FOLDER, LIST_NAME = ".archive", "index.json"
_VERSION = 1
_LONGEST_NAME = 255


def write_links(root: Path, index: Index) -> tuple[int, list[str]]:
    """Write ``.archive`` below the root: a page for each document, revision and known hash, and a list of all files.

    A page leads to what :func:`zddc.archive.resolution.resolve` finds, or to the zip that this is in. The folder that
    was there is replaced as a whole. Returns the number of pages, and a line for each link that is too long for the
    name of a page and each list of hashes that cannot be read. Raises :class:`UserError` if the folder that is there is
    not one of ours.
    """
    target, new, old = (root / f"{FOLDER}{suffix}" for suffix in ("", ".new", ".old"))
    for folder in (target, new, old):
        if os.path.lexists(folder) and (folder.is_symlink() or not (folder / LIST_NAME).is_file()):
            raise UserError(folder, "not written by 'zddc index'", "move it away, and run the command again")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    # First, so that a folder that was left half written is known as ours.
    (new / LIST_NAME).write_text(_file_list(index), encoding="utf-8")
    hashes, left_out = hash_links(root, index)
    pages = 0
    for name, entry in chain(links(index), hashes.items()):
        page = page_name(name)
        if len(page) > _LONGEST_NAME:
            left_out.append(f"{name}: too long for the name of a page; it has none")
            continue
        (new / page).write_text(_page(entry.name, path_on_disk(root, entry)[0]), encoding="utf-8")
        pages += 1
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return pages, left_out


def links(index: Index) -> Iterator[tuple[str, Entry]]:
    """Yield the name of each link to a document and to each of its revisions, and the file that it leads to."""
    for document in index.documents():
        for stem in (
            document.tracking_number,
            *(f"{document.tracking_number}_{one.text}" for one in document.revisions),
        ):
            if entry := resolve(index, f"{stem}.html"):
                yield f"{stem}.html", entry


def hash_links(root: Path, index: Index) -> tuple[dict[str, Entry], list[str]]:
    """Return the file of the link of each SHA-256 in a list of the archive, and a line for each list that is none.

    Of equal files it is the first by path. A list says what a file was; whether it still is so, ``zddc verify`` tells.
    """
    files = {entry.path: entry for entry in index.entries()}
    found: dict[str, Entry] = {}
    problems = []
    for path in [path for path in files if path.rpartition("/")[2] == hashing.LIST_NAME]:
        if path_on_disk(root, files[path])[1]:
            continue  # in a zip, which is hashed as a whole
        try:
            listed = hashing.read_list(root / path)
        except UserError as error:
            problems.append(str(error))
            continue
        for one in listed:
            if entry := files.get(path.removesuffix(hashing.LIST_NAME) + one.path):
                first = found.setdefault(f"{one.sha256}.html", entry)
                found[f"{one.sha256}.html"] = min(first, entry, key=lambda entry: entry.path)
    return found, problems


def page_name(link: str) -> str:
    """Return the file name of a link's page: no two links share one, and letters, digits and ``._~+-`` stay."""
    return quote(link, safe="+")


def _page(name: str, path: str) -> str:
    title, address = html.escape(name), html.escape(f"../{quote(path)}")
    return (
        f'<!doctype html>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta http-equiv="refresh" content="0; url={address}">\n<p><a href="{address}">{title}</a></p>\n'
    )


def _file_list(index: Index) -> str:
    files: list[dict[str, Any]] = [
        {"path": entry.path, "size": entry.size, "mod_time": format_time(utc_time(entry.mtime_ns))}
        for entry in index.entries()
    ]
    lines = ",\n".join(json.dumps(file, ensure_ascii=False) for file in files)
    return f'{{"version": {_VERSION}, "files": [\n{lines}\n]}}\n'
