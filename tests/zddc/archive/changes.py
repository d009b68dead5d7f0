"""An archive on the disk that changes at random."""

import os
import random
import shutil
import zipfile
from pathlib import Path

from tests import archives

from zddc.archive.index import Index
from zddc.archive.tree import join


def snapshot(index: Index) -> tuple[object, ...]:
    """Return all that an index knows."""
    documents = {number: index.document(number) for number in index.tracking_numbers()}
    return index.listings, documents, list(index.entries()), list(index.left_out())


class World:
    """A tree that changes at random, and the folders that were changed."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.chance, self.serial = root, random.Random(seed), 0
        archives.write(root, archives.draw(60, seed, per_folder=6, odd=0.2))
        self.files = list(archives.draw(2000, seed + 1, odd=0.2))

    def folders(self) -> list[str]:
        found = [Path(folder).relative_to(self.root).as_posix() for folder, _, _ in os.walk(self.root)]
        return ["" if folder == "." else folder for folder in found]

    def change(self) -> list[str]:
        """Change something; return the folders that a watcher would name."""
        folder = self.chance.choice(self.folders())
        names = sorted(one.name for one in (self.root / folder).iterdir())
        drawn = self.chance.choice(self.files)
        operation = self.chance.choice(("add", "add", "write", "remove", "rename", "move", "folder", "zip", "link"))
        self.serial += 1
        name = drawn.path.rpartition("/")[2]
        if operation == "folder":
            name = self.chance.choice((drawn.path.split("/")[-2], "received", f"F {self.serial}"))
        target = self.root / folder / name
        if operation == "add" and not target.is_dir() and not target.is_symlink():
            target.write_bytes(drawn.content)
        elif operation == "folder" and not os.path.lexists(target):
            target.mkdir()
            (target / drawn.path.rpartition("/")[2]).write_bytes(b"new")
        elif operation == "zip":
            self.make_zip(self.root / folder / f"2025-01-01_Z-{self.chance.randrange(3)} (IFC) - Zipped.zip")
        elif operation == "link" and not os.path.lexists(target):
            target.symlink_to(self.root)
        elif names:
            return self.change_existing(folder, self.chance.choice(names), operation)
        return [folder]

    def change_existing(self, folder: str, name: str, operation: str) -> list[str]:
        place = self.root / folder / name
        if operation == "remove":
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        elif operation == "rename":
            place.rename(place.with_name(f"{self.serial} {name}"[:200]))
        elif operation == "move":
            other = self.chance.choice(self.folders())
            target = self.root / other / name
            if not f"{other}/".startswith(f"{join(folder, name)}/") and not os.path.lexists(target):
                place.rename(target)
                return [folder, other]
        elif place.is_file() and not place.is_symlink():
            place.write_bytes(b"written again" * self.serial)
        return [folder]

    def make_zip(self, file: Path) -> None:
        if not file.is_dir() and not file.is_symlink():
            with zipfile.ZipFile(file, "w") as made:
                for name in {drawn.path.rpartition("/")[2] for drawn in self.chance.sample(self.files, 3)}:
                    made.writestr(zipfile.ZipInfo(name), b"zipped")
