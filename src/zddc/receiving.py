"""Takes a transmittal from ``incoming`` into ``received``, once all of it is right, and confirms it.

A transmittal is a folder, or a zip of one, which is unpacked. The acknowledgement is written last: where it is,
everything else is done. A run that was stopped at any point before is done again.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zddc.durable import lock_folder, open_folder, rename_without_replacing, sync_folder, write_new
from zddc.errors import UserError
from zddc.hash_cache import RunCache
from zddc.hashing import LIST_NAME, Finding, HashedFile, Root, find_files, has_list, hash_file, verify
from zddc.naming import FolderName, format_filename, parse_filename, parse_folder
from zddc.transmittal.acknowledgement import LABEL, PURPOSE, TITLE, describe, make_acknowledgement, revision_of
from zddc.transmittal.delivery import Report, check_delivery, find_page, is_hidden, row_of
from zddc.transmittal.known_keys import KnownKey
from zddc.transmittal.page import make_page, read_viewer
from zddc.transmittal.signatures import add_signature
from zddc.zipped import ZipFolder, is_zip

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

Read = Callable[[Root, str], HashedFile]

# What may be accepted with a reason. What was changed is another document: only the sender can put that right.
ACCEPTABLE = ("missing", "extra", "moved", "renamed")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a folder that came in. ``acceptable``: it may be taken all the same, with a reason."""

    path: str
    reason: str
    acceptable: bool = False


class RefusedError(UserError):
    """A folder that is left where it is: ``problems`` has each reason."""

    def __init__(self, folder: Path, found: list[Problem]) -> None:
        remedy = "ask the sender to put it right; nothing was moved"
        if all(problem.acceptable for problem in found):
            remedy = "ask the sender to put it right, or take it with --accept-incomplete REASON; nothing was moved"
        super().__init__(folder, "1 problem" if len(found) == 1 else f"{len(found)} problems", remedy)
        self.problems = found


@dataclass(frozen=True)
class Receiver:
    """Who receives: names for the acknowledgement, known keys, a key to sign with, a reason to accept what is wrong.

    Without ``name`` it is the one to whom the transmittal was sent, without ``sender`` the one from whom it is.
    """

    name: str = ""
    sender: str = ""
    known: tuple[KnownKey, ...] = ()
    key: "EllipticCurvePrivateKey | None" = None
    accepted: str = ""


@dataclass(frozen=True)
class Receipt:
    """What was received: the folder where it is now, its acknowledgement, and what was found."""

    folder: Path
    acknowledgement: Path
    report: Report | None


def destination(incoming: Path) -> Path:
    """Return where a folder in ``incoming`` goes to: ``received`` beside it, in the letter case that is there.

    Raises :class:`UserError` where it is not in an ``incoming``.
    """
    kind = _place(incoming).parent
    if kind.name.lower() != "incoming":
        raise UserError(incoming, "not in a folder named 'incoming'", "say with --to where received transmittals are")
    there = [one for one in kind.parent.iterdir() if one.name.lower() == "received" and one.is_dir()]
    return there[0] if there else kind.parent / ("Received" if kind.name[0] == "I" else "received")


def _place(folder: Path) -> Path:
    """Return a folder by a path that names the folder around it."""
    return folder if folder.parent.name else folder.absolute()


def receive(incoming: Path, received: Path, receiver: Receiver, now: datetime) -> Receipt:
    """Check a folder or a zip, move it into ``received``, and write its acknowledgement there.

    Raises :class:`RefusedError`, and moves nothing, where anything is wrong that was not accepted, and
    :class:`UserError` where it was received already.
    """
    incoming = _place(incoming)
    if incoming.is_symlink():
        raise UserError(incoming, "no such folder", "give a transmittal folder that came in")
    with _alone(incoming.parent), contextlib.ExitStack() as opened:
        source = opened.enter_context(ZipFolder(incoming)) if is_zip(incoming) else incoming
        # A zip that is gone was unpacked by a run that was stopped.
        is_gone = incoming.suffix.lower() == ".zip" and not incoming.exists()
        called = incoming.stem if is_gone else source.name
        name = parse_folder(called)
        if not name.valid:
            raise RefusedError(incoming, [Problem(called, name.reason)])
        return _receive(incoming, source, received / called, receiver, now)


def _receive(incoming: Path, source: Root, target: Path, receiver: Receiver, now: datetime) -> Receipt:
    name = parse_folder(target.name)
    read = partial(hash_file, cache=RunCache())
    _require_elsewhere(incoming, target)
    if not os.path.lexists(target):
        if not incoming.is_dir() and not isinstance(source, ZipFolder):
            raise UserError(incoming, "no such folder", "give a transmittal folder that came in")
        _parties(incoming, check(source, incoming, name, receiver, read), receiver)
        _make_folder(target.parent)
    with _alone(target.parent):
        _remove_leftovers(target)
        if os.path.lexists(target):
            _require_unfinished(source, target, name, read)
            copied, report = True, check(target, target, name, receiver, read)
        else:
            copied = _move(incoming, source, target, read)
            # What the sender's program did meanwhile must not be confirmed; what did not change is not read again.
            report = _check_again(incoming, target, name, receiver, read, copied=copied)
        if copied:
            _remove_source(incoming, source, target, read)
        acknowledgement = _acknowledge(incoming, target, report, receiver, now, read)
    return Receipt(target, acknowledgement, report)


def _require_elsewhere(incoming: Path, target: Path) -> None:
    """Raise :class:`UserError` where a folder would be moved onto itself, or into itself: it would be lost."""
    came, goes = incoming.resolve(), target.parent.resolve()
    is_there = target.parent.is_dir() and target.parent.samefile(incoming.parent)
    if is_there or goes.is_relative_to(came) or target.is_symlink():
        problem = f"'{target.name}' is there already, as a link" if target.is_symlink() else "it came in there"
        raise UserError(target.parent, problem, "say with --to where received transmittals are")


def _make_folder(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        with open_folder(folder.parent) as descriptor:
            sync_folder(descriptor)


def acknowledgement_name(name: FolderName) -> str:
    """Return the name of the acknowledgement of a folder."""
    number = name.tracking_number
    return format_filename(
        tracking_number=number, revision=revision_of(name), status=PURPOSE, title=TITLE, extension="html"
    )


def check(folder: Root, place: Path, name: FolderName, receiver: Receiver, read: Read) -> Report | None:
    """Return the report on a folder, None if it came without a transmittal; ``place`` is how it is called.

    Raises :class:`RefusedError` where anything is wrong that is not accepted.
    """
    found = [*_name_problems(folder)]
    pages = find_page(folder)
    report = None
    if pages:
        report = check_delivery(folder, *pages, receiver.known, read)
        found += _page_problems(report, name)
        found += _finding_problems(report.findings)
        told = {(finding.path, finding.kind) for finding in report.findings}
        found += _finding_problems(one for one in report.listed if (one.path, one.kind) not in told)
    elif has_list(folder):
        found += _finding_problems(verify(folder, read=read))
    else:
        found.append(Problem(folder.name, f"neither a transmittal nor a {LIST_NAME} in it", acceptable=True))
    refused = [problem for problem in found if not (problem.acceptable and receiver.accepted)]
    if refused:
        raise RefusedError(place, refused)
    return report


def _name_problems(folder: Root) -> Iterator[Problem]:
    for file in find_files(folder):
        if file.reason:
            yield Problem(file.path, file.reason)
        elif not is_hidden(file.path):
            read = parse_filename(file.path.rpartition("/")[2])
            if not read.valid:
                yield Problem(file.path, read.reason, acceptable=True)


def _page_problems(report: Report, name: FolderName) -> Iterator[Problem]:
    page, transmittal = report.judged.page, report.judged.page.transmittal
    if transmittal.state == "draft":
        yield Problem(page.name, "a draft: its sender has not published it")
    if report.judged.check.intact is False:
        yield Problem(page.name, "its list was changed after it was published")
    for judgement in report.judged.judgements:
        if judgement.verdict == "invalid" and report.judged.check.intact:
            yield Problem(page.name, f"a signature is not valid: {judgement.reason}")
    for label, told, other in (
        ("number", transmittal["trackingNumber"], name.tracking_number),
        ("date", transmittal["date"], name.date),
    ):
        if told != other:
            yield Problem(page.name, f"its {label} is '{told}', that of the folder '{other}'")


def _finding_problems(findings: Iterable[Finding]) -> Iterator[Problem]:
    for finding in findings:
        if finding.kind != "verified":
            reason = f"{finding.kind}: {finding.detail}" if finding.detail else finding.kind
            yield Problem(finding.path, reason, finding.kind in ACCEPTABLE)


def _require_unfinished(source: Root, target: Path, name: FolderName, read: Read) -> None:
    """Raise :class:`UserError` unless an earlier run was stopped before it had written the acknowledgement."""
    if (target / acknowledgement_name(name)).exists():
        raise UserError(target, "received already", "see its acknowledgement; a new delivery has a name of its own")
    _require_copied(source, target, read)


def _require_copied(source: Root, target: Path, read: Read) -> None:
    """Raise :class:`UserError` if a file of a folder that is still in ``incoming`` is not in ``received`` too."""
    is_there = isinstance(source, ZipFolder) or source.is_dir()
    odd = _hashes(source, read) - _hashes(target, read) if is_there else set()
    if odd:
        remedy = "compare the two folders; the sender must give another delivery another name"
        raise UserError(target, f"there already, without this file of the other one: '{min(odd)[0]}'", remedy)


def _hashes(folder: Root, read: Read) -> set[tuple[str, str]]:
    own = [HashedFile(LIST_NAME)] if has_list(folder) else []
    files = (file if file.reason else read(folder, file.path) for file in (*find_files(folder), *own))
    return {(file.path, file.sha256 or file.reason) for file in files}


def _move(incoming: Path, source: Root, target: Path, read: Read) -> bool:
    """Move a folder; return whether it was copied, onto another file system or out of a zip, and is there as well."""
    with open_folder(incoming.parent) as old, open_folder(target.parent) as new:
        if isinstance(source, Path):
            try:
                rename_without_replacing(old, incoming.name, target.name, new)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
            else:
                sync_folder(new)
                sync_folder(old)
                return False
        temporary = _temporary(target)
        try:
            if isinstance(source, ZipFolder):
                source.unpack(temporary)
            else:
                shutil.copytree(source, temporary, symlinks=True)
            if _hashes(source, read) != _hashes(temporary, read):
                raise UserError(incoming, "it changed while it was copied", "wait until the sender has finished")
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _sync_tree(temporary)
        rename_without_replacing(new, temporary.name, target.name)
        sync_folder(new)
        return True


def _check_again(
    incoming: Path, target: Path, name: FolderName, receiver: Receiver, read: Read, *, copied: bool
) -> Report | None:
    """Check what was moved; move it back where it is not what it was."""
    try:
        return check(target, incoming, name, receiver, read)
    except UserError:
        if copied:
            shutil.rmtree(target)
        else:
            with open_folder(target.parent) as old, open_folder(incoming.parent) as new:
                rename_without_replacing(old, target.name, incoming.name, new)
                sync_folder(new)
        raise


def _remove_source(incoming: Path, source: Root, target: Path, read: Read) -> None:
    """Remove what was copied: a folder under a hidden name first, so that nobody sees half of it."""
    hidden = _temporary(incoming.with_name(target.name))
    if hidden.exists():
        shutil.rmtree(hidden)
    if isinstance(source, ZipFolder):
        _require_copied(source, target, read)
        if not source.is_unchanged:
            raise UserError(incoming, "it changed while it was unpacked", "compare it with the folder in 'received'")
        incoming.unlink()
    elif source.is_dir():
        _require_copied(source, target, read)
        incoming.rename(hidden)
        shutil.rmtree(hidden)


def _temporary(folder: Path) -> Path:
    name = parse_folder(folder.name)
    return folder.with_name(f".zddc-receive-{name.date}-{name.tracking_number}.tmp")


def _remove_leftovers(target: Path) -> None:
    """Remove what a run that was stopped has left in ``received``: never the only copy of anything."""
    if (copy := _temporary(target)).is_dir():
        shutil.rmtree(copy)
    _page_temporary(target).unlink(missing_ok=True)


def _page_temporary(target: Path) -> Path:
    return _temporary(target).with_suffix(".html.tmp")


def _sync_tree(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(place, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        with open_folder(Path(place)) as opened:
            sync_folder(opened)


def _parties(incoming: Path, report: Report | None, receiver: Receiver) -> tuple[str, str]:
    """Return who received and who sent; raise :class:`UserError` where nothing says who received."""
    transmittal = report.judged.page.transmittal if report else None
    name = receiver.name or (transmittal["to"] if transmittal else "")
    if not name:
        raise UserError(incoming, "it does not say to whom it was sent", "say with --by who receives it")
    return name, receiver.sender or (transmittal["from"] if transmittal else "") or incoming.parent.parent.name


def _acknowledge(
    incoming: Path, target: Path, report: Report | None, receiver: Receiver, now: datetime, read: Read
) -> Path:
    name = parse_folder(target.name)
    remarks, parties = describe(name, report, receiver.accepted), _parties(incoming, report, receiver)
    rows = [row_of(target, file, read) for file in find_files(target)]
    made = make_acknowledgement(name, rows, remarks, parties, now)
    if receiver.key:
        made = add_signature(made, receiver.key, LABEL, now)
    file = target / acknowledgement_name(name)
    write_new(file, make_page(made, read_viewer()).encode(), temporary=_page_temporary(target))
    return file


def _alone(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Context manager: keep other runs out of a folder."""
    return lock_folder(folder, UserError(folder, "another 'zddc receive' is at work here", "wait until it has ended"))
