"""Finds the file that a link into ``.archive`` means: ``ACME-1.html`` for what is current, ``ACME-1_B.html`` for B."""

from collections.abc import Callable
from typing import NamedTuple

from zddc.archive.index import Copy, Document, Index
from zddc.archive.tree import Entry
from zddc.revision import revision_key

# What is opened for a link to a page, where the document has no page.
_SHOWN_FIRST = ("html", "pdf")


class Link(NamedTuple):
    """The parts of a link; ``revision`` is empty where the current one is meant."""

    tracking_number: str
    revision: str
    extension: str


def parse_link(name: str) -> Link | None:
    """Return the parts of the name of a link, or None for what is none."""
    stem, dot, extension = name.rpartition(".")
    number, underscore, revision = stem.partition("_")
    if not dot or not extension or not number or bool(underscore) != bool(revision):
        return None
    return Link(number, revision, extension.lower())


def resolve(
    index: Index, name: str, *, project: str = "", may_read: Callable[[Entry], bool] = lambda _entry: True
) -> Entry | None:
    """Return the file that a link means to somebody, or None: there is none, or it may not be read.

    A link without a revision means the highest one that is neither a draft nor has a modifier, whoever asks: where
    somebody may read no file of it, an older revision never takes its place. A link with a revision means exactly that
    one. Of the files that may be read, those with the link's extension count; for ``.html`` without such a file, those
    with pdf, else with the first other extension. Of these it is the one in the earliest transmittal.

    With ``project``, only files in that folder and deeper count.
    """
    link = parse_link(name)
    document = index.document(link.tracking_number, project) if link else None
    return choose(document, link, may_read) if link and document else None


def choose(document: Document, link: Link, may_read: Callable[[Entry], bool]) -> Entry | None:
    """Return the file of a document that a link to it means, as :func:`resolve` does."""
    if link.revision:
        meant = [one for one in document.revisions if one.text == link.revision]
    else:  # 1 and 01 are one revision, written in two ways
        final = [one for one in document.revisions if one.is_final_base]
        meant = [one for one in final if revision_key(one.text) == revision_key(final[0].text)]
    copies = [copy for revision in meant for copy in revision.copies]
    copies.sort(key=lambda copy: _preference(copy, link.extension))
    chosen = next((copy for copy in copies if may_read(copy.entry)), None)  # to judge one takes a walk on the disk
    if not chosen or link.extension not in (chosen.name.extension, "html"):
        return None
    return chosen.entry


def _preference(copy: Copy, wanted: str) -> tuple[bool, int, str, tuple[bool, str, int, str]]:
    extension = copy.name.extension
    shown = _SHOWN_FIRST.index(extension) if extension in _SHOWN_FIRST else len(_SHOWN_FIRST)
    return extension != wanted, shown, extension, copy.age
