"""The places where a file may be handed in, and the names that it may have: those of the convention."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from zddc.hashing import LIST_NAME
from zddc.naming import parse_filename, parse_folder
from zddc.server.answer import Path
from zddc.windows_names import comparable, windows_problem

INCOMING = "incoming"


class Target(NamedTuple):
    """The names of a file that is handed in: up to the incoming folder, the one or two below it, and its own."""

    above: tuple[str, ...]
    folders: tuple[str, ...]
    name: str

    @property
    def names(self) -> tuple[str, ...]:
        """All names, from the root on."""
        return (*self.above, *self.folders, self.name)


def parse_target(path: Path) -> Target | None:
    """Return the parts of ``<...>/incoming/<transmittal folder>[/<folder>]/<name>``, None for any other path."""
    names = path.names
    for depth in (len(names) - 3, len(names) - 4):
        if not path.is_folder and depth >= 0 and names[depth].lower() == INCOMING:
            return Target(names[: depth + 1], names[depth + 1 : -1], names[-1])
    return None


def may_be_put(names: Sequence[str]) -> bool:
    """Return whether a file may be handed in at a path at all, whoever asks: not in a zip, nor where no folder is."""
    return not any(name.lower().endswith(".zip") or name.startswith((".", "_")) for name in names[:-1])


def refusal_of_names(target: Target) -> str:
    """Return why a file cannot have these names, in one line; empty where it can.

    The transmittal folder and the file follow the convention. Beside the documents, a transmittal has the list of their
    SHA-256, and its own page, which is named like the folder.
    """
    transmittal, *inside = target.folders
    folder = parse_folder(transmittal)
    if not folder.valid:
        return f"the folder '{transmittal}' is no transmittal: {folder.reason}"
    for name in (transmittal, *inside, target.name):
        if name.startswith("_"):
            return f"'{name}' begins with '_', which no program of the archive looks at"
        if problem := windows_problem(name):
            return f"'{name}': {problem}"
    stem, _, extension = target.name.rpartition(".")
    if target.name == LIST_NAME or (extension == "html" and parse_folder(stem) == folder):
        return ""
    file = parse_filename(target.name)
    return "" if file.valid else f"the name '{target.name}' does not follow the convention: {file.reason}"


def twin(name: str, others: Iterable[str]) -> str:
    """Return another name that a system may take for this one, by letter case or accents; empty where there is none."""
    wanted = comparable(name)
    return next((other for other in others if other != name and comparable(other) == wanted), "")
