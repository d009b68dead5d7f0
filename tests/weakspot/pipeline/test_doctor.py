"""The doctor says what counts, what is sent where and what stands in the way, and changes nothing."""

import fcntl
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.waiting import PATIENCE_SECONDS

from weakspot.access.client_keys import Clients, add_client
from weakspot.access.token import token_file
from weakspot.pipeline import doctor
from weakspot.pipeline.doctor import SECTIONS, diagnose
from weakspot.pipeline.process import process
from weakspot.records import UnfittedConsultation
from weakspot.storage import append_log
from weakspot.storage.ledger import Ledger, Limits
from weakspot.trust.agreements import remember_agreements
from weakspot.trust.recipients import Recipient

NOBODY = "gateway.upstream=http://127.0.0.1:9/v1"  # a port at which nothing listens


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Give the user a folder of settings of their own, and none of the variables of this machine."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("WEAKSPOT_WORKSPACE", "ANTHROPIC_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def write_settings(workspace, text: str = "") -> None:
    workspace.root.mkdir(exist_ok=True, mode=0o700)
    workspace.config_file.write_text(text)


def lines_of(workspace, section: str, *settings: str) -> list[tuple[str, str, str]]:
    """Return what is said of one section: level, text, remedy."""
    found = diagnose(workspace.root, [NOBODY, *settings])
    return [(one.level, one.text, one.remedy) for one in found if one.section == section]


def state_of(folder) -> dict:
    """Return all that can be seen of a folder and everything in it."""
    found = [folder, *folder.rglob("*")]
    return {path: (path.lstat().st_mode, path.lstat().st_mtime_ns, path.lstat().st_size) for path in found}


def test_all_sections_are_there_and_nothing_is_changed(workspace, tmp_path, config, example, capture):
    capture(workspace, [example(n) for n in range(3)])
    process(workspace, config)
    write_settings(workspace)
    workspace.raw.chmod(0o644)
    add_client(workspace.clients, "alice", 2)
    before = state_of(tmp_path)
    found = diagnose(workspace.root, [NOBODY])
    assert list(dict.fromkeys(one.section for one in found)) == ["settings", *SECTIONS]
    assert [one for one in found if one.level == "problem"] == []
    assert all(bool(one.remedy) == (one.level != "ok") for one in found)
    assert state_of(tmp_path) == before


def test_a_workspace_that_is_not_there_is_looked_at_and_not_made(workspace):
    assert lines_of(workspace, "settings")[0][0] == "note"
    assert lines_of(workspace, "files") == [
        ("note", f"{workspace.root}: not there", "weakspot init, or the first capture, makes it")
    ]
    assert not workspace.root.exists()


# which settings count


def test_it_says_which_settings_count_and_why(workspace, monkeypatch):
    write_settings(workspace)
    assert lines_of(workspace, "settings") == [
        ("ok", f"{workspace.config_file} counts: --workspace names its folder", "")
    ]
    monkeypatch.setenv("WEAKSPOT_WORKSPACE", str(workspace.root))
    assert "WEAKSPOT_WORKSPACE names its folder" in diagnose(None)[0].text
    monkeypatch.delenv("WEAKSPOT_WORKSPACE")
    monkeypatch.chdir(workspace.root)
    monkeypatch.setattr("weakspot.pipeline.doctor.find_stranger", lambda _: "")
    assert diagnose(None)[0].text == f"{workspace.config_file} counts: found, and nobody else may change it"


def test_settings_that_were_passed_over_are_named_with_the_reason(workspace, tmp_path, monkeypatch):
    write_settings(workspace)
    workspace.root.chmod(0o777)
    monkeypatch.chdir(workspace.root)
    first = diagnose(None, [NOBODY])[0]
    assert (first.section, first.level) == ("settings", "note")
    assert f"{workspace.config_file}: not read, since everybody may write to" in first.text
    assert first.remedy.startswith("if it is yours, name it: --workspace")
    named = diagnose(workspace.root, [NOBODY])[0]
    assert named.level == "note"
    assert "others may change it, since everybody may write to" in named.text


@pytest.mark.parametrize("text", ["[trian]\n", "[train\n", '[gateway]\nupstream = "ftp://x"\n'])
def test_settings_that_cannot_be_read_are_one_problem(workspace, weakspot, text):
    write_settings(workspace, text)
    status, out, err = weakspot("doctor")
    assert (status, err, out.count("\n")) == (1, "", 1)
    assert out.startswith(f"problem  settings  {workspace.config_file}: ")


# what is sent where


def test_what_nobody_agreed_to_is_a_problem_until_somebody_does(workspace, weakspot):
    write_settings(workspace, '[gateway]\nupstream = "http://far.test/v1"\nupstream_api_key_env = "GITHUB_TOKEN"\n')
    status, out, _ = weakspot("doctor")
    assert status == 1
    assert "problem  trust     GITHUB_TOKEN to http://far.test/v1: nobody agreed to that; agree with 'weakspot t" in out
    assert "note     server    http://far.test/v1: not asked, since nobody agreed to that; weakspot trust" in out
    assert "ok       trust     ANTHROPIC_API_KEY to https://api.anthropic.com: the provider's own" in out
    remember_agreements(workspace, [Recipient("http://far.test/v1", "GITHUB_TOKEN")])
    found = [one.text for one in diagnose(workspace.root, ()) if one.section == "trust" and one.level == "ok"]
    assert any(text.startswith("GITHUB_TOKEN to http://far.test/v1: you agreed on 20") for text in found)


def test_no_secret_is_shown(workspace, weakspot, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-4f9Qz71LmXw82VbNc05RtYhU")
    monkeypatch.setenv("OWN_TOKEN", "own-token-4f9Qz71LmXw82VbNc05RtYhU")
    write_settings(
        workspace,
        '[gateway]\nupstream = "http://user:Tr0ub4dor3@127.0.0.1:9/v1"\ntoken_env = "OWN_TOKEN"\n'
        'upstream_api_key_env = "ghp_Zk3QpT9vXw7LmRb2Ys8HdJf4Nc6Ga1Ue5Ro0"\n',
    )
    key = add_client(workspace.clients, "alice")
    shown = weakspot("doctor")[1] + weakspot("doctor", "--json")[1]
    assert "ANTHROPIC_API_KEY, for teacher sonnet, is in the environment" in shown
    assert "OWN_TOKEN, for clients of the gateway, is in the environment" in shown
    hash_ = Clients(workspace.clients).find(key).sha256
    for secret in ("4f9Qz71LmXw82VbNc05RtYhU", "Tr0ub4dor3", "ghp_Zk3QpT9vXw7LmRb2Ys8H", key, hash_):
        assert secret not in shown


def test_as_json_it_is_one_object(workspace, weakspot):
    write_settings(workspace)
    status, out, _ = weakspot("doctor", "--json", "--set", NOBODY)
    found = json.loads(out)
    assert (status, found["problems"], out.count("\n")) == (0, 0, 1)
    assert set(found["findings"][0]) == {"section", "level", "text", "remedy"}


# files, locks, records


def test_what_others_can_read_is_noted_and_a_link_is_a_problem(workspace, capture, example):
    capture(workspace, [example(1)])
    assert [level for level, *_ in lines_of(workspace, "files")] == ["ok"]
    workspace.raw.chmod(0o644)
    assert lines_of(workspace, "files") == [
        ("note", f"1 with other permissions, as {workspace.raw}", "the next other command mends that")
    ]
    assert [level for level, *_ in lines_of(workspace, "files", "workspace.allow_links=['raw']")] == ["ok"]
    workspace.processed.symlink_to("/")
    ((level, text, remedy),) = lines_of(workspace, "files")
    assert (level, "a link" in text, "allow_links" in remedy) == ("problem", True, True)
    assert [level for level, *_ in lines_of(workspace, "records")] == ["note"]  # all else is looked at


def test_a_token_that_others_can_read_is_a_problem(workspace):
    token_file().parent.mkdir(parents=True)
    token_file().write_text("a-token-of-the-user-4f9Qz71")
    token_file().chmod(0o640)
    assert ("problem", f"{token_file()}: others can read the token", f"chmod 600 {token_file()}") in lines_of(
        workspace, "files"
    )


def test_who_holds_a_lock_is_named(workspace, capture, example):
    capture(workspace, [example(1)])
    assert lines_of(workspace, "locks") == [("ok", "no other command is at work here", "")]
    with workspace.lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        ((level, text, remedy),) = lines_of(workspace, "locks")
        assert (level, remedy) == ("note", "wait until it has ended")
        assert text.startswith(f"process {os.getpid()} (")
        assert f"holds {workspace.lock} (process, train or deploy)" in text
    assert lines_of(workspace, "locks") == [("ok", "no other command is at work here", "")]


def test_what_waits_is_counted(workspace, config, example, capture):
    asked = {"teacher": "sonnet", "model": "m", "policy": "ask", "terms": ""}
    capture(workspace, [example(1), example(2, consultation=asked)])
    assert ("note", "captured: 2, not processed: 2", "weakspot process") in lines_of(workspace, "records")
    process(workspace, config)
    odd = UnfittedConsultation(
        reason="bug", detail="", teacher="t", conversation=[], attempt=[], answer={}, metadata={"interaction_id": "i"}
    )
    append_log.append(workspace.unfitted, [odd.to_json()])
    assert lines_of(workspace, "records") == [
        ("ok", "captured: 2, not processed: 0", ""),
        ("note", "waiting for a person's permission: 1", "weakspot allow"),
        ("note", "not fit to train on: 1", "weakspot validate, then weakspot collect --unfitted"),
    ]


def test_a_file_that_is_damaged_is_one_problem_and_all_else_is_looked_at(workspace, config, example, capture):
    capture(workspace, [example(1)])
    process(workspace, config)
    workspace.assignments.write_text('{"my secret": 1}\n')
    ((level, text, remedy),) = lines_of(workspace, "records")
    assert (level, remedy) == ("problem", "restore the file from the newest snapshot, it holds the splits")
    assert "my secret" not in text
    assert lines_of(workspace, "versions")


# server, versions, budgets


class Models(BaseHTTPRequestHandler):
    """A server that lists what it is told to."""

    answer: bytes = b""

    def do_GET(self) -> None:
        self.send_response(200 if self.answer else 401)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def served(monkeypatch):
    """Serve a list of models on this machine; give its address, and how to change the list."""
    monkeypatch.setattr(doctor, "_SERVER_SECONDS", PATIENCE_SECONDS)
    server = HTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def lists(*names: str) -> str:
        Models.answer = json.dumps({"data": [{"id": name} for name in names]}).encode()
        return f"gateway.upstream=http://127.0.0.1:{server.server_address[1]}/v1"

    yield lists
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
def test_what_the_local_server_serves_is_named(workspace, served):
    address = served("big", "small\x1b[31m")
    shown = address.removeprefix("gateway.upstream=")
    assert lines_of(workspace, "server", address) == [("ok", f"{shown} serves big, small\x1b[31m", "")]
    assert lines_of(workspace, "server", address, "gateway.model=huge")[1] == (
        "problem",
        "[gateway] model = 'huge': the server has no such model",
        "name one that it serves",
    )
    assert lines_of(workspace, "server", served()) == [("note", f"{shown} serves no model", "load one there")]
    Models.answer = b"<html>"
    assert lines_of(workspace, "server", address)[0][:2] == ("note", f"{shown}: lists no models")
    Models.answer = b""
    assert "HTTP 401" in lines_of(workspace, "server", address)[0][1]


@pytest.mark.slow
def test_what_nobody_agreed_to_is_not_asked(workspace, served):
    toml = served("big").replace("gateway.upstream=", "upstream = '") + "'\n"
    write_settings(workspace, f"[gateway]\nupstream_api_key_env = 'GITHUB_TOKEN'\n{toml}")
    found = [one.text for one in diagnose(workspace.root) if one.section == "server"]
    assert len(found) == 1
    assert found[0].endswith("not asked, since nobody agreed to that")


def test_a_server_that_is_down_is_a_note(workspace):
    ((level, text, _),) = lines_of(workspace, "server")
    assert (level, text) == ("note", "http://127.0.0.1:9/v1: cannot be reached (ConnectError)")


def test_versions_are_named(workspace):
    text = " ".join(text for _, text, _ in lines_of(workspace, "versions"))
    for name in ("weakspot 0", "Python 3", "torch ", "transformers ", "peft ", "aiohttp ", "mcp "):
        assert name in text


def test_what_is_left_to_spend_is_said_and_what_is_used_up_is_noted(workspace):
    add_client(workspace.clients, "alice", None, 1)
    add_client(workspace.clients, "bob")
    ledger = Ledger(workspace.spending)
    for account in ("client:alice", "client:bob"):
        ledger.settle(ledger.reserve(account, 1.0, Limits()), 0.5)
    ledger.settle(ledger.reserve("opus", 9.0, Limits()), 9.0)
    assert lines_of(workspace, "clients") == [
        ("note", "client alice: 0 of 1 consultation for an hour left", "wait, or give it a key with higher limits"),
        ("ok", "client bob: 0.50 US dollars in 24 hours and 1 consultation in an hour, without a limit", ""),
    ]
    sonnet, opus = lines_of(workspace, "budgets")
    assert sonnet[0] == "ok"
    assert opus[0] == "note"
    assert opus[1].startswith("teacher opus: 0.00 of 5.00 US dollars for 24 hours and 59 of 60")
    assert opus[2] == "wait, or raise the limits of [teachers.opus]"


def test_a_client_that_asks_for_another_mode_of_thinking_is_told_of(workspace, example, capture):
    write_settings(workspace)
    assert lines_of(workspace, "thinking")[0][0] == "ok"
    capture(workspace, [example(1), example(2, thinking="on"), example(3, thinking="off")])
    [(level, text, remedy)] = lines_of(workspace, "thinking")
    assert (level, bool(remedy)) == ("note", True)
    assert text == "of 3 captured calls, 1 ask for thinking = on; [model] thinking is off"
    assert len(lines_of(workspace, "thinking", "model.thinking=default")) == 2
