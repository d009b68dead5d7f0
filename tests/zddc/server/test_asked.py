from starlette.datastructures import Headers

from zddc.access.decide import Decision, Place
from zddc.server.asked import Asked

SCOPE = {"method": "GET", "raw_path": b"/%C3%BC", "query_string": b"zip=1", "client": ("", 0)}


def asked(*fields):
    return Asked(SCOPE, Headers(raw=list(fields)))


def test_the_audit_says_what_is_asked_before_anything_is_known():
    one = asked((b"user-agent", b"curl"), (b"range", b"bytes=0-"), (b"x", b"1"), (b"x", b"2"))
    line = one.line()
    assert line.items() >= {
        "peer": "unix", "via": "none", "email": None, "method": "GET", "path": "/%C3%BC", "query": "zip=1",
        "status": 0, "bytes": 0, "range": "bytes=0-", "decision": None, "by": None, "agent": "curl",
    }.items()  # fmt: skip
    assert line["ms"] >= 0
    assert one.given["x"] == "2"
    assert one.who == ([("user-agent", "curl"), ("range", "bytes=0-"), ("x", "1"), ("x", "2")], "unix")


def test_no_two_have_the_same_id():
    assert len({asked().entry["id"] for _ in range(100)}) == 100


def test_a_decision_is_said_with_the_line_that_made_it():
    one = asked()
    one.say(None)
    assert (one.entry["decision"], one.entry["by"]) == (None, None)
    one.say(Decision(True, Place("/a", 3), ""))
    assert (one.entry["decision"], one.entry["by"]) == ("allow", "/a/.zddc line 3")
    one.say(Decision(False, None, ""))
    assert (one.entry["decision"], one.entry["by"]) == ("deny", None)
