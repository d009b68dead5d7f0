"""Answers admins at ``/.profile/``: what is odd in the archive, the latest lines of the audit, and a look at all."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from zddc.access.decide import is_admin
from zddc.access.policy import Policy
from zddc.archive.contents import sha256_of
from zddc.archive.findings import findings
from zddc.archive.index import Index
from zddc.server import profile
from zddc.server.answer import Answer, Pieces, Request, answer_text, page_headers
from zddc.server.audit import Audit
from zddc.server.guard import POST
from zddc.server.watching import Watcher

FINDINGS, AUDIT, RESCAN = (f"/{profile.FOLDER}/{name}".encode() for name in ("findings", "audit", "rescan"))


def answer_admin(request: Request, root: Path, policy: Policy, watcher: Watcher, audit: Audit) -> Answer | None:
    """Answer with a line of JSON for each of what is asked; None where that is nothing, or somebody is no admin.

    ``findings`` compares files that should be the same, so that its lines may come slowly. ``rescan``, by POST, lets
    every folder be looked at for changes that the system did not tell of.
    """
    if not is_admin(policy.chain_of(()), request.email):
        return None
    if request.raw_path == RESCAN and request.method == POST:
        watcher.ask_for_rescan()
        return answer_text(202, "all folders will be looked at")
    if request.raw_path == AUDIT:
        return _answer_lines(request, audit.latest())
    if request.raw_path == FINDINGS:
        return _answer_lines(request, _findings(watcher.index, root))
    return None


def _findings(index: Index, root: Path) -> Iterator[str]:
    for path, kind, reason in findings(index, lambda entry: sha256_of(root, entry)):
        yield json.dumps({"path": path, "kind": kind, "reason": reason})


def _answer_lines(request: Request, lines: Iterable[str]) -> Answer:
    headers = [*page_headers(), ("cache-control", "no-store"), ("content-type", "application/x-ndjson")]
    if request.method == "HEAD":
        return Answer(200, headers)
    pieces = (f"{line}\n".encode() for line in lines)
    return Answer(200, headers, Pieces(pieces, pieces.close))
