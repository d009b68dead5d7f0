import contextlib
import os
import random
import threading
from pathlib import Path

import pytest

from zddc.access.policy import Policy
from zddc.server.opening import AbsentError, open_path

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
KIM, LEE = "kim@acme.example", "lee@rival.example"
CLIENTS, READS = 4, 60_000 if SOAK else 1000


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "root"
    (root / "open" / "closed").mkdir(parents=True)
    (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\n')
    (root / "open" / "a.txt").write_text("a")
    (root / "open" / "closed" / ".zddc").write_text("acl: {deny: ['*'], allow: [lee@rival.example]}\n")
    (root / "open" / "closed" / "b.txt").write_text("b")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.txt").write_text("secret")
    return root


def read(policy, names, email=KIM) -> bytes:
    opened = open_path(policy, names, email)
    try:
        return b"" if opened.is_folder else os.read(opened.descriptor, 100)
    finally:
        os.close(opened.descriptor)


def test_what_somebody_may_read_is_opened(root):
    with Policy(root) as policy:
        assert read(policy, ("open", "a.txt")) == b"a"
        for names in ((), ("open",)):
            opened = open_path(policy, names, KIM)
            assert opened.is_folder
            assert str(opened.decision.by) == "/.zddc line 1"
            os.close(opened.descriptor)


@pytest.mark.parametrize(
    "names",
    [
        ("none",), ("open", "none.txt"), ("none", "a.txt"), ("open", "a.txt", "b"), (".zddc",), ("open", ".zddc"),
        ("open", ".."), ("..",), ("open", "closed"), ("open", "closed", "b.txt"), ("open", "closed", "none"),
        ("link.txt",), ("link", "a.txt"), ("pipe",), ("socket",), ("a" * 256,), ("link-in",), ("Open", "a.txt"),
    ],
)  # fmt: skip
def test_all_else_is_absent(root, tmp_path, names):
    (root / "link.txt").symlink_to(tmp_path / "secret" / "a.txt")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "link-in").symlink_to("open")
    os.mkfifo(root / "pipe")
    os.mknod(root / "socket", 0o140600)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Policy(root) as policy, pytest.raises(AbsentError):
        open_path(policy, names, KIM)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_rules_name_the_line_that_refuses(root):
    with Policy(root) as policy, pytest.raises(AbsentError) as refused:
        open_path(policy, ("open", "closed"), KIM)
    assert str(refused.value.decision.by) == "/open/closed/.zddc line 1"


def test_what_is_swapped_for_a_link_is_never_followed(root, tmp_path):
    """B3: files and folders become links to a secret and back, while others read."""
    ended, found, reads = threading.Event(), [], []
    places = [root / "open" / "a.txt", root / "open"]
    secrets = [tmp_path / "secret" / "a.txt", tmp_path / "secret"]

    def swap():
        aside = tmp_path / "aside"
        while not ended.is_set():
            number = random.randrange(2)
            places[number].rename(aside)
            places[number].symlink_to(secrets[number])
            places[number].unlink()
            aside.rename(places[number])

    def ask(policy):
        count = 0
        while count < READS // CLIENTS or not found:  # the swapper may be stopped in the middle for a while
            count += 1
            with contextlib.suppress(AbsentError):
                found.append(read(policy, ("open", "a.txt")))
        reads.append(count)

    with Policy(root) as policy:
        threads = [threading.Thread(target=ask, args=(policy,)) for _ in range(CLIENTS)]
        swapper = threading.Thread(target=swap)
        for thread in (swapper, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        ended.set()
        swapper.join()
    assert sum(reads) >= READS
    assert set(found) == {b"a"}
