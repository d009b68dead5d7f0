"""Plans of renames: made from the corrections of a check, read from and written to CSV, and checked as a whole."""

import csv
import io
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from zddc import name_check
from zddc.errors import UserError
from zddc.windows_names import comparable, windows_problem, windows_warning

COLUMNS = ("path", "new_name", "size", "modified", "problem")
# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Rename:
    """A line of a plan: the file or folder at ``path`` gets ``new_name``, in the same folder.

    ``path`` is relative to the folder of the plan, with ``/``, as everything is named before the first rename. Without
    a ``new_name`` it is left as it is. ``size`` and ``mtime_ns`` are those of a file when the plan was made, None where
    they do not matter. ``problem`` says why it is refused, or what is wrong with a name that is left as it is;
    ``warning`` why some programs may not take the new name.
    """

    path: str
    new_name: str
    size: int | None = None
    mtime_ns: int | None = None
    problem: str = ""
    warning: str = ""

    @property
    def folder(self) -> str:
        """The path of the folder that it is in: empty for the folder of the plan, ``/`` for that of the system."""
        folder, slash, _ = self.path.rpartition("/")
        return folder or slash

    @property
    def name(self) -> str:
        """The name that it has."""
        return self.path.rpartition("/")[2]

    @property
    def changes(self) -> bool:
        """Whether there is anything to rename."""
        return bool(self.new_name) and self.new_name != self.name


def plan_corrections(root: Path) -> list[Rename]:
    """Return a line for every name below ``root`` that a check finds wrong, with its correction where there is one."""
    plan = []
    for verdict in name_check.check(root):
        if verdict.reason:
            problem = "" if verdict.corrected else verdict.reason
            plan.append(Rename(verdict.path, verdict.corrected or "", *_state(root / verdict.path), problem))
    return plan


def read_plan(file: Path) -> list[Rename]:
    """Read a plan from CSV with the columns ``path`` and ``new_name``; the others of :data:`COLUMNS` may be there.

    The fields are separated by commas, semicolons or tabs, as the heading shows. Raises :class:`UserError` for what is
    no such file.
    """
    data = file.read_bytes()
    if b"\0" in data:
        raise UserError(file, "not a CSV file in UTF-8", "save it as 'CSV UTF-8'")
    text = data.decode("utf-8-sig", "surrogateescape")
    heading = text.partition("\n")[0]
    separator = next((mark for mark in ",;\t" if mark in heading), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        columns = [column.strip() for column in next(reader, [])]
        wrong = [f"'{column}'" for column in columns if column not in COLUMNS or columns.count(column) > 1]
        if wrong or not {"path", "new_name"} <= set(columns):
            problem = f"the column {wrong[0]} is not known" if wrong else "no columns 'path' and 'new_name'"
            remedy = f"the columns are {', '.join(COLUMNS)}; the last three may be missing"
            raise UserError(f"{file}:1", problem, remedy)
        return [_read_row(f"{file}:{reader.line_num}", columns, row) for row in reader if any(row)]
    except csv.Error as error:
        raise UserError(f"{file}:{reader.line_num}", str(error), "save it as CSV again") from None


def _read_row(place: str, columns: Sequence[str], row: Sequence[str]) -> Rename:
    if len(row) != len(columns):
        remedy = "put a field that holds a separator between quotation marks"
        raise UserError(place, f"{len(row)} fields under {len(columns)} columns", remedy)
    cells = dict(zip(columns, row, strict=True))
    size, modified = cells.get("size"), cells.get("modified", "")
    try:
        return Rename(
            str(PurePosixPath(cells["path"])),
            cells["new_name"].removeprefix("./"),
            int(size) if size else None,
            int(modified.removesuffix("ns")) if modified else None,
        )
    except ValueError:
        remedy = "empty both fields, or write the plan again"
        raise UserError(place, "size or time is not as it was written", remedy) from None


def format_plan(plan: Iterable[Rename]) -> bytes:
    """Return the CSV of a plan, which spreadsheets open as UTF-8 and :func:`read_plan` reads."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in plan:
        state = ("" if line.size is None else line.size, "" if line.mtime_ns is None else f"{line.mtime_ns}ns")
        writer.writerow([_cell(line.path), _cell(line.new_name), *state, line.problem])
    return text.getvalue().encode("utf-8-sig", "surrogateescape")


def _cell(name: str) -> str:
    return f"./{name}" if name.startswith(_FORMULA) else name


def check_plan(root: Path, plan: Iterable[Rename]) -> list[Rename]:
    """Return the lines of a plan that rename anything, each with its ``problem`` and ``warning``.

    Each line is checked by itself, and all lines of a folder against each other and against what else is in the folder:
    two names clash that differ in letter case or Unicode normalisation only, since Windows and macOS take them for one.
    """
    folders: dict[str, list[Rename]] = defaultdict(list)
    for line in plan:
        if line.changes:
            folders[line.folder].append(line)
    new_names = {line.path: line.new_name for lines in folders.values() for line in lines}
    listings = Listings()
    return [
        replace(line, problem=problem, warning="" if problem else _warning(root, line, new_names))
        for folder, lines in folders.items()
        for line, problem in _folder_problems(root, folder, lines, listings)
    ]


class Listings(dict[Path, set[str]]):
    """The names in each folder, listed once: a file system that folds letter case finds other spellings too."""

    def __missing__(self, folder: Path) -> set[str]:
        self[folder] = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        return self[folder]


def _folder_problems(
    root: Path, folder: str, lines: Sequence[Rename], listings: Listings
) -> Iterator[tuple[Rename, str]]:
    """Yield the lines of one folder, each with its problem, empty where there is none."""
    if problem := _path_problem(root, folder, listings):
        yield from ((line, problem) for line in lines)
        return
    there = listings[root / folder]
    staying = {comparable(name): name for name in there - {line.name for line in lines}}
    wanting: dict[str, list[Rename]] = defaultdict(list)
    for line in lines:
        wanting[comparable(line.new_name)].append(line)
    times = Counter(line.path for line in lines)
    for line in lines:
        key = comparable(line.new_name)
        taken = f"'{staying[key]}' is there already" if key in staying else ""
        rival = next((other.name for other in wanting[key] if other.path != line.path), "")
        yield (
            line,
            ("the plan has several new names for it" if times[line.path] > 1 else "")
            or _source_problem(root, line, there)
            or windows_problem(line.new_name)
            or taken
            or (rival and f"'{rival}' would get this name too"),
        )


def _path_problem(root: Path, folder: str, listings: Listings) -> str:
    """Return why nothing in a folder can be renamed: it is not there, is not below the root, or a link leads there."""
    parts = folder.split("/") if folder else []
    if {"", ".", ".."} & {*parts}:
        return "not a path below the folder"
    path = root
    for part in parts:
        if part not in listings[path]:
            return "no such file or folder"
        path /= part
        if path.is_symlink():
            return f"'{part}' is a link, and links are not followed"
    return ""


def _source_problem(root: Path, line: Rename, there: set[str]) -> str:
    if line.name not in there:
        return "no such file or folder"
    size, mtime_ns = _state(root / line.path)
    if (line.size is not None and line.size != size) or (line.mtime_ns is not None and line.mtime_ns != mtime_ns):
        return "it has changed since the plan was made"
    return ""


def _warning(root: Path, line: Rename, new_names: dict[str, str]) -> str:
    """Return the warning of the new path, or of the longest path below a folder."""
    folders = [str(path) for path in PurePosixPath(line.path).parents][-2::-1]
    path = "/".join([new_names.get(folder) or folder.rpartition("/")[2] for folder in folders] + [line.new_name])
    longest = max(_paths_below(root / line.path), key=len, default="")
    return windows_warning(path) or (windows_warning(f"{path}/{longest}") if longest else "")


def _paths_below(folder: Path) -> Iterator[str]:
    for place, folders, files in () if folder.is_symlink() else os.walk(folder):
        for name in (*folders, *files):
            yield os.path.relpath(f"{place}/{name}", folder)


def _state(path: Path) -> tuple[int | None, int | None]:
    """Return size and time of a file; of a folder neither, since both change with what is in it."""
    found = path.lstat()
    return (None, None) if stat.S_ISDIR(found.st_mode) else (found.st_size, found.st_mtime_ns)
