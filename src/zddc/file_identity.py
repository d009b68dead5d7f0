"""Opens what others may change meanwhile, and tells whether a file is still what it was."""

import os

# Not followed where it is a link, and not waited for where it is a pipe.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# A folder that is no link.
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Two changes within one tick of a file system's clock look alike: what is younger may change again without a new time.
SETTLED_NS = 2_000_000_000


def identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    """Return what changes whenever the content of a file does: device, inode, size, mtime and ctime in ns.

    The time of change that the system keeps (ctime) is among them, since any program can set the other one back.
    """
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
