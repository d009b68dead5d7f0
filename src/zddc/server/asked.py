"""Holds what is asked of the server, from when it comes until it is answered, with what the audit will say of it."""

import os
import time
from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

from zddc.access.decide import Decision
from zddc.server.answer import Answer, Request
from zddc.server.guard import Fields
from zddc.server.identity import UNIX

if TYPE_CHECKING:
    from starlette.datastructures import Headers

# Of an answer: which start of the server, and which answer since; the system takes long to draw a number for each.
_START, _NUMBERS = os.urandom(4).hex(), count()


# The same lines decide all the time.
_text_of = lru_cache(maxsize=1 << 10)(str)


class Asked:
    """What is asked, and ``entry``, what the audit says of it: at first what is known before anything is looked at.

    ``given`` has the last value of each header. ``found`` is what was understood, or the answer already. ``recorded``
    is the status that the audit has already, ``asker`` who counts as busy until this is answered.
    """

    __slots__ = ("_started", "asker", "entry", "fields", "found", "given", "headers", "recorded", "scope")

    def __init__(self, scope: Mapping[str, Any], headers: "Headers") -> None:
        self._started = time.perf_counter()
        self.scope, self.headers = scope, headers
        self.asker = ""
        self.found: Request | Answer | None = None
        self.recorded: int | None = None
        self.fields: Fields = headers.items()
        self.given = given = dict(self.fields)
        client = scope.get("client") or ("", 0)
        self.entry: dict[str, Any] = {
            "id": f"{_START}{next(_NUMBERS):08x}",
            "peer": client[0] or UNIX,
            "via": "none",
            "email": None,
            "method": scope["method"],
            "path": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode("latin-1"),
            "status": 0,
            "bytes": 0,
            "range": given.get("range"),
            "decision": None,
            "by": None,
            "agent": given.get("user-agent"),
        }

    @property
    def who(self) -> tuple[Fields, str]:
        """By what is known who asks: the header fields, and the address of the peer."""
        return self.fields, self.entry["peer"]

    def say(self, decision: Decision | None) -> None:
        """Have the audit say what was decided, if anything was."""
        if decision:
            self.entry["decision"] = "allow" if decision.allowed else "deny"
            self.entry["by"] = decision.by and _text_of(decision.by)

    def line(self) -> dict[str, Any]:
        """Return the entry, with how long it took until now."""
        return self.entry | {"ms": round((time.perf_counter() - self._started) * 1000, 1)}
