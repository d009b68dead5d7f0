import json
import threading

import pytest
from tests import waiting
from tests.zddc.server.asking import body_of, request

from zddc.access.policy import Policy
from zddc.server.admin import answer_admin
from zddc.server.audit import Audit
from zddc.server.watching import Watcher

KIM, IT = "kim@acme.example", "it@acme.example"
PLACES = ("/.profile/findings", "/.profile/audit", "/.profile/rescan")


@pytest.fixture
def ask(tmp_path):
    (tmp_path / ".zddc").write_text('acl: {allow: ["*"]}\nadmins: ["it@acme.example"]\n')
    (tmp_path / "P").mkdir()
    (tmp_path / "P" / "link.pdf").symlink_to("elsewhere")
    for number in (1, 2):
        (tmp_path / "P" / str(number)).mkdir()
        (tmp_path / "P" / str(number) / "D-1_A (IFC) - Plan.txt").write_text(str(number))
    audit = Audit(str(tmp_path / "audit.jsonl"))
    with Policy(tmp_path) as policy, Watcher(tmp_path, 0) as watcher, audit.running():
        watcher.read_all()

        def run(path, email=IT, method="GET"):
            return answer_admin(request(method, path, email=email), tmp_path, policy, watcher, audit)

        run.audit, run.watcher = audit, watcher
        yield run


def lines(answer):
    return [json.loads(line) for line in body_of(answer).splitlines()]


def test_nobody_else_gets_anything(ask):
    for path in PLACES:
        for email in (KIM, None):
            assert ask(path, email) is None
            assert ask(path, email, "POST") is None
    for path in ("/.profile/rescan", "/.profile/x", "/.profile/findings/", "/.profile/audit/x"):
        assert ask(path) is None


def test_an_admin_gets_what_is_odd(ask):
    found = {(one["path"], one["kind"]) for one in lines(ask("/.profile/findings"))}
    assert found == {("P/link.pdf", "left out"), ("P/2/D-1_A (IFC) - Plan.txt", "conflict")}
    assert body_of(ask("/.profile/findings", method="HEAD")) == b""


def test_an_admin_gets_the_latest_lines_of_the_audit(ask):
    for number in range(600):
        ask.audit.record({"number": number})
    found = lines(ask("/.profile/audit"))
    assert [one["number"] for one in found] == list(range(100, 600))
    assert {"time", "seq", "host"} <= set(found[0])


def test_an_admin_has_all_folders_looked_at(ask, monkeypatch):
    looked = threading.Event()
    monkeypatch.setattr(ask.watcher, "rescan", looked.set)
    assert ask("/.profile/rescan", method="POST").status == 202
    waiting.until(looked.is_set)
