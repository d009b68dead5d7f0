"""Takes files that somebody hands in: each is in its folder whole, under a name that nothing had, or not at all.

A file that comes is a hidden one in the incoming folder, and gets its name when all of it is on the disk. Nothing is
replaced, unpacked or run.
"""

import asyncio
import base64
import binascii
import errno
import hashlib
import os
import re
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import ExitStack, suppress
from typing import Any

from zddc.access.decide import Decision
from zddc.access.policy import Policy
from zddc.durable import rename_without_replacing, sync_folder
from zddc.server.answer import Answer, Request, answer_text
from zddc.server.drop_names import Target, parse_target, refusal_of_names
from zddc.server.drop_place import enter_place, has, require_same, share_as
from zddc.server.guard import RefusedError
from zddc.server.opening import AbsentError
from zddc.server.threads import run_in_thread
from zddc.server.virtual import location

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Record = Callable[[int, Decision, int], bool]
"""Writes the line of the audit: the status, why somebody may, the bytes; returns False where it cannot be written."""

_PIECE = 1024 * 1024
_SECONDS_A_PIECE, _LONGEST_SECONDS = 30.0, 6 * 3600.0
_KEPT_FREE = 64 * 1024**2  # bytes, for all else that writes to this disk
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DIGEST = re.compile(r"(?:\A|,)[ \t]*sha-256[ \t]*=[ \t]*(.*?)[ \t]*(?=,|\Z)", re.IGNORECASE)
_LONG_NUMBER = 19  # digits; more is no length


class Drop:
    """A file that is being handed in: a hidden one until :meth:`finish`; :meth:`close` leaves nothing of it."""

    def __init__(
        self, policy: Policy, target: Target, email: str | None, incoming: int, size: int, digest: bytes | None
    ) -> None:
        """Make the hidden file in an open folder, which may be closed afterwards; raises OSError."""
        self.size = size
        self._policy, self._target, self._email, self._digest = policy, target, email, digest
        self._received, self._written = hashlib.sha256(), 0
        self._working, self._is_open = threading.Lock(), True
        self._part = f".{secrets.token_hex(8)}.part"
        with ExitStack() as failed:
            self._incoming = os.dup(incoming)
            failed.callback(os.close, self._incoming)
            self._file = os.open(self._part, _NEW, 0o600, dir_fd=self._incoming)
            failed.pop_all()
        share_as(self._incoming, self._file)

    def write(self, data: bytes) -> None:
        """Write what comes next; raises OSError."""
        with self._working:
            self._received.update(data)
            rest = memoryview(data)
            while rest and self._is_open:
                written = os.pwrite(self._file, rest, self._written)
                self._written += written
                rest = rest[written:]

    def finish(self, record: Record) -> Answer:
        """Give the file its name, when it is on the disk and the audit tells of it; return the answer.

        Who may hand in is asked again, as that may have taken hours. Raises :class:`AbsentError`,
        :class:`RefusedError`, and OSError where the file may not be on the disk.
        """
        with self._working:
            digest = self._received.digest()
            if self._digest not in (None, digest):
                raise RefusedError(409, "digest differs: what came is not what was sent")
            os.fsync(self._file)
            told = ("repr-digest", f"sha-256=:{base64.b64encode(digest).decode()}:")
            with enter_place(self._policy, self._target, self._email) as place:
                place.refuse_clash(self.size)  # with what came meanwhile
                with place.make_folders() as folder:
                    if has(folder, self._target.name) or not self._name_it(folder, record, place.decision):
                        require_same(folder, self._target.name, digest)
                        return answer_text(200, "already there", (told,))
            address = ("location", location(self._target.names))
            return answer_text(201, f"stored, {self.size} bytes", (address, told))

    def close(self) -> None:
        """Remove what has no name yet; once is enough, and more do no harm."""
        with self._working:
            if self._is_open:
                self._is_open = False
                with ExitStack() as last:
                    last.callback(os.close, self._incoming)
                    last.callback(os.close, self._file)
                    if self._part:
                        with suppress(FileNotFoundError):
                            os.unlink(self._part, dir_fd=self._incoming)

    def _name_it(self, folder: int, record: Record, decision: Decision) -> bool:
        """Give the file its name in an open folder; return False where another was faster."""
        if not record(201, decision, self.size):
            raise RefusedError(503, "the audit cannot be written", (("retry-after", "10"),))
        try:
            rename_without_replacing(self._incoming, self._part, self._target.name, to=folder)
        except FileExistsError:
            return False
        self._part = ""
        sync_folder(folder)
        return True


async def answer_drop(
    request: Request, receive: Receive, policy: Policy, most_bytes: int, record: Record
) -> tuple[Answer, Decision]:
    """Take the content of a request as a file, and answer when it is on the disk and the audit tells of it.

    201 is for a file that is new, and 200 for one that was there with the same bytes. Raises :class:`AbsentError` for
    who may not hand in there, :class:`RefusedError` for what is not taken, and OSError where the disk fails; nothing is
    left of the file then.
    """
    try:
        drop, decision = await run_in_thread(begin, request, policy, most_bytes)
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                async for piece in _pieces(receive, drop.size):
                    await run_in_thread(drop.write, piece)
            return await run_in_thread(drop.finish, record), decision
        finally:
            await asyncio.shield(run_in_thread(drop.close))
    except TimeoutError:
        raise RefusedError(408, "the content comes too slowly; send it again") from None
    except OSError as error:
        if error.errno in _FULL:
            raise RefusedError(507, "the disk is full; nothing was stored") from None
        raise


async def _pieces(receive: Receive, size: int) -> AsyncIterator[bytes]:
    """Yield the content, a mebibyte at a time; each has to come in time."""
    left, is_more = size, True
    while is_more:
        found, length = [], 0
        async with asyncio.timeout(_SECONDS_A_PIECE):
            while is_more and length < _PIECE:
                message = await receive()
                is_more = message["type"] == "http.request" and message.get("more_body", False)
                found.append(message.get("body", b""))
                length += len(found[-1])
        left -= length
        if left < 0 or (left and not is_more):
            raise RefusedError(400, "the content is not as long as its header says; send it again")
        yield b"".join(found)


def begin(request: Request, policy: Policy, most_bytes: int) -> tuple[Drop, Decision]:
    """Make a hidden file for what somebody hands in; raises as :func:`answer_drop` does.

    Who may not hand in learns nothing, and what can be refused by its names or its length is refused before it comes.
    """
    target = parse_target(request.path)
    if target is None:
        raise AbsentError
    with enter_place(policy, target, request.email) as place:
        _refuse_content(request)
        if reason := refusal_of_names(target):
            raise RefusedError(422, reason)
        size = _length(request, most_bytes)
        digest = parse_digest(request.field("repr-digest"))
        place.refuse_clash(size)
        space = os.fstatvfs(place.incoming)
        if space.f_bavail * space.f_frsize < size + _KEPT_FREE:
            raise RefusedError(507, "there is not enough room on the disk")
        return Drop(policy, target, request.email, place.incoming, size, digest), place.decision


def _refuse_content(request: Request) -> None:
    """Raise :class:`RefusedError` for a content that is a part of a file, or encoded, or is to replace one."""
    if request.headers.get("content-range") is not None:
        raise RefusedError(400, "a file is handed in whole")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, "a file is handed in as it is, without a content-encoding")
    if request.headers.get("if-match") is not None:
        raise RefusedError(412, "no file is ever replaced")


def _length(request: Request, most_bytes: int) -> int:
    text = request.headers.get("content-length", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONG_NUMBER):
        raise RefusedError(411, "the header 'content-length' is missing")
    if int(text) > most_bytes:
        raise RefusedError(413, f"the file has {int(text)} bytes, and {most_bytes} are the most")
    return int(text)


def parse_digest(field: str | None) -> bytes | None:
    """Return the SHA-256 of a header ``Repr-Digest`` (RFC 9530), None where it has none.

    Raises :class:`RefusedError` for one that is no SHA-256.
    """
    found = _DIGEST.search(field or "")
    if found is None:
        return None
    text = found[1]
    with suppress(binascii.Error):
        if len(text) > 2 and text[0] == text[-1] == ":":
            digest = base64.b64decode(text[1:-1], validate=True)
            if len(digest) == hashlib.sha256().digest_size:
                return digest
    raise RefusedError(400, "the header 'repr-digest' has no SHA-256 as sha-256=:BASE64:")
