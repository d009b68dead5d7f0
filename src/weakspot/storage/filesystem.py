"""Which kind of file system a file lies on, as locks and syncs cannot be relied on everywhere."""

import os
from pathlib import Path

# Another machine, or the host of a virtual one, may write there under locks that this one does not see, or answer
# that something is on its disk which is not.
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
    """Return the type of the file system (``ext4``, ``nfs4``, ``fuse.sshfs``) that has or would have ``path``.

    None where the system does not tell.
    """
    target = path.resolve()
    nearest = next(place for place in (target, *target.parents) if place.exists())
    try:
        # The system says itself through which mount it came there, however mounts hide each other.
        descriptor = os.open(nearest, os.O_PATH | os.O_CLOEXEC)
        try:
            about = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
        finally:
            os.close(descriptor)
        return kind_of_mount(about, Path("/proc/self/mountinfo").read_text(errors="replace"))
    except (OSError, AttributeError):  # no /proc, or no Linux
        return None


def kind_of_mount(fdinfo: str, mountinfo: str) -> str | None:
    """Return the type of the mount that ``fdinfo`` names as its ``mnt_id``; None where it or its line is missing.

    Both are texts in the form of proc_pid_fdinfo(5) and proc_pid_mountinfo(5).
    """
    about = dict(line.partition(":")[::2] for line in fdinfo.split("\n"))
    wanted = about.get("mnt_id", "").strip()
    for line in mountinfo.split("\n"):
        mount, _, source = line.partition(" - ")
        if wanted and mount.split(" ")[0] == wanted and source:
            return source.split(" ")[0]
    return None
