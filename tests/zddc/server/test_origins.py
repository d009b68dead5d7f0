import pytest
from starlette.datastructures import Headers

from zddc.server.answer import answer_text
from zddc.server.guard import RefusedError
from zddc.server.origins import allow_origins, require_same_origin

TOOLS = frozenset({"https://tools.example"})


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({"host": "archive.example"}, True),
        ({"host": "archive.example", "origin": "https://archive.example"}, True),
        ({"host": "archive.example:8443", "origin": "https://Archive.example:8443"}, True),
        ({"host": "archive.example", "origin": "https://evil.example"}, False),
        ({"host": "archive.example", "origin": "https://archive.example.evil.example"}, False),
        ({"host": "archive.example", "origin": "null"}, False),
        ({"host": "archive.example", "origin": "https://archive.example:444"}, False),
        ({"host": "a", "sec-fetch-site": "same-origin", "origin": "https://archive.example"}, True),
        ({"host": "a", "sec-fetch-site": "none"}, True),
        ({"host": "a", "sec-fetch-site": "same-site"}, False),
        ({"host": "a", "sec-fetch-site": "cross-site", "origin": "https://a"}, False),
    ],
)
def test_a_page_of_another_site_changes_nothing(headers, is_own):
    if is_own:
        require_same_origin(Headers(headers))
        return
    with pytest.raises(RefusedError) as refused:
        require_same_origin(Headers(headers))
    assert refused.value.status == 403


def allowed(headers, origins=TOOLS, own=(), **more):
    answer = answer_text(200, "x", own)
    before = [pair for pair in answer.headers if pair[0] != "vary"]
    allow_origins(answer, Headers(headers), origins, **more)
    assert [pair for pair in answer.headers if pair in before] == before
    assert [name for name, _ in answer.headers].count("vary") == bool(origins)
    return {name: value for name, value in answer.headers if (name, value) not in before}


def test_pages_of_a_named_origin_may_read_and_send_no_cookies():
    found = allowed({"origin": "https://tools.example"}, own=(("vary", "accept"),))
    assert found["vary"] == "accept, origin"
    assert found["access-control-allow-origin"] == "https://tools.example"
    assert "etag" in found["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in found


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "https://tools.example.evil.example"])
def test_pages_of_others_may_not(origin):
    assert allowed({"origin": origin}) == {"vary": "origin"}
    assert allowed({}) == {"vary": "origin"}


def test_without_named_origins_nothing_is_said():
    assert allowed({"origin": "https://tools.example"}, frozenset()) == {}


def test_a_browser_is_told_what_a_page_may_send():
    found = allowed({"origin": "https://tools.example"}, is_preflight=True)
    assert found["access-control-allow-methods"] == "GET, HEAD"
    assert "authorization" in found["access-control-allow-headers"]
