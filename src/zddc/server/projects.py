"""Tells a person what is there for her: projects and folders opened to her alone, with what she may read in them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from zddc.access.decide import decide
from zddc.access.policy import Policy
from zddc.archive.index import Index
from zddc.archive.names import place_of
from zddc.archive.tree import Listing
from zddc.server.paths import is_servable
from zddc.server.recursive import readable_listings
from zddc.server.virtual import location

_MOST_RECENT = 5
_MOST_INCOMING = 20


@dataclass
class Project:
    """A folder of the root, or one below that a person may read without the folder above: ``is_entry``.

    ``documents`` and ``transmittals`` count what she may read; ``recent`` are the last transmittals among them, as
    date and path; ``incoming`` are the paths of the folders in which she may hand in. Where she may do that without
    reading anything around, there is such a folder alone, with ``may_read`` false.
    """

    path: str
    title: str = ""
    is_entry: bool = False
    may_read: bool = True
    documents: int = 0
    transmittals: int = 0
    recent: list[tuple[str, str]] = field(default_factory=list)
    incoming: list[str] = field(default_factory=list)

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON has it, with an address for each path."""
        return {
            "name": self.path,
            "is_dir": True,
            "url": _address(self.path),
            "title": self.title,
            "entry": self.is_entry,
            "may_read": self.may_read,
            "documents": self.documents,
            "transmittals": self.transmittals,
            "latest": self.recent[0][0] if self.recent else None,
            "recent": [
                {"date": date, "name": path.rpartition("/")[2], "url": _address(path)} for date, path in self.recent
            ],
            "may_drop": bool(self.incoming),
            "incoming": [{"name": path, "url": _address(path)} for path in self.incoming],
        }


def find_projects(index: Index, policy: Policy, email: str | None, wanted: Iterable[str] = ()) -> list[Project]:
    """Return what is there for the person of an address, None without one, in the order of the paths.

    ``wanted`` are names of folders of the root; where there are some, nothing outside of them is returned. A folder
    that is not readable looks like one that is not there, and what is in it is counted nowhere.
    """
    wanted = set(wanted)
    listings = index.listings_below()
    ruled = [listing.path.split("/") for listing in listings if listing.has_rules and "/" in listing.path]
    entries = {path.lstrip("/") for path in policy.entry_points(email, ruled)}
    found: dict[str, Project] = {}
    project_of: dict[str, Project] = {}
    for path in [*index.listings.get("", Listing("")).folders, *sorted(entries)]:
        if (wanted and path.split("/", 1)[0] not in wanted) or not is_servable(path.rpartition("/")[2]):
            continue
        for listing in readable_listings(index.listings_below(path), policy, path.split("/"), email):
            is_top = listing.path == path
            if is_top:
                found[path] = Project(path, _title(policy, path), is_entry=path in entries)
            if path in found and _is_within(listing.path, path, entries):
                project_of[listing.path] = found[path]
    _count(index, project_of)
    _find_transmittals(project_of)
    _find_incoming([one for one in listings if not wanted or one.path.split("/", 1)[0] in wanted], policy, email, found)
    return [found[path] for path in sorted(found)]


def _is_within(folder: str, path: str, entries: set[str]) -> bool:
    """Whether a folder counts for a path, and for no entry point further below."""
    return not any(len(path) < len(way) and way in entries for way in _ways_up(folder.split("/")))


def _title(policy: Policy, path: str) -> str:
    with suppress(OSError):
        return policy.chain_of(path.split("/"))[-1].rules.title
    return ""


def _count(index: Index, project_of: Mapping[str, Project]) -> None:
    for folders in index.folders_of_documents():
        for project in {id(one): one for folder in folders if (one := project_of.get(folder))}.values():
            project.documents += 1


def _find_transmittals(project_of: Mapping[str, Project]) -> None:
    seen: dict[int, set[tuple[str, str]]] = {}
    projects = {id(project): project for project in project_of.values()}
    for folder in project_of:
        place = place_of(folder)
        if place.transmittal.valid and place.kind != "incoming":
            path = _transmittal_path(folder)
            seen.setdefault(id(project_of[folder]), set()).add((place.transmittal.date, path))
    for key, transmittals in seen.items():
        projects[key].transmittals = len(transmittals)
        projects[key].recent = sorted(transmittals, key=lambda one: (one[0], one[1]), reverse=True)[:_MOST_RECENT]


def _transmittal_path(folder: str) -> str:
    """Return the path of the transmittal folder that a folder is or lies in."""
    names = folder.split("/")
    for depth in range(1, len(names)):
        if place_of("/".join(names[:depth])).transmittal.valid:
            return "/".join(names[:depth])
    return folder


def _find_incoming(listings: Iterable[Listing], policy: Policy, email: str | None, found: dict[str, Project]) -> None:
    """Find the folders in which somebody may hand in; she need not be able to read them, nor what is around."""
    for listing in listings:
        names = listing.path.split("/")
        if names[-1].lower() != "incoming" or not all(map(is_servable, names)):
            continue
        with suppress(OSError):
            if decide(policy.chain_of(names), email, "c").allowed:
                owner = next((found[path] for path in _ways_up(names) if path in found), None)
                if owner is None:
                    owner = found[listing.path] = Project(listing.path, is_entry=True, may_read=False)
                if len(owner.incoming) < _MOST_INCOMING:
                    owner.incoming.append(listing.path)


def _address(path: str) -> str:
    return location(path.split("/"), is_folder=True)


def _ways_up(names: list[str]) -> Iterator[str]:
    """Yield the path of some names, and of the folders above, but for the root."""
    for length in range(len(names), 0, -1):
        yield "/".join(names[:length])
