"""A file system that keeps letter case and Unicode normalisation of names, and finds a file by any of their forms.

``python folding_disk.py FOLDER MOUNTPOINT`` shows FOLDER there until it is unmounted.
"""

import errno
import os
import sys
import unicodedata
from pathlib import Path

import mfusepy


def fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class FoldingDisk(mfusepy.Operations):
    """Every operation finds its path in the folder by folded names; a new name is stored as it is given."""

    use_ns = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, path: str) -> Path:
        place = self.folder
        for part in Path(path).parts[1:]:
            there = place.iterdir() if place.is_dir() else ()
            place /= next((one.name for one in there if fold(one.name) == fold(part)), part)
        return place

    def getattr(self, path, fh=None):
        found = self.find(path).lstat()
        keys = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid")
        times = {f"st_{kind}time": getattr(found, f"st_{kind}time_ns") for kind in "amc"}
        return {**{key: getattr(found, key) for key in keys}, **times}

    def readdir(self, path, fh):
        return [".", "..", *(one.name for one in self.find(path).iterdir())]

    def rename(self, old, new):
        source, target = self.find(old), self.find(new)
        source.rename(target.with_name(Path(new).name) if target == source else target)
        return 0

    def create(self, path, mode, fi=None):
        return os.open(self.find(path), os.O_RDWR | os.O_CREAT, mode)

    def open(self, path, flags):
        return os.open(self.find(path), flags)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self.find(path), length)
        return 0

    def fsync(self, path, datasync, fh):
        os.fsync(fh)
        return 0

    def release(self, path, fh):
        os.close(fh)
        return 0

    def link(self, target, source):
        if os.path.lexists(self.find(target)):
            raise mfusepy.FuseOSError(errno.EEXIST)
        self.find(target).hardlink_to(self.find(source))
        return 0

    def unlink(self, path):
        self.find(path).unlink()
        return 0

    def mkdir(self, path, mode):
        self.find(path).mkdir(mode)
        return 0

    def rmdir(self, path):
        self.find(path).rmdir()
        return 0

    def utimens(self, path, times=None):
        os.utime(self.find(path), ns=times)
        return 0


if __name__ == "__main__":
    options = {"entry_timeout": 0, "attr_timeout": 0, "negative_timeout": 0}
    mfusepy.FUSE(FoldingDisk(Path(sys.argv[1])), sys.argv[2], foreground=True, nothreads=True, **options)
