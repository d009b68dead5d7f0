"""Says what is odd in an archive: copies that differ, gaps between revisions, drafts that were issued, and the like."""

import re
import string
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias

from zddc.archive.index import Copy, Document, Index
from zddc.archive.tree import Entry

Kind: TypeAlias = Literal["left out", "conflict", "duplicate", "gap", "draft issued", "number", "name"]
Digest: TypeAlias = Callable[[Entry], str]

# Letters that look like digits or like each other, which many offices pass over in revisions.
_PASSED_OVER = frozenset("IOQSXZ")
_HARD_TO_SERVE = re.compile(r"[\x00-\x1f\x7f\\]|[. ]\Z")


class Finding(NamedTuple):
    """What is odd about a file, a folder or a document; ``path`` is a path, or a tracking number for a gap."""

    path: str
    kind: Kind
    reason: str


def findings(index: Index, digest: Digest) -> Iterator[Finding]:
    """Yield what is odd in an archive, kind by kind.

    ``digest`` gives the digest of a file's bytes, and raises OSError where it cannot be read. It is asked only about
    files of one document, revision, extension and size.
    """
    for path, reason in index.left_out():
        yield Finding(path, "left out", reason)
    for entry in index.entries():
        if _HARD_TO_SERVE.search(entry.name):
            yield Finding(entry.path, "name", "not every system can have this name, and no server sends the file")
    yield from _numbers(index)
    for document in index.documents():
        yield from _issues_of_drafts(document)
        yield from _gap(document)
        for copies in _same_files(document):
            yield from _conflict(copies, digest)
            yield from _duplicates(copies)


def conflicts(document: Document, digest: Digest) -> Iterator[Finding]:
    """Yield the files of a document that differ from the first one of their revision and extension."""
    for copies in _same_files(document):
        yield from _conflict(copies, digest)


def _same_files(document: Document) -> Iterator[list[Copy]]:
    """Yield the copies of each revision and extension, the earliest first."""
    for revision in document.revisions:
        by_extension = sorted(revision.copies, key=lambda copy: copy.name.extension)  # stable
        for _, copies in groupby(by_extension, key=lambda copy: copy.name.extension):
            yield list(copies)


def _conflict(copies: list[Copy], digest: Digest) -> Iterator[Finding]:
    first = copies[0].entry
    for copy in copies[1:]:
        try:
            same = copy.entry.size == first.size and digest(copy.entry) == digest(first)
        except OSError as error:
            yield Finding(copy.entry.path, "left out", f"cannot be compared: {error.strerror or error}".lower())
            continue
        if not same:
            yield Finding(copy.entry.path, "conflict", f"other bytes than {first.path}")


def _duplicates(copies: list[Copy]) -> Iterator[Finding]:
    """Yield a second file of one revision and extension in one transmittal, or in one folder outside of any."""
    seen: dict[tuple[object, ...], Entry] = {}
    for copy in copies:
        transmittal = copy.place.transmittal
        other = seen.setdefault((copy.place, "" if transmittal.valid else copy.entry.folder), copy.entry)
        if other is not copy.entry:
            yield Finding(copy.entry.path, "duplicate", f"the same document, revision and extension as {other.path}")


def _issues_of_drafts(document: Document) -> Iterator[Finding]:
    for revision in document.revisions:
        for copy in revision.copies:
            if "~" in revision.text and copy.place.kind == "issued":
                yield Finding(copy.entry.path, "draft issued", f"{revision.text} is a working draft")


def _gap(document: Document) -> Iterator[Finding]:
    """Yield the single letters and the whole numbers that are missing between two revisions."""
    there = {revision.text for revision in document.revisions if revision.is_final_base}
    numbers = [int(text) for text in there if re.fullmatch("[0-9]{1,4}", text)]
    letters = [text for text in there if re.fullmatch("[A-Z]", text)]
    between = [letter for letter in string.ascii_uppercase if letters and min(letters) < letter < max(letters)]
    missing = [letter for letter in between if letter not in there and letter not in _PASSED_OVER]
    missing += [
        str(number) for number in range(min(numbers, default=0), max(numbers, default=0)) if number not in numbers
    ]
    if missing:
        yield Finding(document.tracking_number, "gap", f"no revision {', '.join(missing[:10])}")


def _numbers(index: Index) -> Iterator[Finding]:
    """Yield tracking numbers that differ only in letter case, or in how an accent is encoded."""
    alike = defaultdict(list)
    for number in index.tracking_numbers():
        alike[unicodedata.normalize("NFC", number).casefold()].append(number)
    for first, *others in alike.values():
        for other in others:
            yield Finding(other, "number", f"nearly the tracking number {first}")
