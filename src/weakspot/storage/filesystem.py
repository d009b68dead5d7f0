"""Detects the file system of a path: on network file systems locks and syncs cannot be relied on."""

import functools
import os
from pathlib import Path

# On these another machine (or the host of a virtual one) may write under locks that this machine does not see, or may
# report data as stored that is not on its disk.
NETWORK = frozenset(
    {
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "ncpfs",
            "afs",
            "coda",
            "ceph",
            "lustre",
            "gpfs",
            "beegfs",
            "orangefs",
        ),
        *("glusterfs", "davfs", "9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs"),
        *("fuse.sshfs", "fuse.smbnetfs", "fuse.curlftpfs", "fuse.davfs", "fuse.davfs2", "fuse.glusterfs", "fuse.ceph"),
        *(
            "fuse.s3fs",
            "fuse.goofys",
            "fuse.mount-s3",
            "fuse.gcsfuse",
            "fuse.blobfuse",
            "fuse.blobfuse2",
            "fuse.rclone",
        ),
        *("fuse.juicefs", "fuse.seaweedfs", "fuse.moosefs", "fuse.lizardfs", "fuse.gvfsd-fuse", "fuse.grpcfuse"),
        *("fuse.osxfs", "fuse.vmhgfs-fuse", "fuse.hdfs", "fuse.fuse_dfs"),
    }
)


def kind(path: Path) -> str | None:
    """Return the type of the file system (``ext4``, ``nfs4``, ``fuse.sshfs``) that contains or would contain ``path``.

    None if the system does not say. It is asked once about a file or folder: another mount in its place has another
    device.
    """
    try:
        there, about = path, path.stat()
    except OSError:
        target = path.resolve()
        there = next(place for place in (target, *target.parents) if place.exists())
        about = there.stat()
    return _kind_there(there.absolute(), about.st_dev, about.st_ino)


@functools.lru_cache(maxsize=64)
def _kind_there(there: Path, _device: int, _inode: int) -> str | None:
    try:
        # The kernel names the mount of an open descriptor; that is right even where mounts hide each other.
        descriptor = os.open(there, os.O_PATH | os.O_CLOEXEC)
        try:
            about = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
        finally:
            os.close(descriptor)
        return kind_of_mount(about, Path("/proc/self/mountinfo").read_text(errors="replace"))
    except (OSError, AttributeError):  # no /proc, or not Linux
        return None


def kind_of_mount(fdinfo: str, mountinfo: str) -> str | None:
    """Return the type of the mount whose ``mnt_id`` stands in ``fdinfo``; None if the id or its line is missing.

    The formats of both texts are those of proc_pid_fdinfo(5) and proc_pid_mountinfo(5).
    """
    about = dict(line.partition(":")[::2] for line in fdinfo.split("\n"))
    wanted = about.get("mnt_id", "").strip()
    for line in mountinfo.split("\n"):
        mount, _, source = line.partition(" - ")
        if wanted and mount.split(" ")[0] == wanted and source:
            return source.split(" ")[0]
    return None
