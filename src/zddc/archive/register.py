"""Answers that are due: what was sent for review or approval, and has no answer yet."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from zddc.archive.contents import open_entry
from zddc.archive.index import Copy, Index
from zddc.archive.names import Place, place_of, split_name
from zddc.archive.tree import Entry
from zddc.canonical import JsonError
from zddc.revision import parse_revision, revision_key
from zddc.transmittal.block import BlockError
from zddc.transmittal.data import LARGEST_PAGE, DataError, parse_transmittal

ASKS = frozenset({"IFR", "IFA"})
ANSWERS = frozenset({"RSA", "RSB", "RSC", "RSD", "RSI"})
_OTHER_WAY = {"issued": "received", "received": "issued"}

Owner = Literal["us", "them"]


@dataclass(frozen=True)
class DueAnswer:
    """A document, or a submittal as a whole, that waits for an answer: who owes it, and until which day.

    ``days_late`` is negative where there is time left.
    """

    number: str
    revision: str
    title: str
    party: str
    owner: Owner
    transmittal: str
    sent: date
    due: date
    days_late: int


class _Sent(NamedTuple):
    number: str
    revision: str
    title: str
    place: Place
    folder: str

    @property
    def way(self) -> tuple[str, str]:
        """With which party, and in which direction."""
        return self.place.party, self.place.kind


def due_answers(root: Path, index: Index, today: date, days: int) -> list[DueAnswer]:
    """Return what has no answer, the longest overdue first.

    A document was sent with the status IFR or IFA; its answer has RSA to RSI, goes the other way between the same two,
    on the same day or later, and is of the same revision, with or without a modifier. A newer revision that was sent
    since takes its place. A transmittal as a whole is answered by one of the same number. Where a transmittal does not
    say when its answer is due, it is ``days`` after its date.
    """
    due = _DueDates(root, index, days)
    answered, newest = _answers(index), _newest(index)
    found = []
    documents = [*_requests(index)]
    # A submittal waits as a whole where none of its documents does.
    waiting = {sent.folder for sent in documents}
    whole = (one for one in due.submittals() if one.folder not in waiting)
    for sent in (*documents, *whole):
        party, kind = sent.way
        numbers = (sent.number, sent.place.transmittal.tracking_number)
        answers = [one for number in numbers for one in answered.get((number, party, _OTHER_WAY[kind]), ())]
        base = parse_revision(sent.revision).base
        day = sent.place.transmittal.date
        if any(when >= day and revision in (base, "") for when, revision in answers):
            continue
        if sent.revision and revision_key(newest[sent.number, party, kind]) > revision_key(sent.revision):
            continue
        until = due.of(sent.folder, day)
        owner: Owner = "us" if kind == "received" else "them"
        number = sent.place.transmittal.tracking_number
        shown = (sent.number, sent.revision, sent.title, party, owner, number)
        found.append(DueAnswer(*shown, date.fromisoformat(day), until, (today - until).days))
    return sorted(found, key=lambda one: (one.due, one.number, one.revision, one.party))


def _requests(index: Index) -> Iterator[_Sent]:
    """Yield what was sent for review or approval, once for each transmittal, whatever kinds of file it came in."""
    for document in index.documents():
        for revision in document.revisions:
            seen = set()
            for copy in revision.copies:
                if copy.place.transmittal.tracking_number == document.tracking_number:
                    continue  # the transmittal itself
                if copy.name.status in ASKS and revision.is_final_base and _is_exchange(copy.place):
                    sent = _Sent(document.tracking_number, revision.text, copy.name.title, copy.place, _folder(copy))
                    if sent.folder not in seen:
                        seen.add(sent.folder)
                        yield sent


def _is_exchange(place: Place) -> bool:
    return place.kind in _OTHER_WAY and bool(place.transmittal.date)


def _folder(copy: Copy) -> str:
    """Return the folder of the transmittal that a copy is in."""
    names = copy.entry.folder.split("/")
    return next(
        path
        for path in ("/".join(names[: depth + 1]) for depth in range(len(names)))
        if place_of(path).transmittal.date
    )


def _answers(index: Index) -> dict[tuple[str, str, str], list[tuple[str, str]]]:
    """Return the days and base revisions of all answers, by number, party and kind; of a transmittal no revision."""
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for document in index.documents():
        for revision in document.revisions:
            for copy in revision.copies:
                if copy.name.status in ANSWERS and _is_exchange(copy.place):
                    key = document.tracking_number, copy.place.party, copy.place.kind
                    found[key].append((copy.place.transmittal.date, parse_revision(revision.text).base))
    for path in index.listings:
        place = place_of(path)
        if _is_exchange(place) and place.transmittal.status in ANSWERS:
            found[place.transmittal.tracking_number, place.party, place.kind].append((place.transmittal.date, ""))
    return found


def _newest(index: Index) -> dict[tuple[str, str, str], str]:
    """Return the newest revision that was sent of each document, by number, party and kind."""
    found: dict[tuple[str, str, str], str] = {}
    for document in index.documents():
        for revision in document.revisions:  # the newest first
            for copy in revision.copies:
                if revision.is_final_base:
                    found.setdefault((document.tracking_number, copy.place.party, copy.place.kind), revision.text)
    return found


class _DueDates:
    """The day that each transmittal names for its answer, read from its HTML."""

    def __init__(self, root: Path, index: Index, days: int) -> None:
        self._days = timedelta(days=days)
        self._named: dict[str, date] = {}
        self._submittals: list[_Sent] = []
        for path, listing in index.listings.items():
            place = place_of(path)
            if not _is_exchange(place):
                continue
            for entry in listing.entries:
                parts = split_name(entry.name)
                if parts and parts.extension == "html" and parts.tracking_number == place.transmittal.tracking_number:
                    self._read_page(root, entry, place)

    def _read_page(self, root: Path, entry: Entry, place: Place) -> None:
        if entry.size > LARGEST_PAGE:
            return
        try:
            with open_entry(root, entry) as stream:
                transmittal = parse_transmittal(stream.read(LARGEST_PAGE).decode("utf-8-sig"))
            day = date.fromisoformat(transmittal["responseDue"])
        except (OSError, ValueError, JsonError, BlockError, DataError):
            return  # no transmittal of ours, or no day in it: the usual time counts
        self._named[entry.folder] = day
        if transmittal["type"] == "Submittal" and transmittal.state != "draft":
            number = place.transmittal.tracking_number
            self._submittals.append(_Sent(number, "", place.transmittal.title, place, entry.folder))

    def of(self, folder: str, sent: str) -> date:
        """Return when the answer to the transmittal in a folder is due."""
        return self._named.get(folder) or date.fromisoformat(sent) + self._days

    def submittals(self) -> list[_Sent]:
        """Return the submittals that name a day for the answer: each waits as a whole."""
        return self._submittals
