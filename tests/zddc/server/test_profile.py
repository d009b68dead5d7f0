"""Everybody learns where they may enter; why they may not is told to admins only, as it tells what is there."""

import json

import pytest
from tests.zddc.server.asking import body_of, request

from zddc.access.policy import Policy
from zddc.server.profile import answer_profile
from zddc.server.watching import Watcher

JSON = [("accept", "application/json")]
KIM, IT = "kim@acme.example", "it@acme.example"


@pytest.fixture
def archive(tmp_path):
    (tmp_path / "P" / "incoming").mkdir(parents=True)
    (tmp_path / ".zddc").write_text('acl: {allow: ["it@acme.example"]}\nadmins: ["it@acme.example"]\n')
    (tmp_path / "P" / ".zddc").write_text('acl: {allow: ["kim@acme.example"]}')
    (tmp_path / "P" / "incoming" / ".zddc").write_text('acl: {permissions: {"x@pipe.example": c}}')
    watcher = Watcher(tmp_path)
    watcher.read_all()
    with Policy(tmp_path) as policy:
        yield policy, watcher


def get(archive, place, person, **query):
    asked = request(path=place, email=person, headers=JSON, query=query)
    return answer_profile(asked, "header", *archive)


def told(archive, place, person, **query):
    return json.loads(body_of(get(archive, place, person, **query)))


def test_everybody_learns_who_they_are_and_where_they_may_enter(archive):
    assert told(archive, "/.profile/", KIM) == {
        "email": KIM, "via": "header", "is_admin": False, "entry_points": ["/P"],
    }  # fmt: skip
    assert told(archive, "/.profile/", None)["entry_points"] == []


def test_an_admin_learns_how_the_index_is(archive):
    found = told(archive, "/.profile/", IT)
    assert found["entry_points"] == ["/"]
    assert found["index"] == {"is_ready": True, "folders_read": 3, "documents": 0, "problem": ""}


def test_before_the_folders_are_read_nobody_can_say_where_to_enter(archive, tmp_path):
    policy, _ = archive
    assert told((policy, Watcher(tmp_path)), "/.profile/", KIM)["entry_points"] is None


def test_a_reason_is_told_where_somebody_may_read(archive):
    found = told(archive, "/.profile/access", KIM, path="/P/")
    assert (found["read"], found["hand_in"]) == (True, False)
    assert found["why"] == '/P/.zddc line 1: acl.allow "kim@acme.example"'
    assert told(archive, "/.profile/access", "x@pipe.example", path="/P/incoming/")["hand_in"]


def test_what_is_closed_and_what_is_not_there_look_alike(archive):
    closed, absent = (body_of(get(archive, "/.profile/access", "x@y.example", path=path)) for path in ("/P", "/Q"))
    assert closed.replace(b"/P", b"/Q") == absent
    assert told(archive, "/.profile/access", "x@y.example", path="/P", email=KIM)["email"] == "x@y.example"


def test_an_admin_may_ask_for_another_person_and_is_told_why(archive):
    found = told(archive, "/.profile/access", IT, path="/P", email="x@y.example")
    assert (found["email"], found["read"], found["why"]) == ("x@y.example", False, "no rule names x@y.example")
    assert told(archive, "/.profile/access", IT, path="/P", email="anonymous")["email"] is None
    assert told(archive, "/.profile/access", IT, path="/Q")["why"] == "No such file or directory"


@pytest.mark.parametrize("query", [{"path": "/../x"}, {"path": "x"}, {"path": "//"}, {"path": "/", "email": "nobody"}])
def test_what_cannot_be_asked_has_a_reason(archive, query):
    answer = get(archive, "/.profile/access", IT, **query)
    assert (answer.status, answer.body[-1:]) == (400, b"\n")


def test_there_is_nothing_else(archive):
    assert dict(get(archive, "/.profile", KIM).headers)["location"] == "/.profile/"
    for path in ("/.profile/x", "/.profile/access/", "/.profile/access/x", "/.profile/config"):
        assert get(archive, path, IT) is None


def test_a_page_says_the_same_without_script(archive):
    page = body_of(answer_profile(request(path="/.profile/", email='"<b>"@x.example'), "header", *archive)).decode()
    assert "&lt;b&gt;" in page
    assert "<script" not in page


def test_an_admin_may_ask_where_another_person_may_enter(archive):
    assert told(archive, "/.profile/", IT, email=KIM) == {
        "email": KIM, "via": "not asking", "is_admin": False, "entry_points": ["/P"], "index": archive_state(archive),
    }  # fmt: skip
    assert told(archive, "/.profile/", KIM, email=IT)["email"] == KIM
    assert get(archive, "/.profile/", IT, email="nobody").status == 400


def archive_state(archive):
    return told(archive, "/.profile/", IT)["index"]
