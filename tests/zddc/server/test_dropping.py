import asyncio
import base64
import errno
import hashlib
import os
import stat
import threading
from collections import namedtuple

import pytest
from tests.zddc.server.asking import request

from zddc import durable
from zddc.access.policy import Policy
from zddc.server import dropping
from zddc.server.dropping import answer_drop, begin, parse_digest
from zddc.server.guard import RefusedError
from zddc.server.opening import AbsentError

KIM, LEE = "kim@acme.example", "lee@acme.example"
FOLDER = "2025-01-02_T-1 (IFC) - Sent"
NAME = "D-1_A (IFC) - Plan.pdf"
PLACE = f"/P/incoming/{FOLDER}/{NAME}"
DATA = b"%PDF-1.4 " * 1000


@pytest.fixture
def root(tmp_path):
    (tmp_path / "P" / "incoming").mkdir(parents=True)
    (tmp_path / ".zddc").write_text('acl: {allow: ["lee@acme.example"]}\n')
    (tmp_path / "P" / "incoming" / ".zddc").write_text('acl: {permissions: {"kim@acme.example": c}}\n')
    return tmp_path


@pytest.fixture
def policy(root):
    with Policy(root) as policy:
        yield policy


def visible(root):
    """Return what everybody sees, and that nothing else is there."""
    files = {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}
    assert not [path for path in files if path.endswith(".part")]
    return {path: data for path, data in files.items() if not path.endswith(".zddc")}


def drop(policy, path=PLACE, data=DATA, email=KIM, most=10**6, length=None, record=lambda *_: True, size=700, **fields):
    """Hand in some bytes, in pieces; the header says how many, unless another length is given."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)] or [b""]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = False

    async def receive():
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    headers = [("content-length", str(len(data) if length is None else length))] if length != "" else []
    headers += [(name.replace("_", "-"), value) for name, value in fields.items()]
    asked = request("PUT", path, headers, email)
    return asyncio.run(answer_drop(asked, receive, policy, most, record))


def refused(policy, *args, **more):
    with pytest.raises(RefusedError) as found:
        drop(policy, *args, **more)
    assert "\n" not in found.value.reason
    return found.value.status


def digest_of(data):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


@pytest.mark.parametrize("data", [b"", DATA, os.urandom(3 * 2**20 + 1)], ids=["empty", "small", "large"])
def test_a_file_is_stored_whole_and_its_sha256_told(root, policy, data):
    lines = []
    answer, decision = drop(policy, data=data, most=10**8, size=70_000, record=lambda *line: lines.append(line) or True)
    assert (answer.status, dict(answer.headers)["repr-digest"]) == (201, digest_of(data))
    assert dict(answer.headers)["location"] == "/P/incoming/2025-01-02_T-1%20%28IFC%29%20-%20Sent/" + (
        "D-1_A%20%28IFC%29%20-%20Plan.pdf"
    )
    assert visible(root) == {PLACE[1:]: data}
    assert lines == [(201, decision, len(data))]
    assert str(decision.by) == "/P/incoming/.zddc line 1"


@pytest.mark.parametrize(("mode", "of_file"), [(0o2770, 0o660), (0o755, 0o644), (0o700, 0o600)])
def test_who_may_write_in_the_incoming_folder_gets_at_what_is_handed_in(root, policy, mode, of_file):
    (root / "P" / "incoming").chmod(mode)
    before = os.umask(0o077)
    try:
        drop(policy)
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / PLACE[1:]).stat().st_mode) == of_file
    assert stat.S_IMODE((root / PLACE[1:]).parent.stat().st_mode) == mode


def test_the_same_again_is_no_mistake_and_other_bytes_change_nothing(root, policy):
    drop(policy)
    assert drop(policy)[0].status == 200
    assert refused(policy, data=DATA[:-1] + b"!") == 409
    assert refused(policy, data=DATA + b"!") == 409
    assert visible(root) == {PLACE[1:]: DATA}


def test_a_folder_in_a_transmittal_is_made(root, policy):
    path = f"/P/incoming/{FOLDER}/native/{NAME}"
    assert drop(policy, path)[0].status == 201
    assert visible(root) == {path[1:]: DATA}


@pytest.mark.parametrize(
    ("path", "email"),
    [
        (PLACE, LEE),
        (PLACE, None),
        (f"/P/{FOLDER}/{NAME}", KIM),
        (f"/Q/incoming/{FOLDER}/{NAME}", KIM),
        (f"/P/incoming/{NAME}", KIM),
        (f"/P/incoming/{FOLDER}/Plan.pdf", LEE),
    ],
)
def test_who_may_not_hand_in_learns_nothing(root, policy, path, email):
    with pytest.raises(AbsentError):
        drop(policy, path, email=email)
    assert visible(root) == {}


def test_a_folder_that_is_closed_or_a_link_takes_nothing(root, policy):
    (root / "P" / "incoming" / FOLDER).symlink_to(root)
    with pytest.raises(AbsentError):
        drop(policy)
    (root / "P" / "incoming" / FOLDER).unlink()
    (root / "P" / "incoming" / FOLDER).mkdir()
    (root / "P" / "incoming" / FOLDER / ".zddc").write_text("nonsense: 1")
    with pytest.raises(AbsentError):
        drop(policy)
    assert visible(root) == {}


def test_who_loses_the_right_meanwhile_has_handed_in_nothing(root, policy):
    one, _ = begin(request("PUT", PLACE, [("content-length", "5")], KIM), policy, 10)
    one.write(b"12345")
    (root / "P" / "incoming" / ".zddc").write_text("acl: {}")
    with pytest.raises(AbsentError):
        one.finish(lambda *_: True)
    one.close()
    one.close()
    assert visible(root) == {}


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (422, {"path": f"/P/incoming/{FOLDER}/Plan.pdf"}),
        (422, {"path": f"/P/incoming/Plans/{NAME}"}),
        (413, {"most": len(DATA) - 1}),
        (411, {"length": ""}),
        (411, {"length": "x"}),
        (400, {"length": len(DATA) + 1}),
        (400, {"length": len(DATA) - 1}),
        (409, {"repr_digest": digest_of(b"other")}),
        (400, {"repr_digest": "sha-256=:x:"}),
        (400, {"content_range": "bytes 0-1/2"}),
        (415, {"content_encoding": "gzip"}),
        (412, {"if_match": "*"}),
    ],
)
def test_what_is_refused_leaves_nothing(root, policy, status, more):
    assert refused(policy, **more) == status
    assert visible(root) == {}


def test_names_that_hardly_differ_are_refused(root, policy):
    drop(policy)
    assert refused(policy, PLACE.replace("Plan", "PLAN")) == 409
    assert refused(policy, PLACE.replace("Sent", "sent")) == 409
    assert visible(root) == {PLACE[1:]: DATA}


def test_a_right_digest_is_taken(root, policy):
    assert drop(policy, repr_digest=f"sha-512=:YWJj:, {digest_of(DATA)}")[0].status == 201


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (None, None),
        ("sha-512=:YWJj:", None),
        (digest_of(b"a"), hashlib.sha256(b"a").digest()),
        (f"unixsum=:AA==:,{digest_of(b'a').upper().replace(digest_of(b'a')[9:].upper(), digest_of(b'a')[9:])}",
         hashlib.sha256(b"a").digest()),
    ],
)  # fmt: skip
def test_a_digest_is_read_from_its_dictionary(field, found):
    assert parse_digest(field) == found


@pytest.mark.parametrize("field", ["sha-256=", "sha-256=::", "sha-256=:YWJj:", "sha-256=abc", "sha-256=:%%%:"])
def test_a_digest_that_is_none_is_refused(field):
    with pytest.raises(RefusedError):
        parse_digest(field)


def test_a_full_disk_is_found_before_and_while_it_is_written(root, policy, monkeypatch):
    Space = namedtuple("Space", "f_bavail f_frsize")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstatvfs", lambda _: Space(1, 4096))
        assert refused(policy) == 507

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", fail)
        assert refused(policy) == 507
    assert visible(root) == {}


def test_a_disk_that_fails_is_no_success(root, policy, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        drop(policy)
    assert visible(root) == {}


def test_the_bytes_are_on_the_disk_before_the_name_and_then_the_name_is(root, policy, monkeypatch):
    sync, synced = os.fsync, []

    def note(descriptor):
        synced.append((stat.S_ISREG(os.fstat(descriptor).st_mode), (root / PLACE[1:]).exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    drop(policy)
    assert (True, False) in synced
    assert synced[-1] == (False, True)


def test_without_its_line_in_the_audit_nothing_is_stored(root, policy):
    assert refused(policy, record=lambda *_: False) == 503
    assert visible(root) == {}


def test_a_content_that_comes_too_slowly_is_given_up(root, policy, monkeypatch):
    monkeypatch.setattr(dropping, "_SECONDS_A_PIECE", 0.01)

    async def never():
        await asyncio.sleep(3600)

    asked = request("PUT", PLACE, [("content-length", "5")], KIM)
    with pytest.raises(RefusedError) as found:
        asyncio.run(answer_drop(asked, never, policy, 10, lambda *_: True))
    assert found.value.status == 408
    assert visible(root) == {}


@pytest.mark.parametrize("has_rename", [True, False])
def test_of_two_senders_of_one_name_one_stores_it(root, policy, monkeypatch, has_rename):
    """The second is held when it has seen that the name is free."""
    if not has_rename:
        monkeypatch.setattr(durable, "_rename_in_one", lambda *_: errno.EINVAL)
    for number, (second, status) in enumerate([(DATA, 200), (DATA[:-1] + b"!", 409)]):
        path = PLACE.replace("D-1", f"D-{number}")
        results = []

        def interrupt(*_, path=path, results=results):
            thread = threading.Thread(target=lambda: results.append(drop(policy, path)[0].status))
            thread.start()
            thread.join()
            return True

        try:
            results.append(drop(policy, path, second, record=interrupt)[0].status)
        except RefusedError as error:
            results.append(error.status)
        assert results == [201, status]
        assert visible(root)[path[1:]] == DATA


@pytest.mark.parametrize(
    "other", [f"/P/incoming/{FOLDER}/d-1_A (IFC) - Plan.pdf", f"/P/incoming/{FOLDER.upper()}/{NAME}"]
)
def test_of_two_that_come_at_once_with_names_that_hardly_differ_one_is_taken(root, policy, other):
    headers = [("content-length", str(len(DATA)))]
    drops = [begin(request("PUT", path, headers, KIM), policy, 10**6)[0] for path in (PLACE, other)]
    for one in drops:
        one.write(DATA)
    assert drops[0].finish(lambda *_: True).status == 201
    with pytest.raises(RefusedError, match="in letter case or accents only"):
        drops[1].finish(lambda *_: True)
    for one in drops:
        one.close()
    assert list(visible(root)) == [PLACE[1:]]
