"""Answers at ``/.profile/``: who somebody is here, where they may enter, and why they may read something or not."""

import html
import json
from typing import Any
from urllib.parse import quote

from zddc.access.decide import Decision, decide, is_admin
from zddc.access.patterns import ANONYMOUS, parse_email
from zddc.access.policy import Policy
from zddc.server.answer import Answer, Request, answer_text
from zddc.server.guard import RefusedError
from zddc.server.listing import answer_either, format_page
from zddc.server.paths import parse_path
from zddc.server.watching import Watcher
from zddc.visible import visible

FOLDER = ".profile"
_ACCESS = "access"


def answer_profile(request: Request, via: str, policy: Policy, watcher: Watcher) -> Answer | None:
    """Answer what is asked below ``/.profile``; None is for what looks absent. ``via`` says how somebody is known.

    ``/.profile/`` is open to everybody, and has the state of the index for admins. ``/.profile/access?path=`` says
    whether somebody may read and hand in there; the reason is told where they may, and else to admins only. They may
    also ask either for another person, ``?email=``.
    """
    names, is_folder = request.path
    admin = is_admin(policy.chain_of(()), request.email)
    if names == (FOLDER,):
        if not is_folder:
            return answer_text(301, "it is there", (("location", f"/{FOLDER}/"),))
        try:
            email = _person(request, admin)
        except ValueError as error:
            return answer_text(400, str(error))
        return _answer(request, "Profile", _profile(request, email, via, admin, policy, watcher))
    if names != (FOLDER, _ACCESS) or is_folder:
        return None
    try:
        path = parse_path(quote(request.query.get("path", "/")).encode())
        email = _person(request, admin)
    except (RefusedError, ValueError) as error:
        return answer_text(400, str(error))
    return _answer(request, "Access", _access(policy, path.names, email, tells_why=admin))


def _profile(
    request: Request, email: str | None, via: str, admin: bool, policy: Policy, watcher: Watcher
) -> dict[str, Any]:
    index = watcher.index
    folders = [listing.path.split("/") for listing in index.listings_below() if listing.has_rules and listing.path]
    found: dict[str, Any] = {
        "email": email,
        "via": via if email == request.email else "not asking",
        "is_admin": is_admin(policy.chain_of(()), email),
        "entry_points": list(policy.entry_points(email, [(), *folders])) if watcher.is_ready else None,
    }
    if admin:
        found["index"] = {
            "is_ready": watcher.is_ready,
            "folders_read": watcher.folders_read,
            "documents": len(index.tracking_numbers()),
            "problem": watcher.problem,
        }
    return found


def _person(request: Request, admin: bool) -> str | None:
    given = request.query.get("email")
    if given is None or not admin:
        return request.email
    return None if given == ANONYMOUS else parse_email(given)


def _access(policy: Policy, names: tuple[str, ...], email: str | None, *, tells_why: bool) -> dict[str, Any]:
    try:
        chain = policy.chain_of(names)
        read, hand_in = (decide(chain, email, verb) for verb in ("r", "c"))
    except OSError as error:
        read = hand_in = Decision(False, None, error.strerror or str(error))
    why = read.why if read.allowed or tells_why else ""
    return {"path": f"/{'/'.join(names)}", "email": email, "read": read.allowed, "hand_in": hand_in.allowed, "why": why}


def _answer(request: Request, title: str, found: dict[str, Any]) -> Answer:
    rows = "".join(f"<tr><th>{name}<td>{html.escape(visible(_text(value)))}\n" for name, value in found.items())
    return answer_either(request, [json.dumps(found).encode()], format_page(title, f"<table>\n{rows}</table>\n"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
