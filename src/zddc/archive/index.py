"""The index of an archive: the files of each document, by its tracking number, kept in step folder by folder."""

import threading
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from zddc.archive.names import Parts, Place, place_of, split_name, tracking_number
from zddc.archive.tree import Entry, LeftOut, Listing, is_zip_transmittal, join, read_folder, unreadable
from zddc.revision import SortKey, parse_revision, revision_key


@dataclass(frozen=True)
class Copy:
    """One file of a document, with what its name says and where it lies."""

    entry: Entry
    name: Parts
    place: Place

    @property
    def age(self) -> tuple[bool, str, int, str]:
        """A key that sorts copies: earliest transmittal first, then received, issued, others; undated ones last."""
        date = self.place.transmittal.date
        kind = ("received", "issued", self.place.kind).index(self.place.kind)
        return not date, date, kind, self.entry.path


@dataclass(frozen=True)
class Revision:
    """One revision of a document and its copies, the earliest first; there is at least one."""

    text: str
    copies: tuple[Copy, ...]

    @property
    def is_final_base(self) -> bool:
        """Whether it is neither a draft nor has a modifier, so that it may be built to."""
        read = parse_revision(self.text)
        return not read.is_draft and not read.modifier

    @property
    def first(self) -> Copy:
        """The copy in the earliest transmittal."""
        return self.copies[0]


@dataclass(frozen=True)
class Document:
    """A document and its revisions, the newest first; there is at least one."""

    tracking_number: str
    revisions: tuple[Revision, ...]

    @cached_property
    def current(self) -> Revision:
        """The newest revision that is neither a draft nor has a modifier; the newest of all where there is none."""
        return next((one for one in self.revisions if one.is_final_base), self.revisions[0])


class Index:
    """The files of an archive by folder and by document.

    What lies in a folder named incoming was handed in, and nobody has checked it yet: it is no copy of a document.
    While one thread changes the index, others may ask it.
    """

    def __init__(self, listings: Iterable[Listing] = ()) -> None:
        self._lock = threading.RLock()
        self.listings: dict[str, Listing] = {}
        self._documents: dict[str, list[Entry]] = {}
        for listing in listings:
            self.put(listing)

    def put(self, listing: Listing) -> None:
        """Take in a folder as it is now; what it was before is forgotten."""
        before, now = self.listings.get(listing.path, Listing("")).entries, listing.entries
        if before:
            before, now = tuple(set(before) - set(now)), tuple(set(now) - set(before))
        self.listings[listing.path] = listing
        if place_of(listing.path).kind == "incoming":
            return
        for entry in before:
            if number := tracking_number(entry.name):
                self._documents[number].remove(entry)
                if not self._documents[number]:
                    del self._documents[number]
        for entry in now:
            if number := tracking_number(entry.name):
                self._documents.setdefault(number, []).append(entry)

    def remove(self, path: str) -> None:
        """Forget a folder and all that is below it."""
        pending = [path]
        while pending:
            folder = pending.pop()
            if known := self.listings.get(folder):
                pending += (join(folder, name) for name in known.folders)
                self.put(Listing(folder))
                del self.listings[folder]

    def refresh(
        self,
        root: Path,
        *paths: str,
        replaced: Container[str] = (),
        read: Callable[[Path, str], Listing] = read_folder,
    ) -> None:
        """Read folders again, with their zips and the folders in them that are new; forget those that are gone.

        Where one is there and cannot be read, that is left out, and what was known of it is forgotten. Of a folder in
        ``replaced``, also where ``read`` has just put it there, all that is below is read again. Whoever asks meanwhile
        is answered as before: what was read is taken in all at once, so that a folder that was moved is never missing.
        """
        pending, anew, done = sorted(paths, reverse=True), set[str](), set[str]()
        changes: list[Listing | str] = []
        while pending:
            folder = pending.pop()
            if folder in done:
                continue
            done.add(folder)
            try:
                listing = read(root, folder)
            except (FileNotFoundError, NotADirectoryError):
                changes.append(folder)
                continue
            except OSError as error:
                listing = unreadable(folder, error)
            changes.append(listing)
            known = self.listings.get(folder, Listing(folder)).folders
            changes += (join(folder, name) for name in set(known) - set(listing.folders))
            if folder in replaced:
                anew.add(folder)
            for name in listing.folders:
                path = join(folder, name)
                if folder in anew:
                    anew.add(path)
                if path in anew or path not in self.listings or is_zip_transmittal(name):
                    pending.append(path)
        with self._lock:
            for change in changes:
                if isinstance(change, str):
                    self.remove(change)
                elif change != self.listings.get(change.path):
                    self.put(change)

    def listings_below(self, path: str = "") -> list[Listing]:
        """Return what is known of a folder and of all below it, each before those below, in the order of their names.

        Nothing is returned for a folder that is not known.
        """
        found, pending = [], [path]
        with self._lock:
            while pending:
                if listing := self.listings.get(pending.pop()):
                    found.append(listing)
                    pending += (join(listing.path, name) for name in reversed(listing.folders))
        return found

    def entries(self) -> Iterator[Entry]:
        """Yield every file, folder by folder, in the order of their paths."""
        for listing in sorted(self._all_listings(), key=lambda listing: listing.path.split("/")):
            yield from listing.entries

    def left_out(self) -> Iterator[LeftOut]:
        """Yield what is in the folders and no file of the archive."""
        for listing in sorted(self._all_listings(), key=lambda listing: listing.path):
            yield from listing.left_out

    def _all_listings(self) -> list[Listing]:
        with self._lock:
            return list(self.listings.values())

    def tracking_numbers(self) -> list[str]:
        """Return the tracking numbers of all documents, sorted."""
        with self._lock:
            return sorted(self._documents)

    def folders_of_documents(self) -> list[list[str]]:
        """Return for each document the folders in which its files lie, in no order."""
        with self._lock:
            return [[entry.folder for entry in entries] for entries in self._documents.values()]

    def documents(self, below: str = "") -> Iterator[Document]:
        """Yield all documents in the order of their tracking numbers; ``below`` is as in :meth:`document`."""
        for number in self.tracking_numbers():
            if document := self.document(number, below):
                yield document

    def document(self, number: str, below: str = "") -> Document | None:
        """Return a document, or None if no file has this tracking number.

        With ``below``, only files in that folder and deeper count: a project's.
        """
        within = join(below, "") if below else ""
        with self._lock:
            entries = [entry for entry in self._documents.get(number, ()) if f"{entry.folder}/".startswith(within)]
        copies = [Copy(entry, parts, place_of(entry.folder)) for entry in entries if (parts := split_name(entry.name))]
        copies.sort(key=_newest_last)
        groups = groupby(copies, key=lambda copy: copy.name.revision)
        revisions = [Revision(text, tuple(sorted(held, key=lambda copy: copy.age))) for text, held in groups]
        return Document(number, tuple(reversed(revisions))) if revisions else None


def _newest_last(copy: Copy) -> tuple[SortKey, str]:
    return revision_key(copy.name.revision), copy.name.revision
