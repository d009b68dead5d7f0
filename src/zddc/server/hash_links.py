"""Finds the file of a SHA-256 that a list or a transmittal names, and makes sure that it still is that file."""

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from zddc import hashing
from zddc.archive.contents import open_entry, path_on_disk, sha256_of
from zddc.archive.index import Index
from zddc.archive.names import place_of
from zddc.archive.tree import Entry, Listing, join
from zddc.canonical import JsonError
from zddc.errors import UserError
from zddc.file_identity import identity
from zddc.transmittal.block import BlockError
from zddc.transmittal.data import LARGEST_PAGE, DataError, parse_transmittal

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_LINK = re.compile(r"([0-9a-f]{64})\.html")
_PAGES = (".html", ".htm")
_MOST_LISTS, _MOST_DIGESTS = 1 << 16, 1 << 12  # a list that was thrown away is read again for each link
_LARGEST_LIST = LARGEST_PAGE  # bytes


class HashLinks:
    """The files that an archive's lists ``SHA256SUMS`` name, and the HTML of its transmittals, by their SHA-256.

    Each of these is read once, and a file too, as long as they do not change. What lies in a folder named incoming
    counts for nothing, as nobody has checked it yet, and so do lists in a zip; transmittals in a zip do count.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lists: OrderedDict[Entry, dict[str, list[str]]] = OrderedDict()
        self._digests: OrderedDict[tuple[object, ...], str] = OrderedDict()
        self._keeping = threading.Lock()

    def find(self, name: str, index: Index, project: str, may_open: Callable[[Entry], bool]) -> Entry | None:
        """Return the first file, by path, that the name of a link means and somebody may open; None where none is.

        A file that has other bytes by now is none. With ``project``, only files in that folder and deeper count.
        """
        link = _LINK.fullmatch(name)
        if link is None:
            return None
        found = sorted(self._entries_of(link[1], index, project), key=lambda entry: entry.path)
        return next((entry for entry in found if may_open(entry) and self._digest(entry) == link[1]), None)

    def _entries_of(self, sha256: str, index: Index, project: str) -> Iterator[Entry]:
        for listing in index.listings_below(project):
            place = place_of(listing.path)
            if place.kind == "incoming":
                continue
            number = place.transmittal.tracking_number
            for entry in listing.entries:
                if entry.folder != listing.path:
                    continue
                is_page = number and entry.name.startswith(f"{number}_") and entry.name.lower().endswith(_PAGES)
                if is_page or entry.name == hashing.LIST_NAME:
                    for path in self._paths_of(entry).get(sha256, ()):
                        if one := _entry(index, join(listing.path, path)):
                            yield one

    def _paths_of(self, entry: Entry) -> dict[str, list[str]]:
        """Return the paths that a list or a transmittal has for each SHA-256; what cannot be read has none."""
        with self._keeping:
            if (known := self._lists.get(entry)) is not None:
                return known
        paths: dict[str, list[str]] = {}
        for sha256, path in self._hashes_in(entry) if entry.size <= _LARGEST_LIST else ():
            paths.setdefault(sha256, []).append(path)
        self._keep(self._lists, entry, paths, _MOST_LISTS)
        return paths

    def _hashes_in(self, entry: Entry) -> list[tuple[str, str]]:
        try:
            if entry.name == hashing.LIST_NAME:
                return [(one.sha256, one.path) for one in hashing.read_list(self._root / entry.path)]
            with open_entry(self._root, entry) as stream:
                transmittal = parse_transmittal(stream.read(_LARGEST_LIST).decode("utf-8-sig"))
        except (UserError, OSError, ValueError, JsonError, BlockError, DataError):
            return []
        return [(one.sha256, one.place) for one in transmittal.files if one.sha256 and one.place]

    def _digest(self, entry: Entry) -> str:
        """Return the SHA-256 of a file as it is now; empty where it cannot be read."""
        path, member = path_on_disk(self._root, entry)
        try:
            now = (*identity(os.lstat(self._root / path)), member)
            with self._keeping:
                if known := self._digests.get(now):
                    return known
            digest = sha256_of(self._root, entry)
        except OSError:
            return ""
        self._keep(self._digests, now, digest, _MOST_DIGESTS)
        return digest

    def _keep(self, kept: "OrderedDict[_Key, _Value]", key: _Key, value: _Value, most: int) -> None:
        with self._keeping:
            kept[key] = value
            while len(kept) > most:
                kept.popitem(last=False)


def _entry(index: Index, path: str) -> Entry | None:
    folder, _, name = path.rpartition("/")
    listing: Listing | None = index.listings.get(folder)
    return next((entry for entry in listing.entries if entry.name == name), None) if listing else None
