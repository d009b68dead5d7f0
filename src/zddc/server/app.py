"""The server as an ASGI application: guard, identity, path, rules, opening, answer, audit, in this order."""

import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from zddc.access.decide import Decision
from zddc.access.policy import Policy
from zddc.archive import links
from zddc.server import pages, profile
from zddc.server.admin import RESCAN, answer_admin
from zddc.server.answer import Answer, Request, answer_text
from zddc.server.answer import Path as RequestPath
from zddc.server.answers import answer_file
from zddc.server.asked import Asked
from zddc.server.audit import Audit
from zddc.server.content import Content
from zddc.server.drop_names import may_be_put
from zddc.server.dropping import answer_drop
from zddc.server.guard import CLOSE, METHODS, POST, PUT, RefusedError, check_request
from zddc.server.hash_links import HashLinks
from zddc.server.identity import Identity, Person
from zddc.server.metrics import Metrics
from zddc.server.opening import AbsentError, Opened, open_path
from zddc.server.origins import allow_origins, require_same_origin
from zddc.server.paths import parse_path
from zddc.server.recursive import answer_recursive
from zddc.server.sending import Receive, Send, send_answer
from zddc.server.threads import run_in_thread
from zddc.server.virtual import answer_archive, location
from zddc.server.watching import Watcher
from zddc.server.zip_members import answer_in_zip
from zddc.server.zips import Running, answer_zip

MOST_AT_ONCE = 512
MOST_OF_ONE = MOST_AT_ONCE // 2  # person, or address of people without one: so nobody keeps all others out
FEW_AT_ONCE = 64  # that many need not be known before a thread has time for them
HEALTH = b"/.health"

# A page elsewhere can make its own name lead to this machine, but not write this one into its requests.
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_Found = TypeVar("_Found")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What a server may do beside answering: ``most_bytes`` of a file that is handed in, 0 where none is taken.

    ``origins`` are those of other sites whose pages may read, such as ``https://tools.example``.
    """

    most_bytes: int = 0
    origins: frozenset[str] = frozenset()


class App:
    """Answers by the rules of a policy to whom an identity names, and records every answer."""

    def __init__(
        self,
        root: Path,
        policy: Policy,
        identity: Identity,
        watcher: Watcher,
        audit: Audit,
        metrics: Metrics,
        options: Options = Options(),
    ) -> None:
        self._root, self._policy, self._identity, self._watcher = root, policy, identity, watcher
        self._audit, self._metrics, self._options = audit, metrics, options
        from starlette.datastructures import Headers

        self._running, self._hashes, self._headers_of = Running(), HashLinks(root), Headers
        self._at_once: dict[str, int] = {}
        self._counting = threading.Lock()
        self._methods_of_most = (*METHODS, PUT) if options.most_bytes else METHODS

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = Asked(scope, self._headers_of(raw=scope["headers"]))
        self._count_one_more()
        try:
            answer = await self._answer(asked, receive)
        except Exception as error:
            answer = _answer_to(error, asked)
        except BaseException:
            self.end(asked)
            raise
        await self.send(asked, answer, receive, send)

    async def send(self, asked: Asked, answer: Answer, receive: Receive, send: Send) -> None:
        """Send an answer, and record it; what hands something in is recorded first."""
        try:
            if asked.entry["method"] == PUT:
                answer = await run_in_thread(self._record_first, answer, asked)
            asked.entry["status"] = answer.status
            await send_answer(answer, receive, send, asked.entry)
        finally:
            self.end(asked)

    def take(self, scope: Mapping[str, Any]) -> Asked | None:
        """Begin to answer a request, without waiting for a disk; None where that takes an event loop.

        What this returns has the answer already, or is for :meth:`answer`; in the end it is for :meth:`end`.
        """
        method, headers = scope["method"], scope["headers"]
        if method not in METHODS or b"authorization" in dict(headers):
            return None
        asked = Asked(scope, self._headers_of(raw=headers))
        self._count_one_more()
        if self._metrics.at_once > FEW_AT_ONCE or scope["raw_path"] == HEALTH:
            asked.found = self._find(asked)
        return asked

    def answer(self, asked: Asked) -> Answer:
        """Answer what was taken; a disk may be waited for."""
        found = asked.found or self._find(asked)
        if isinstance(found, Answer):
            return found
        try:
            return self._look_up(asked, found)
        except Exception as error:
            return _answer_to(error, asked)

    def _find(self, asked: Asked) -> Request | Answer:
        try:
            return self._guard(asked) or self._admit(asked, self._identity.recognise(*asked.who))
        except Exception as error:
            return _answer_to(error, asked)

    def end(self, asked: Asked) -> None:
        """Record an answer that was sent, if it was not recorded yet, and count it."""
        entry = asked.entry
        with self._counting:
            self._metrics.at_once -= 1
            if asked.asker:
                count = self._at_once.pop(asked.asker) - 1
                if count:  # who asks nothing is forgotten
                    self._at_once[asked.asker] = count
        self._metrics.count_answer(entry["status"], entry["bytes"])
        if asked.recorded != entry["status"]:
            self._audit.record(asked.line())

    def _count_one_more(self) -> None:
        with self._counting:
            self._metrics.at_once += 1

    def _record_first(self, answer: Answer, asked: Asked) -> Answer:
        """Record an answer before it is sent, if it was not recorded yet; return what is to be sent."""
        if asked.recorded == answer.status or self._record_now(answer.status, asked):
            return answer
        return answer_text(503, "the audit cannot be written", (("retry-after", "10"),))

    def _record_now(self, status: int, asked: Asked) -> bool:
        asked.recorded = status
        return self._audit.record_now(asked.line() | {"status": status})

    async def _answer(self, asked: Asked, receive: Receive) -> Answer:
        if answer := self._guard(asked):
            return answer
        if "authorization" in asked.given:  # the store of tokens is on the disk
            person = await run_in_thread(self._identity.recognise, *asked.who)
        else:
            person = self._identity.recognise(*asked.who)
        found = self._admit(asked, person)
        if isinstance(found, Answer):
            return found
        if found.method != PUT:
            return await run_in_thread(self._look_up, asked, found)
        content = Content(receive)
        try:
            answer = await self._take(found, content, asked)
        except RefusedError as refused:
            await content.pass_over(asked.headers)
            raise RefusedError(refused.status, refused.reason, (*refused.headers, *CLOSE)) from None
        except AbsentError:
            await content.pass_over(asked.headers)
            raise
        allow_origins(answer, asked.headers, self._options.origins)
        return answer

    def _methods(self, raw_path: bytes) -> tuple[str, ...]:
        return (*METHODS, POST) if raw_path == RESCAN else self._methods_of_most

    def _guard(self, asked: Asked) -> Answer | None:
        """Refuse what is too much, or can be read in two ways; answer what anybody may ask."""
        if self._metrics.at_once > MOST_AT_ONCE:
            raise RefusedError(503, "too many requests at once", (("retry-after", "10"),))
        scope = asked.scope
        methods = self._methods(scope["raw_path"])
        check_request(scope["method"], asked.fields, needs_host=scope["http_version"] == "1.1", methods=methods)
        return self._health() if scope["raw_path"] == HEALTH else None

    def _admit(self, asked: Asked, person: Person) -> Request | Answer:
        """Return what a person asks for; or the answer, where that takes no disk."""
        entry, headers = asked.entry, asked.headers
        method, raw_path = asked.scope["method"], asked.scope["raw_path"]
        entry["via"], entry["email"] = person.via, person.email
        asked.asker = self._begin_for(person.email or entry["peer"])
        if person.was_ignored:
            self._metrics.add("zddc_identity_headers_ignored_total")
        if person.via == "local":
            _require_local_host(headers.get("host", ""))
        path = parse_path(raw_path)
        if method == "OPTIONS":
            answer = Answer(204, [("allow", ", ".join(self._methods(raw_path)))])
            allow_origins(answer, headers, self._options.origins, is_preflight=True)
            return answer
        if method in (PUT, POST):
            require_same_origin(headers)
        query = dict(parse_qsl(entry["query"], keep_blank_values=True)) if entry["query"] else {}
        return Request(method, path, query, headers, person.email, raw_path)

    def _look_up(self, asked: Asked, request: Request) -> Answer:
        answer, decision = self._answer_path(request, asked.entry["via"])
        asked.say(decision)
        allow_origins(answer, asked.headers, self._options.origins)
        return answer

    def _begin_for(self, asker: str) -> str:
        with self._counting:
            count = self._at_once.get(asker, 0)
            if count >= MOST_OF_ONE:
                raise RefusedError(429, "too many requests of yours at once", (("retry-after", "10"),))
            self._at_once[asker] = count + 1
        return asker

    async def _take(self, request: Request, receive: Receive, asked: Asked) -> Answer:
        """Take what somebody hands in; the line of the audit is written before the file gets its name."""
        if not may_be_put(request.path.names):
            raise RefusedError(405, "nothing can be handed in there", (("allow", ", ".join(METHODS)),))

        def record(status: int, decision: Decision, size: int) -> bool:
            asked.say(decision)
            asked.entry["received"] = size
            return self._record_now(status, asked)

        answer, decision = await answer_drop(request, receive, self._policy, self._options.most_bytes, record)
        asked.say(decision)
        return answer

    def _health(self) -> Answer:
        if self._audit.is_failing:
            return answer_text(503, "the audit cannot be written")
        if not self._watcher.is_ready:
            return answer_text(503, "starting")
        return answer_text(200, "ok")

    def _answer_path(self, request: Request, via: str) -> tuple[Answer, Decision | None]:
        """Answer with what the path names, opened and read in one thread."""
        names = request.path.names
        if names[:1] == (profile.FOLDER,):
            return _require(
                profile.answer_profile(request, via, self._policy, self._watcher)
                or answer_admin(request, self._root, self._policy, self._watcher, self._audit)
            ), None
        if names[:1] == (pages.FOLDER,):
            return _require(pages.answer_tools(request)), None
        if not names:
            index = self._watcher.index if self._watcher.is_ready else None
            if answer := pages.answer_root(request, index, self._policy):
                return answer, None
        if links.FOLDER not in names:
            return self._open_or_answer_page(request)
        self._require_index()
        found = answer_archive(request, self._watcher.index, self._policy, self._root, self._hashes)
        if found is None:
            raise AbsentError(None)
        if isinstance(found, Answer):
            return found, None
        answer, decision = self._open_and_answer(replace(request, path=RequestPath(found, is_folder=False)))
        answer.headers.append(("content-location", location(found)))
        return answer, decision

    def _open_or_answer_page(self, request: Request) -> tuple[Answer, Decision | None]:
        """Answer with what the path names; in each readable folder the pages are beside what is there."""
        try:
            return self._open_and_answer(request)
        except AbsentError:
            above = request.path.names[:-1]
            if (answer := pages.answer_page(request)) is None:
                raise
            if not above:  # as in /_tools/: there is nothing of the archive in it
                return answer, None
            opened = open_path(self._policy, above, request.email)
            os.close(opened.descriptor)
            if not opened.is_folder:
                raise
            return answer, opened.decision

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
            if (is_folder or length < len(names)) and name.lower().endswith(".zip"):
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
        return pages.answer_folder(request, opened.descriptor, opened.chain, self._policy)

    def _require_index(self) -> None:
        if not self._watcher.is_ready:
            raise RefusedError(503, "the archive is being read; come back soon", (("retry-after", "2"),))


def _answer_to(error: Exception, asked: Asked) -> Answer:
    """Answer with what an error means to who has asked."""
    if isinstance(error, RefusedError):
        return answer_text(error.status, error.reason, error.headers)
    if isinstance(error, AbsentError):
        asked.say(error.decision)
        return pages.answer_absent(asked.headers.get("accept", ""), asked.entry["email"])
    if isinstance(error, OSError):
        _logger.warning("%s: %s", asked.entry["path"], error)
        return answer_text(503, "the disk does not answer", (("retry-after", "10"),))
    _logger.error("%s", asked.entry["path"], exc_info=error)
    return answer_text(500, "an error of the server")


def _require_local_host(host: str) -> None:
    if host.lower().rsplit(":", 1)[0] not in _LOCAL_HOSTS and host.lower() not in _LOCAL_HOSTS:
        raise RefusedError(421, "this server is for its own machine; write localhost or 127.0.0.1 as its name")


def _require(found: _Found | None, decision: Decision | None = None) -> _Found:
    """Return what was found; nothing is absent."""
    if found is None:
        raise AbsentError(decision)
    return found
