"""Carries out a plan of renames, with a journal by which it can be completed or undone after a stop at any point.

A journal is a file of JSON lines: a heading, every step of the plan, then a line before each step that is done or
undone, then a line at the end. The page that renames writes one line before several steps, with the numbers of the
first and the last of them. Of the steps in the last such line the names that are there tell which were done.
"""

import contextlib
import json
import os
import re
import secrets
import shlex
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from zddc.durable import lock_folder, rename_without_replacing, sync_folder
from zddc.errors import UserError
from zddc.renaming import Listings, Rename
from zddc.windows_names import comparable

JOURNALS = ".zddc-rename-*.jsonl"
_TEMPORARY = re.compile(r"\.zddc-[0-9a-f]{8}-\d+\.tmp")
_HEADING = {"journal": "zddc rename", "version": 1}

Step = tuple[str, str]


@dataclass
class Journal:
    """A journal as it was read: its steps, each from a path to a path, and how many of them are done.

    ``open_steps`` are the steps that the last run began and did not end, in the order in which it did or undid them;
    any of the first of them may be done besides those that ``position`` counts. ``size`` is the length of the file up
    to its last whole line, in bytes.
    """

    file: Path
    steps: list[Step]
    position: int = 0
    open_steps: range = range(0)
    size: int = 0

    @property
    def finished(self) -> bool:
        """Whether all of it is done, or all of it undone."""
        return not self.open_steps and self.position in (0, len(self.steps))


def apply(root: Path, plan: Sequence[Rename]) -> Path:
    """Rename everything below ``root`` as a plan of :func:`zddc.renaming.check_plan` says; return the journal.

    Nothing is ever overwritten. Raises :class:`UserError` if a line of the plan has a problem, if another run is not
    finished, and if a step fails: then the steps before it are done, and the journal completes or undoes them.
    """
    for line in plan:
        if line.problem:
            raise UserError(root / line.path, line.problem, "nothing was renamed; correct the plan")
    with _alone(root):
        require_finished(root, plan)
        journal = _begin(root, list(plan_steps(plan)))
        _move(root, journal, len(journal.steps))
    return journal.file


def complete(root: Path, file: Path) -> int:
    """Do what is not done of a journal; return how many got their name. Raises :class:`UserError` as :func:`apply`."""
    return _resume(root, file, undo=False)


def undo(root: Path, file: Path) -> int:
    """Undo what is done of a journal; return how many got their name. Raises :class:`UserError` as :func:`apply`."""
    return _resume(root, file, undo=True)


def _resume(root: Path, file: Path, *, undo: bool) -> int:
    with _alone(root):
        journal = read_journal(file)
        if not journal.steps:  # stopped before the first rename
            return 0
        _settle(root, journal)
        goal = 0 if undo else len(journal.steps)
        names = [new.rpartition("/")[2] for _, _, (_, new) in _way(journal, goal)]
        _check_way(root, journal, goal)
        _move(root, journal, goal)
    return sum(not _TEMPORARY.fullmatch(name) for name in names)


def require_finished(root: Path, plan: Iterable[Rename] = ()) -> None:
    """Raise :class:`UserError` if a run of renames was stopped, and neither completed nor undone.

    Asked about are the runs in ``root``, those in the folders of a plan below it, and of those in the folders above the
    ones that rename what is in ``root``, or a name on the way to it.
    """
    below = {path for line in plan for path in _folders_to(line.folder)}
    for folder in (root, *(root / path for path in sorted(below))):
        for file, journal in _journals(folder):
            if not journal.finished:
                raise UserError(file, "these renames were stopped on their way", _ways_on(folder, file))
    place = root.resolve()
    for folder in place.parents:
        path = place.relative_to(folder).as_posix()
        with contextlib.suppress(OSError):
            for file, journal in _journals(folder, strictly=False):
                if not journal.finished and any(_concerns(step, path) for step in journal.steps):
                    problem = f"renames of what is in '{root}' were stopped on their way"
                    raise UserError(file, problem, _ways_on(folder, file))


def _folders_to(path: str) -> Iterator[str]:
    """Yield the path of a folder and of those on the way to it."""
    names = path.split("/") if path else []
    return ("/".join(names[:depth]) for depth in range(1, len(names) + 1))


def _journals(folder: Path, *, strictly: bool = True) -> Iterator[tuple[Path, Journal]]:
    """Yield the journals in a folder; what is none raises :class:`UserError`, or is passed over if not ``strictly``."""
    for file in sorted(folder.glob(JOURNALS)):
        if file.is_file() and not file.is_symlink():
            try:
                yield file, read_journal(file)
            except UserError:
                if strictly:
                    raise


def _concerns(step: Step, folder: str) -> bool:
    """Return whether a step renames a folder, one on the way to it, or what is in it."""
    return any(f"{folder}/".startswith(f"{path}/") or path.startswith(f"{folder}/") for path in step)


def _ways_on(root: Path, file: Path) -> str:
    folder, journal = shlex.quote(str(root)), shlex.quote(str(file))
    return f"'zddc rename {folder} --complete {journal}' goes on, --undo in its place takes all of it back"


def plan_steps(plan: Iterable[Rename]) -> Iterator[Step]:
    """Yield the renames of a plan in an order in which every new name is free when its turn comes.

    What is in a folder comes before the folder. In a folder, whatever gets a name that another gives up, or its own in
    another letter case, first gets a temporary name. The reverse order undoes them.
    """
    folders: dict[str, list[Rename]] = defaultdict(list)
    for line in plan:
        folders[line.folder].append(line)
    run = secrets.token_hex(4)
    for folder in sorted(folders, key=lambda path: (-path.count("/") if path else 1, path)):
        given_up = {comparable(line.name) for line in folders[folder]}
        away: list[Step] = []
        straight: list[Step] = []
        back: list[Step] = []
        for number, line in enumerate(folders[folder]):
            new_path = _join(folder, line.new_name)
            if comparable(line.new_name) in given_up:
                temporary = _join(folder, f".zddc-{run}-{number}.tmp")
                away.append((line.path, temporary))
                back.append((temporary, new_path))
            else:
                straight.append((line.path, new_path))
        yield from away + straight + back


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _begin(root: Path, steps: list[Step]) -> Journal:
    """Write the heading and the steps of a new journal to the disk."""
    now = datetime.now(UTC)
    journal = Journal(root / f".zddc-rename-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}.jsonl", steps)
    heading = {**_HEADING, "created": now.isoformat(timespec="seconds"), "steps": len(steps)}
    journal.file.touch(exist_ok=False)
    try:
        _append(journal, heading, *({"from": old, "to": new} for old, new in steps))
        with _open_folder(root, "") as folder:
            sync_folder(folder)
    except OSError as error:
        journal.file.unlink()
        raise OSError(error.errno, error.strerror, str(journal.file)) from None
    return journal


def _append(journal: Journal, *lines: object) -> None:
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    with journal.file.open("r+b") as stream:
        stream.truncate(journal.size)  # without what a killed writer left of a line
        stream.seek(journal.size)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    journal.size += len(data)


def _way(journal: Journal, goal: int) -> Iterator[tuple[int, int, Step]]:
    """Yield the steps from a journal's position to another: the number of each, the position after it, its names."""
    for number in range(journal.position, goal):
        yield number, number + 1, journal.steps[number]
    for number in range(journal.position - 1, goal - 1, -1):
        yield number, number, journal.steps[number][::-1]


def _check_way(root: Path, journal: Journal, goal: int) -> None:
    """Raise :class:`UserError` if a step on the way cannot be made, since somebody renamed something meanwhile."""
    places: dict[str, Path | None] = {}  # by a path on the way: where that is now; None if nothing has the path then
    listings = Listings()

    def place(path: str) -> Path:
        folder, _, name = path.rpartition("/")
        return places.get(path) or (place(folder) if folder else root) / name

    for _, _, (old, new) in _way(journal, goal):
        source, target = place(old), place(new)
        taken = places.get(new) or (new not in places and target.name in listings[target.parent])
        if taken or (old not in places and not os.path.lexists(source)):
            problem = f"'{new}' is taken" if taken else "it is not there any more"
            remedy = "nothing was renamed now; rename by hand what somebody else renamed, and try again"
            raise UserError(source, f"cannot become '{new}': {problem}", remedy)
        places[new], places[old] = source, None


def _move(root: Path, journal: Journal, goal: int) -> None:
    """Do or undo steps until ``goal`` of them are done; each is on the disk before the next begins."""
    for number, after, (old, new) in [*_way(journal, goal)]:
        folder, _, name = old.rpartition("/")
        try:
            _append(journal, {"do" if after > number else "undo": number})
            with _open_folder(root, folder) as descriptor:
                rename_without_replacing(descriptor, name, new.rpartition("/")[2])
                journal.position = after
                sync_folder(descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):  # then the names that are there will tell
                _append(journal, {"end": journal.position})
            problem = f"cannot become '{new}': {str(error.strerror).lower()}"
            raise UserError(root / old, problem, f"mend that, then {_ways_on(root, journal.file)}") from None
    _append(journal, {"end": journal.position})


def read_journal(file: Path) -> Journal:
    """Read a journal; raise :class:`UserError` if it is none.

    What a killed writer left of a last line is ignored. A journal that does not hold all of its steps yet has none.
    """
    lines = file.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        del lines[-1]
    journal = Journal(file, [], size=sum(map(len, lines)))
    try:
        heading, *others = [json.loads(line) for line in lines] or [{**_HEADING, "steps": 0}]
        if {key: heading[key] for key in _HEADING} != _HEADING:
            raise ValueError
        steps, moves = others[: heading["steps"]], others[heading["steps"] :]
        if len(steps) == heading["steps"]:
            journal.steps = [_read_step(line) for line in steps]
        for line in moves:
            _read_move(line, journal)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError(
            file, "not a journal of zddc rename", "give the file that 'zddc rename --apply' named"
        ) from None
    return journal


def _read_step(line: dict[str, str]) -> Step:
    old, new = line["from"], line["to"]
    parts = old.split("/") + new.split("/")
    if old.rpartition("/")[0] != new.rpartition("/")[0] or {"", ".", ".."} & {*parts} or "\0" in old + new:
        raise ValueError
    return old, new


def _read_move(line: dict[str, int | list[int]], journal: Journal) -> None:
    ((word, value),) = line.items()
    ended, direction = word == "end", -1 if word == "undo" else 1
    first, last = value if isinstance(value, list) else (value, value)
    numbers = range(len(journal.steps) + ended)
    if word not in ("do", "undo", "end") or first not in numbers or last not in numbers:
        raise ValueError
    if (ended and isinstance(value, list)) or (last - first) * direction < 0:
        raise ValueError
    journal.position = first + (word == "undo")
    journal.open_steps = range(0) if ended else range(first, last + direction, direction)


def _settle(root: Path, journal: Journal) -> None:
    """Find out by the names that are there which of the steps that were begun last are done.

    The last one that is made and the first one that is not always show it: nothing has touched their names since. Those
    between the two, or a wrong order of the two, come from somebody who renamed here meanwhile.
    """
    opened, direction = journal.open_steps, journal.open_steps.step
    made, left = 0, len(opened)
    states = []
    for at, number in enumerate(opened):
        old, new = journal.steps[number][::direction]
        is_old, is_new = _names_there(root, old, new)
        states.append("both of them are there" if is_old else "none of them is there")
        if is_old != is_new:
            states[-1] = "a later rename is made while this one is not"
            made, left = (at + 1, left) if is_new else (made, min(left, at))
    if made != left:
        old, new = journal.steps[opened[min(made, left)]]
        problem = f"it was being renamed to '{new}', and {states[min(made, left)]}"
        raise UserError(root / old, problem, "rename by hand what somebody else renamed since, and try again")
    journal.position += made * direction
    journal.open_steps = range(0)


def _names_there(root: Path, old: str, new: str) -> tuple[bool, bool]:
    """Return whether the old and the new path of a step are there; a rename by links that stopped is taken back."""
    folder, _, old_name = old.rpartition("/")
    new_name = new.rpartition("/")[2]
    try:
        with _open_folder(root, folder) as descriptor:
            source, target = _lstat(old_name, descriptor), _lstat(new_name, descriptor)
            if _are_links(source, target):  # stopped between the halves of a rename
                os.unlink(new_name, dir_fd=descriptor)
                target = None
    except OSError as error:
        raise UserError(root / folder, str(error.strerror).lower(), "give the folder of the journal's run") from None
    return source is not None, target is not None


def _lstat(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return None


def _are_links(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    """Return whether two entries are links to one file: by all but the inode, which some file systems make up.

    A file with two links or more loses nothing by losing one.
    """
    if not one or not other or stat.S_ISDIR(one.st_mode) or one.st_nlink < 2:
        return False
    fields = ("st_mode", "st_nlink", "st_size", "st_mtime_ns")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


@contextlib.contextmanager
def _open_folder(root: Path, path: str) -> Iterator[int]:
    """Context manager: give a descriptor of a folder below ``root``; a link on the way is an OSError."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in path.split("/") if path else ():
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _alone(root: Path) -> contextlib.AbstractContextManager[None]:
    """Context manager: keep other runs out of ``root``."""
    return lock_folder(root, UserError(root, "another 'zddc rename' is at work here", "wait until it has ended"))
