"""Random trees of files, random plans of renames for them, and the tree that a plan must give."""

import os
import random
import unicodedata
from pathlib import Path

from zddc.rename_journal import JOURNALS
from zddc.renaming import Rename
from zddc.windows_names import comparable, windows_problem

# Names that a file system may fold in different ways, and names that only a source may have.
STEMS = ("a", "B", "Plan 1", "Übersicht", "e\u0301tat", "Straße", "ﬁle", "Ωmega", "x" * 200, "-n", "=1+1", ".hidden")
ODD = ("two\nlines", "back\\slash", "CON", "dot.", "blank ", os.fsdecode(b"byte\xff"))
EXTENSIONS = ("", ".pdf", ".PDF", ".tar.gz")

Snapshot = dict[str, bytes | None]


def make_tree(chance: random.Random, root: Path, *, depth: int = 2) -> None:
    """Make a tree in which no two names of a folder are one for a file system that folds letter case."""
    taken = {comparable(path.name) for path in root.iterdir()}
    for number in range(chance.randint(1, 7)):
        name = chance.choice([*STEMS, *ODD]) + chance.choice(EXTENSIONS)
        if comparable(name) in taken:
            continue
        taken.add(comparable(name))
        if depth and chance.random() < 0.3:
            (root / name).mkdir()
            make_tree(chance, root / name, depth=depth - 1)
        else:
            (root / name).write_bytes(f"{root.name!a} {number}".encode())


def make_plan(chance: random.Random, root: Path) -> list[Rename]:
    """Return a plan that must be accepted: swaps, cycles, chains, other letter case, other normalisation, new names."""
    plan = []
    for place, folders, files in os.walk(root):
        folder = os.path.relpath(place, root)
        names = [name for name in folders + files if chance.random() < 0.7]
        chance.shuffle(names)
        good = [name for name in names if not windows_problem(name)]
        cycle = good[: chance.randint(0, len(good))]
        new_names = dict(zip(cycle, [*cycle[1:], *cycle[:1]], strict=True))
        if cycle and chance.random() < 0.4:
            new_names[cycle[-1]] = f"end of the chain {chance.randrange(100)}"
        for number, name in enumerate(names):
            if name not in new_names:
                forms = (name.swapcase(), unicodedata.normalize("NFD", name), unicodedata.normalize("NFC", name))
                fitting = [form for form in forms if comparable(form) == comparable(name) and not windows_problem(form)]
                new_names[name] = chance.choice([*fitting, f"new {number}"])
        plan += [Rename(name if folder == "." else f"{folder}/{name}", new) for name, new in new_names.items()]
    chance.shuffle(plan)
    return plan


def snapshot(root: Path) -> Snapshot:
    """Return every path below ``root`` with the bytes of its file, None for a folder; without the journals."""
    found: Snapshot = {}
    for path in sorted(root.rglob("*")):
        if not path.match(JOURNALS):
            found[path.relative_to(root).as_posix()] = None if path.is_dir() else path.read_bytes()
    return found


def expected(before: Snapshot, plan: list[Rename]) -> Snapshot:
    """Return what a snapshot must become by a plan."""
    new_names = {line.path: line.new_name for line in plan}

    def moved(path: str) -> str:
        folder, _, name = path.rpartition("/")
        return (f"{moved(folder)}/" if folder else "") + new_names.get(path, name)

    return {moved(path): data for path, data in before.items()}
