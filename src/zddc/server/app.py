"""The server as an ASGI application: guard, identity, path, rules, opening, answer, audit, in this order."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from zddc.access.decide import Decision
from zddc.access.policy import Policy
from zddc.archive import links
from zddc.server import profile
from zddc.server.answer import Answer, Request, answer_text
from zddc.server.answer import Path as RequestPath
from zddc.server.answers import answer_file
from zddc.server.audit import Audit
from zddc.server.guard import METHODS, Fields, RefusedError, check_request
from zddc.server.identity import UNIX, Identity, Person
from zddc.server.listing import answer_listing
from zddc.server.metrics import Metrics
from zddc.server.opening import AbsentError, Opened, open_path
from zddc.server.paths import parse_path
from zddc.server.recursive import answer_recursive
from zddc.server.virtual import answer_archive, location
from zddc.server.watching import Watcher
from zddc.server.zip_members import answer_in_zip
from zddc.server.zips import Running, answer_zip

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_AT_ONCE = 512
HEALTH = b"/.health"

_STALLED_SECONDS = 300  # of a reader who takes nothing
# A page elsewhere can make its own name lead to this machine, but not write this one into its requests.
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_Found = TypeVar("_Found")

_logger = logging.getLogger(__name__)


class App:
    """Answers by the rules of a policy to whom an identity names, and records every answer."""

    def __init__(
        self, root: Path, policy: Policy, identity: Identity, watcher: Watcher, audit: Audit, metrics: Metrics
    ) -> None:
        self._root, self._policy, self._identity, self._watcher = root, policy, identity, watcher
        self._audit, self._metrics = audit, metrics
        self._running = Running()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        entry = _entry(scope)
        self._metrics.at_once += 1
        try:
            answer = await self._answer_whatever_happens(scope, entry)
            entry["status"] = answer.status
            await send_answer(answer, receive, send, entry)
        finally:
            self._metrics.at_once -= 1
            self._metrics.count_answer(entry["status"], entry["bytes"])
            self._audit.record({**entry, "ms": round((time.perf_counter() - started) * 1000, 1)})

    async def _answer_whatever_happens(self, scope: Mapping[str, Any], entry: dict[str, Any]) -> Answer:
        try:
            return await self._answer(scope, entry)
        except RefusedError as refused:
            return answer_text(refused.status, refused.reason, refused.headers)
        except AbsentError as absent:
            entry |= _said(absent.decision)
            return answer_text(404, "not found")
        except OSError as error:
            _logger.warning("%s: %s", entry["path"], error)
            return answer_text(503, "the disk does not answer", (("retry-after", "10"),))
        except Exception:
            _logger.exception("%s", entry["path"])
            return answer_text(500, "an error of the server")

    async def _answer(self, scope: Mapping[str, Any], entry: dict[str, Any]) -> Answer:
        from starlette.datastructures import Headers

        if self._metrics.at_once > MOST_AT_ONCE:
            raise RefusedError(503, "too many requests at once", (("retry-after", "10"),))
        method, raw_path = scope["method"], scope["raw_path"]
        headers = Headers(raw=scope["headers"])
        fields = headers.items()
        check_request(method, fields, needs_host=scope["http_version"] == "1.1")
        if raw_path == HEALTH:
            return self._health()
        person = await self._recognise(fields, entry["peer"])
        entry |= {"via": person.via, "email": person.email}
        if person.was_ignored:
            self._metrics.add("zddc_identity_headers_ignored_total")
        if person.via == "local":
            _require_local_host(headers.get("host", ""))
        path = parse_path(raw_path)
        if method == "OPTIONS":
            return Answer(204, [("allow", ", ".join(METHODS))])
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        request = Request(method, path, query, headers, person.email, raw_path)
        answer, decision = await asyncio.to_thread(self._answer_path, request, person.via)
        entry |= _said(decision)
        return answer

    async def _recognise(self, fields: Fields, peer: str) -> Person:
        if any(name == "authorization" for name, _ in fields):  # the store of tokens is on the disk
            return await asyncio.to_thread(self._identity.recognise, fields, peer)
        return self._identity.recognise(fields, peer)

    def _health(self) -> Answer:
        if self._audit.failures:
            return answer_text(503, "the audit cannot be written")
        if not self._watcher.is_ready:
            return answer_text(503, "starting")
        return answer_text(200, "ok")

    def _answer_path(self, request: Request, via: str) -> tuple[Answer, Decision | None]:
        """Answer with what the path names, opened and read in one thread."""
        names = request.path.names
        if names[:1] == (profile.FOLDER,):
            return _require(profile.answer_profile(request, via, self._policy, self._watcher)), None
        if links.FOLDER not in names:
            return self._open_and_answer(request)
        self._require_index()
        found = answer_archive(request, self._watcher.index, self._policy, self._root)
        if found is None:
            raise AbsentError(None)
        if isinstance(found, Answer):
            return found, None
        answer, decision = self._open_and_answer(replace(request, path=RequestPath(found, is_folder=False)))
        answer.headers.append(("content-location", location(found)))
        return answer, decision

    def _open_and_answer(self, request: Request) -> tuple[Answer, Decision]:
        opened, names_in_zip = self._open(request)
        if opened.is_folder:
            try:
                answer = self._answer_folder(request, opened)
            finally:
                os.close(opened.descriptor)
        elif names_in_zip is None:
            answer = answer_file(request, request.path.names[-1], opened.descriptor, opened.status)
        else:
            answer = answer_in_zip(request, opened.descriptor, opened.status, names_in_zip)
        return _require(answer, opened.decision), opened.decision

    def _open(self, request: Request) -> tuple[Opened, tuple[str, ...] | None]:
        """Open what a path names, or the zip that it leads into, with the names there."""
        names, is_folder = request.path
        for length, name in enumerate(names, start=1):
            if name.lower().endswith(".zip") and (is_folder or length < len(names)):
                opened = open_path(self._policy, names[:length], request.email)
                if not opened.is_folder:
                    return opened, names[length:]
                os.close(opened.descriptor)
        opened = open_path(self._policy, names, request.email)
        if is_folder and not opened.is_folder:
            os.close(opened.descriptor)
            raise AbsentError(opened.decision)
        return opened, None

    def _answer_folder(self, request: Request, opened: Opened) -> Answer | None:
        if not request.path.is_folder:
            address = location(request.path.names, is_folder=True, query=request.query)
            return answer_text(301, "a folder", [("location", address)])
        if request.query.get("zip") == "1":
            return answer_zip(request, opened.descriptor, opened.chain, self._policy, self._running)
        if request.query.get("recursive") == "1":
            self._require_index()
            return answer_recursive(request, self._watcher.index, self._policy)
        return answer_listing(request, opened.descriptor, opened.chain, self._policy)

    def _require_index(self) -> None:
        if not self._watcher.is_ready:
            raise RefusedError(503, "the archive is being read; come back soon", (("retry-after", "2"),))


def _require_local_host(host: str) -> None:
    if host.lower().rsplit(":", 1)[0] not in _LOCAL_HOSTS and host.lower() not in _LOCAL_HOSTS:
        raise RefusedError(421, "this server is for its own machine; write localhost or 127.0.0.1 as its name")


def _require(found: _Found | None, decision: Decision | None = None) -> _Found:
    """Return what was found; nothing is absent."""
    if found is None:
        raise AbsentError(decision)
    return found


def _said(decision: Decision | None) -> dict[str, Any]:
    """Return what the audit says of a decision."""
    if decision is None:
        return {}
    return {"decision": "allow" if decision.allowed else "deny", "by": decision.by and str(decision.by)}


async def send_answer(answer: Answer, receive: Receive, send: Send, entry: dict[str, Any]) -> None:
    """Send an answer; where it cannot be sent to its end, the connection is cut, and the entry says so.

    The server cuts a connection whose application returns before the end of what it sends.
    """
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if isinstance(answer.body, bytes):
        body = b"" if entry["method"] == "HEAD" else answer.body
        entry["bytes"] = len(body)
        await send({"type": "http.response.body", "body": body})
        return
    left = asyncio.create_task(_wait_until_left(receive))
    try:
        async for piece in answer.body:
            if left.done():
                break
            async with asyncio.timeout(_STALLED_SECONDS):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            entry["bytes"] += len(piece)
        else:
            await send({"type": "http.response.body", "body": b""})
            return
        entry["cut"] = "the client left"
    except TimeoutError:
        entry["cut"] = "the client took nothing"
    except OSError as error:
        entry["cut"] = str(error)
        _logger.warning("%s: %s", entry["path"], error)
    finally:
        left.cancel()
        await answer.body.aclose()  # type: ignore[attr-defined]


async def _wait_until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _entry(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the audit says of a request before anything is known about it."""
    client = scope.get("client") or ("", 0)
    given = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"range", b"user-agent")}
    return {
        "id": os.urandom(8).hex(),
        "peer": client[0] or UNIX,
        "via": "none",
        "email": None,
        "method": scope["method"],
        "path": scope["raw_path"].decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "status": 0,
        "bytes": 0,
        "range": given.get(b"range"),
        "decision": None,
        "by": None,
        "agent": given.get(b"user-agent"),
    }
