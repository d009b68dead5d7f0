"""Answers with what is in a zip file, as if it were a folder."""

import io
import os
from collections.abc import Iterator, Sequence

from zddc import zipped
from zddc.server.answer import Answer, CutError, Pieces, Request, answer_text
from zddc.server.answers import Content, answer_content, header_time, tag_of
from zddc.server.conditions import Range, Validators
from zddc.server.listing import Row, answer_rows
from zddc.server.paths import is_servable


def answer_in_zip(request: Request, file: int, status: os.stat_result, names: Sequence[str]) -> Answer | None:
    """Answer with a folder or a file in an open zip, by its names there; None where there is no such thing.

    The descriptor is closed with the answer's body, or at once. A member that is damaged is answered with 500, or
    raises :class:`CutError` from the body. Raises OSError where the zip cannot be read.
    """
    kept = False
    try:
        members = zipped.read_members(file)
        served = [one for one in members.files if all(map(is_servable, one.path.split("/")))]
        left_out = len(members.left_out) + len(members.files) - len(served)
        if request.path.is_folder:
            rows = _rows(served, names)
            return answer_rows(request, rows, [("x-zddc-left-out", str(left_out))]) if rows else None
        path = "/".join(names)
        member = next((one for one in served if one.path == path), None)
        if member is None:
            return None
        validators = Validators(tag_of(status, path), header_time(member.mtime_ns))
        kept = True
        return answer_content(
            request,
            Content(
                names[-1], member.size, validators, lambda part: _inflate(file, path, part), lambda: os.close(file)
            ),
        )
    except CutError:
        return answer_text(500, "this file is damaged in the zip; ask for the zip itself")
    finally:
        if not kept:
            os.close(file)


def _rows(members: Sequence[zipped.Member], names: Sequence[str]) -> list[Row]:
    """Return the lines of a folder in a zip: its files, and each folder once, with the time of the newest file."""
    above = "".join(f"{name}/" for name in names)
    files: dict[str, Row] = {}
    folders: dict[str, Row] = {}
    for member in members:
        if member.path.startswith(above):
            name, _, below = member.path[len(above) :].partition("/")
            if below:
                newest = max(member.mtime_ns, folders[name].mtime_ns if name in folders else 0)
                folders[name] = Row(name, 0, newest, True, 0o555)
            else:
                files[name] = Row(name, member.size, member.mtime_ns)
    return sorted([*files.values(), *folders.values()])


def _inflate(file: int, path: str, part: Range) -> Iterator[bytes]:
    left = part.stop - part.start
    try:
        with io.FileIO(file, closefd=False) as stream, zipped.open_member(stream, path) as member:
            member.seek(part.start)
            while left:
                piece = member.read(min(Pieces.size(), left))
                if not piece:
                    raise CutError(f"'{path}' is shorter than the zip says")
                left -= len(piece)
                yield piece
    except (*zipped.DAMAGED, OSError) as error:
        raise CutError(f"'{path}' is damaged in the zip") from error
