"""What is right is received and confirmed, what is wrong stays where it is, and a run that was killed is done again.

With WEAKSPOT_SOAK=1 a process is killed at every one of its system calls.
"""

import errno
import itertools
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from tests.zddc.system_calls import killed_at
from tests.zddc.transmittal.made import (
    ACKNOWLEDGEMENT,
    FILES,
    FOLDER,
    NOW,
    PAGE,
    RECEIVER,
    THUMBPRINTS,
    send,
    write_files,
)

from zddc import receiving
from zddc.errors import UserError
from zddc.hashing import LIST_NAME
from zddc.receiving import Receiver, RefusedError, destination, receive
from zddc.transmittal.data import read_transmittal
from zddc.transmittal.delivery import check_delivery, find_page
from zddc.transmittal.known_keys import KnownKey
from zddc.transmittal.signatures import check_signatures

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
# Of the system calls at which a process can be killed, each that many.
EACH_CALL = 1 if SOAK else 53

LAYOUT = next(iter(FILES))


@pytest.fixture
def incoming(tmp_path):
    (tmp_path / "Acme" / "incoming").mkdir(parents=True)
    return send(tmp_path / "Acme" / "incoming")


@pytest.fixture
def received(incoming):
    return destination(incoming)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def take(incoming, received, **options):
    return receive(incoming, received, Receiver(**options), NOW)


def refuse(incoming, received, **options) -> dict[str, str]:
    """Return the problems for which a folder is refused; nothing may have moved."""
    before = tree(incoming.parent.parent)
    with pytest.raises(RefusedError) as caught:
        take(incoming, received, **options)
    assert tree(incoming.parent.parent) == before
    return {problem.path: problem.reason for problem in caught.value.problems}


def test_what_is_right_is_moved_and_confirmed(incoming, received):
    before = tree(incoming)
    receipt = take(incoming, received, key=RECEIVER, known=(KnownKey(THUMBPRINTS[0], "Acme"),))
    after = tree(received / FOLDER)
    assert (receipt.folder, receipt.acknowledgement.name) == (received / FOLDER, ACKNOWLEDGEMENT)
    assert not incoming.exists()
    assert {name: data for name, data in after.items() if name != ACKNOWLEDGEMENT} == before
    made = read_transmittal(receipt.acknowledgement)
    assert check_signatures(made).signatures[0].label == "Received By"
    assert (made["from"], made["to"]) == ("Pipe-Co", "Acme")
    assert {row.place for row in made.files} == {*FILES, PAGE}
    assert "verified 3" in made["remarks"]
    assert "Signature: valid, known key" in made["remarks"]
    assert not check_delivery(received / FOLDER, *find_page(received / FOLDER), ()).differs
    assert [path.name for path in received.iterdir()] == [FOLDER]


def test_it_is_received_once(incoming, received):
    take(incoming, received)
    with pytest.raises(UserError, match="received already"):
        take(incoming, received)


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        (lambda folder: (folder / LAYOUT).write_bytes(b"other!\n"), LAYOUT, "changed"),
        (lambda folder: (folder / LAYOUT).unlink(), LAYOUT, "missing"),
        (lambda folder: (folder / "A-1_B (IFC) - T.pdf").touch(), "A-1_B (IFC) - T.pdf", "extra"),
        (lambda folder: (folder / "scan.pdf").touch(), "scan.pdf", "extra"),
        (lambda folder: (folder / ".hidden").touch(), ".hidden", "extra"),
        (lambda folder: (folder / LAYOUT).rename(folder / "drawings" / LAYOUT), LAYOUT, f"moved: drawings/{LAYOUT}"),
        (lambda folder: (folder / "link").symlink_to(LAYOUT), "link", "unreadable: a link, and links are not followed"),
    ],
)
def test_what_differs_is_refused(incoming, received, change, path, reason):
    change(incoming)
    assert refuse(incoming, received)[path] == reason
    assert not received.exists()


def edit_page(folder: Path, old: str, new: str) -> None:
    text = (folder / PAGE).read_text(encoding="utf-8")
    assert old in text
    (folder / PAGE).write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"to": "Pipe-Co"', '"to": "Rock"', "its list was changed after it was published"),
        ('"label": "Sender"', '"label": "Director"', "a signature is not valid: who signed or when was changed since"),
        ('"digest": "', '"digest": "", "x": "', None),
        ('"digestedAt": "2025', '"digestedAt": "2024', "a signature is not valid: the signature is not that of"),
    ],
)
def test_a_page_that_was_changed_is_refused_whatever_is_accepted(incoming, received, old, new, reason):
    edit_page(incoming, old, new)
    if reason is None:
        with pytest.raises(UserError, match="signatures without a digest"):
            take(incoming, received, accepted="I trust them")
        return
    assert refuse(incoming, received, accepted="I trust them")[PAGE].startswith(reason)


def test_a_draft_is_refused(tmp_path, received, incoming):
    shutil.rmtree(incoming)
    send(incoming.parent, sign=False)
    text = (incoming / PAGE).read_text(encoding="utf-8")
    start = text.index('"envelope"')
    end = text.index('"presentation"')
    (incoming / PAGE).write_text(f'{text[:start]}"envelope": {{}},\n  {text[end:]}', encoding="utf-8")
    assert refuse(incoming, received)[PAGE] == "a draft: its sender has not published it"


def test_the_page_of_another_folder_is_refused(incoming, received):
    other = incoming.rename(incoming.with_name(FOLDER.replace("2025-10-31", "2025-11-01")))
    assert refuse(other, received)[PAGE] == "its date is '2025-10-31', that of the folder '2025-11-01'"


def test_a_folder_with_a_wrong_name_is_refused(incoming, received):
    other = incoming.rename(incoming.with_name("Civil package"))
    assert refuse(other, received) == {"Civil package": "no date written as YYYY-MM-DD at the start"}


def test_what_is_not_complete_may_be_accepted_with_a_reason(incoming, received):
    (incoming / LAYOUT).unlink()
    (incoming / "scan.pdf").write_bytes(b"scan")
    receipt = take(incoming, received, accepted="the rest comes on Monday")
    remarks = read_transmittal(receipt.acknowledgement)["remarks"]
    assert "Accepted all the same: the rest comes on Monday" in remarks
    assert f"- missing: {LAYOUT}" in remarks


def test_what_was_changed_is_not_accepted(incoming, received):
    (incoming / LAYOUT).write_bytes(b"other!\n")
    assert refuse(incoming, received, accepted="never mind") == {LAYOUT: "changed"}


def test_without_a_transmittal_a_list_is_enough_and_nothing_is_not(incoming, received):
    (incoming / PAGE).unlink()
    with pytest.raises(UserError, match="--by"):
        take(incoming, received)
    (incoming / LIST_NAME).unlink()
    assert refuse(incoming, received, name="Pipe-Co") == {FOLDER: f"neither a transmittal nor a {LIST_NAME} in it"}
    receipt = take(incoming, received, name="Pipe-Co", accepted="they have no tool")
    made = read_transmittal(receipt.acknowledgement)
    assert (made["from"], made["to"]) == ("Pipe-Co", "Acme")
    assert "without a transmittal" in made["remarks"]


def test_only_what_is_in_incoming_has_a_place(tmp_path):
    with pytest.raises(UserError, match="--to"):
        destination(tmp_path / FOLDER)
    (tmp_path / "Incoming").mkdir()
    assert destination(tmp_path / "Incoming" / FOLDER) == tmp_path / "Received"
    (tmp_path / "RECEIVED").mkdir()
    assert destination(tmp_path / "Incoming" / FOLDER) == tmp_path / "RECEIVED"


def test_another_folder_of_that_name_is_never_touched(incoming, received):
    write_files(received / FOLDER, {"other.pdf": b"x"})
    before = tree(received.parent)
    with pytest.raises(UserError, match="there already"):
        take(incoming, received)
    assert tree(received.parent) == before


def test_another_list_of_hashes_is_not_lost_either(incoming, received):
    shutil.copytree(incoming, received / FOLDER)
    (incoming / LIST_NAME).write_bytes(b"# of the sender\n" + (incoming / LIST_NAME).read_bytes())
    with pytest.raises(UserError, match=f"there already, without this file of the other one: '{LIST_NAME}'"):
        take(incoming, received)
    assert (incoming / LIST_NAME).exists()


def test_what_changes_between_check_and_move_goes_back(incoming, received, monkeypatch):
    move = receiving._move

    def change_and_move(folder, source, target, read):
        (folder / LAYOUT).write_bytes(b"other!\n")
        return move(folder, source, target, read)

    monkeypatch.setattr(receiving, "_move", change_and_move)
    with pytest.raises(RefusedError) as caught:
        take(incoming, received)
    assert [problem.reason for problem in caught.value.problems] == ["changed"]
    assert (incoming / LAYOUT).exists()
    assert not (received / FOLDER).exists()


def test_two_runs_do_not_meet(incoming, received):
    with receiving._alone(incoming.parent), pytest.raises(UserError, match="another 'zddc receive'"):
        take(incoming, received)


def another_disk(monkeypatch) -> None:
    """Make each rename between two folders one between two file systems."""
    rename = receiving.rename_without_replacing

    def rename_here(folder, old, new, target=None):
        if target is not None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(folder, old, new)

    monkeypatch.setattr(receiving, "rename_without_replacing", rename_here)


def test_onto_another_file_system_it_is_copied_and_compared(incoming, received, monkeypatch):
    another_disk(monkeypatch)
    before = tree(incoming)
    take(incoming, received)
    after = tree(received / FOLDER)
    assert after.pop(ACKNOWLEDGEMENT)
    assert (after, [*incoming.parent.iterdir()], [path.name for path in received.iterdir()]) == (before, [], [FOLDER])


# --- nothing is lost, whatever folder is named


def lead_to(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target, target_is_directory=True)


@pytest.mark.parametrize(
    "prepare",
    [
        lambda incoming: incoming.parent,
        lambda incoming: incoming.parent / ".." / "incoming",
        lambda incoming: incoming,
        lambda incoming: incoming / "drawings",
        lambda incoming: lead_to(incoming.parents[1] / "received", incoming.parent) or incoming.parents[1] / "received",
        lambda incoming: (
            lead_to(incoming.parents[1] / "received" / FOLDER, incoming) or incoming.parents[1] / "received"
        ),
    ],
    ids=["itself", "by another path", "the folder", "in the folder", "a link to incoming", "a link to the folder"],
)
def test_a_folder_is_not_received_where_it_lies(incoming, prepare):
    received = prepare(incoming)
    before = tree(incoming)
    with pytest.raises(UserError, match=r"; say with --to where received transmittals are"):
        take(incoming, received)
    assert tree(incoming) == before


def test_a_link_to_a_folder_is_none(incoming, received):
    shutil.copytree(incoming, received / FOLDER)
    elsewhere = incoming.rename(incoming.parents[2] / "elsewhere")
    incoming.symlink_to(elsewhere)
    with pytest.raises(UserError, match="no such folder"):
        take(incoming, received)
    assert incoming.is_symlink()


def test_two_runs_into_one_folder_do_not_meet(incoming, received):
    received.mkdir()
    before = tree(received.parent)
    with receiving._alone(received), pytest.raises(UserError, match="another 'zddc receive'"):
        take(incoming, received)
    assert tree(received.parent) == before


def test_a_new_folder_is_on_the_disk_before_anything_is_in_it(incoming, received, monkeypatch):
    synced = []
    monkeypatch.setattr(receiving, "sync_folder", lambda folder: synced.append(os.fstat(folder).st_ino))
    take(incoming, received)
    assert synced[0] == received.parent.stat().st_ino


def test_what_cannot_be_read_any_more_after_the_move_goes_back(incoming, received, monkeypatch):
    move = receiving._move

    def change_and_move(folder, source, target, read):
        (folder / LIST_NAME).write_bytes(b"no list\n")
        return move(folder, source, target, read)

    monkeypatch.setattr(receiving, "_move", change_and_move)
    with pytest.raises(UserError, match="not a SHA-256 and a path"):
        take(incoming, received)
    assert (incoming / LAYOUT).exists()
    assert not (received / FOLDER).exists()


# --- a zip


def pack(folder: Path, prefix: str = "", name: str = "") -> Path:
    """Make a zip of a folder beside it, in its place."""
    packed = folder.with_name(f"{name or folder.name}.zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{prefix}{file.relative_to(folder)}")
    shutil.rmtree(folder)
    return packed


@pytest.mark.parametrize(
    ("prefix", "name"),
    [("", ""), ("", FOLDER), (f"{FOLDER}/", "Re_ transmittal (1)"), ("files/", FOLDER)],
)
def test_a_zip_is_unpacked_confirmed_and_removed(incoming, received, prefix, name):
    before = tree(incoming)
    receipt = take(pack(incoming, prefix, name), received)
    after = tree(received / FOLDER)
    assert after.pop(ACKNOWLEDGEMENT)
    assert (receipt.folder, after) == (received / FOLDER, before)
    assert ([*incoming.parent.iterdir()], [path.name for path in received.iterdir()]) == ([], [FOLDER])
    assert not check_delivery(received / FOLDER, *find_page(received / FOLDER), ()).differs


def test_a_zip_that_differs_stays_and_nothing_is_unpacked(incoming, received):
    (incoming / LAYOUT).write_bytes(b"other!\n")
    packed = pack(incoming)
    assert refuse(packed, received) == {LAYOUT: "changed"}
    assert not received.exists()


def test_of_a_zip_what_is_not_complete_may_be_accepted(incoming, received):
    (incoming / LAYOUT).unlink()
    receipt = take(pack(incoming), received, accepted="the rest comes on Monday")
    assert f"- missing: {LAYOUT}" in read_transmittal(receipt.acknowledgement)["remarks"]


def test_a_zip_with_a_wrong_name_is_refused(incoming, received):
    packed = pack(incoming, name="transmittal")
    assert refuse(packed, received) == {"transmittal": "no date written as YYYY-MM-DD at the start"}


def test_beside_another_folder_of_that_name_a_zip_stays(incoming, received):
    write_files(received / FOLDER, {"other.pdf": b"x"})
    packed = pack(incoming)
    with pytest.raises(UserError, match="there already"):
        take(packed, received)
    assert packed.exists()


def test_a_zip_that_was_replaced_while_it_was_unpacked_stays(incoming, received, monkeypatch):
    packed = pack(incoming)
    move = receiving._move

    def replace_and_move(file, source, target, read):
        shutil.copyfile(file, file.with_name("new"))
        file.with_name("new").replace(file)
        return move(file, source, target, read)

    monkeypatch.setattr(receiving, "_move", replace_and_move)
    with pytest.raises(UserError, match="it changed while it was unpacked"):
        take(packed, received)
    assert packed.exists()


def test_a_zip_that_does_not_fit_leaves_nothing(incoming, received, monkeypatch):
    packed = pack(incoming)

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", fail)
    with pytest.raises(OSError, match="No space left"):
        take(packed, received)
    assert ([*received.iterdir()], packed.exists()) == ([], True)


@pytest.mark.slow
@pytest.mark.timeout(7200 if SOAK else 300)
@pytest.mark.parametrize("way", ["renamed", "copied", "unpacked"])
def test_a_run_that_was_killed_anywhere_is_done_again(tmp_path, monkeypatch, way):
    if way == "copied":
        another_disk(monkeypatch)
    original = tmp_path / "original"
    (original / "incoming").mkdir(parents=True)
    sent = tree(send(original / "incoming"))
    came = pack(original / "incoming" / FOLDER).name if way == "unpacked" else FOLDER
    killed = 0
    for number in itertools.count(0, EACH_CALL):
        root = shutil.copytree(original, tmp_path / "root")
        incoming, received = root / "incoming" / came, root / "received"

        def run(incoming=incoming, received=received):
            take(incoming, received, key=RECEIVER)

        if not killed_at(number, run):
            break
        killed += 1
        complete = (received / FOLDER / ACKNOWLEDGEMENT).exists()
        if not complete:
            run()
        after = tree(root)
        assert after.pop(f"received/{FOLDER}/{ACKNOWLEDGEMENT}"), number
        assert after == {f"received/{FOLDER}/{name}": data for name, data in sent.items()}, number
        shutil.rmtree(root)
    assert killed > 5
