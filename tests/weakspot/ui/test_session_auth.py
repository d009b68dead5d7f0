"""Only the browser that was given the address comes in, and no other site decides anything in its name."""

from urllib.parse import urlsplit

import pytest

from weakspot.capture.decisions import load_decisions
from weakspot.ui import session_auth

pytestmark = pytest.mark.slow

PAGES = ["/", "/review", "/adapters", "/adapters/spam-lora-v1/curve.svg", "/releases", "/economics.svg", "/style.css"]


@pytest.fixture
def form(client, workspace, example, capture):
    """The form that accepts the one interaction there is, as its page has it."""
    capture(workspace, [one := example(1)])
    page = client.get("/review").text
    read = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("token", "digest")}
    return {**read, "id": one.id, "action": "accept"}


def accepted(workspace, form) -> bool:
    return load_decisions(workspace).judgement(form["id"]) == "accept"


@pytest.mark.parametrize("path", PAGES)
def test_without_the_token_there_is_nothing_to_see(outside, path):
    assert outside.get(path).status == 403
    assert outside.get(f"{path}?token=wrong").status == 403
    outside.cookies["weakspot"] = "wrong"
    assert outside.get(path).status == 403


def test_the_token_is_taken_for_a_session_that_no_script_and_no_other_site_can_use(outside):
    split = urlsplit(outside.address())
    answer = outside.get(f"/?{split.query}")
    assert (answer.status, answer.headers["Location"]) == (303, f"{outside.base}/")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", f"Path={outside.base}/"} <= set(cookie.split("; "))
    assert outside.get("/").status == 200


def test_a_token_opens_once_and_the_next_one_is_told(outside, caplog):
    caplog.set_level("INFO", "weakspot.ui.server")
    used = urlsplit(outside.address()).query
    outside.open()
    outside.cookies.clear()
    assert outside.get(f"/?{used}").status == 403
    assert outside.address() in caplog.text
    assert outside.open().get("/").status == 200


def test_a_session_ends_after_an_hour_idle(client, monkeypatch):
    assert client.get("/").status == 200
    now = session_auth.time.monotonic()
    for later, status in ((3000, 200), (6000, 200), (9700, 403)):
        monkeypatch.setattr(session_auth.time, "monotonic", lambda later=later: now + later)
        assert client.get("/").status == status
    monkeypatch.undo()
    assert client.get("/").status == 403
    assert client.open().get("/").status == 200


def test_two_browsers_have_words_of_their_own(client, form):
    other = type(client)(client.address).open()
    assert other.cookies != client.cookies
    assert other.post("/review", form).status == 403
    assert client.get("/").status == other.get("/").status == 200


def test_outside_of_its_path_there_is_nothing(client):
    assert len(client.base) > 20
    token = urlsplit(client.address()).query
    for path in ("/", "/review", "/style.css", f"/?{token}", "/wrong/review"):
        outer = type(client)(lambda: f"http://{client.host}/", client.cookies)
        assert outer.get(path).status == 404
    assert client.get("/").status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1"])
def test_another_name_that_leads_here_is_refused_even_with_the_session(client, host):
    assert client.get("/", Host=host).status == 421
    assert client.get(f"/?{urlsplit(client.address()).query}", Host=host).status == 421


def test_the_form_of_the_page_decides(client, workspace, form):
    assert client.post("/review", form, Origin=f"http://{client.host}").status == 303
    assert accepted(workspace, form)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "multipart/form-data; boundary=x"},
        {"Content_Type": "application/json"},
    ],
    ids=str,
)
def test_another_site_decides_nothing_even_where_it_knows_every_word(client, workspace, form, headers):
    assert client.post("/review", form, **headers).status in (403, 415)
    assert not accepted(workspace, form)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_gets_no_page_even_with_the_session(client, path, site):
    assert client.get(path, Sec_Fetch_Site=site).status == 403


@pytest.mark.parametrize("token", ["", "wrong", "ä\N{SNOWMAN}"])
def test_without_the_word_of_the_form_nothing_is_decided(client, workspace, form, token):
    assert client.post("/review", form | {"token": token}).status == 403
    assert not accepted(workspace, form)


def test_looking_at_an_address_decides_nothing(client, workspace, form):
    query = "&".join(f"{name}={value}" for name, value in form.items())
    assert client.get(f"/review?{query}").status in (200, 403)
    assert not accepted(workspace, form)


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/../raw"])
def test_every_answer_forbids_scripts_of_elsewhere_frames_and_keeping(client, path):
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"].removeprefix("sandbox; ").startswith("default-src 'none'")
    assert "unsafe-eval" not in headers["Content-Security-Policy"]
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_page_may_run_the_one_script_and_be_framed_by_none(client):
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
