import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.processes import started
from tests.zddc.tools.archives import wait_for


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name in ("ZDDC_ROOT", "ZDDC_AS", "ZDDC_LISTEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\n')
    (tmp_path / "a.txt").write_text("hello")
    return tmp_path


def test_settings_are_printed(zddc, root):
    status, out, _ = zddc("serve", root, "--as", "kim@acme.example", "--print-config")
    assert status == 0
    assert f"root: {root.resolve()}\n" in out
    assert "listen: 127.0.0.1:8443\n" in out
    assert "as: kim@acme.example\n" in out


def test_a_secret_is_not_printed(zddc, root, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    options = ("--trusted-proxy", "10.0.0.1", "--proxy-secret-file", secret, "--print-config")
    assert "proxy-secret: set\n" in zddc("serve", root, *options)[1]


def test_check_says_whether_it_can_start(zddc, root):
    assert zddc("serve", root, "--check", "--listen", "127.0.0.1:0")[0] == 0
    (root / "b").mkdir()
    (root / "b" / ".zddc").write_text("acl: nonsense\n")
    status, out, _ = zddc("serve", root, "--check", "--listen", "127.0.0.1:0")
    assert (status, out) == (1, "the server can start; faults in rule files: 1; see 'zddc access check'\n")
    assert sorted(file.name for file in root.iterdir()) == [".zddc", "a.txt", "b"]


def test_check_counts_what_nobody_gets(zddc, root):
    """A name that is not UTF-8, a link, a pipe and a socket are counted, and named among the findings."""
    Path(os.fsdecode(os.fsencode(root) + b"/plan-\xff.pdf")).touch()
    (root / "link").symlink_to("a.txt")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as bound, contextlib.chdir(root):  # the path of a socket has to be short
        bound.bind("socket")
    status, out, _ = zddc("serve", root, "--check", "--listen", "127.0.0.1:0")
    assert (status, out.splitlines()[1]) == (0, "what nobody gets, such as links: 4; see 'zddc list --findings'")
    found = zddc("list", root, "--findings")[1]
    for name in ("plan-", "link", "pipe", "socket"):
        assert name in found


def test_what_keeps_it_from_starting_is_one_line(zddc, root, tmp_path):
    (root / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for options, thing in (
            (("--listen", address), f"--listen {address}: cannot listen there: address already in use;"),
            (("--tls", "none.pem,key.pem"), "none.pem: no such file or directory;"),
            (("--tls", f"{root}/none.pem,{root}/key.pem"), f"{root}/none.pem: no such file or directory;"),
            (("--tls", f"{root},{root}"), f"{root}: is a directory;"),
            (("--tls", f"{root}/a.txt,{root}/key.pem"), f"{root}/a.txt: no certificate;"),
            (("--cors-origin", "tools.example"), "--cors-origin tools.example: not an origin;"),
            (("--cors-origin", "https://tools.example/"), "--cors-origin https://tools.example/: not an origin;"),
            (("--max-file-bytes", "0"), "zddc: invalid value for '--max-file-bytes'"),
        ):
            for more in (("--check",), ("--audit-log", "off")):
                status, _, err = zddc("serve", root, "--listen", "127.0.0.1:0", *options, *more)
                assert (status, err.count("\n")) == (1, 1), err
                assert err.startswith(thing), err
    assert zddc("serve", root / "none")[2] == f"{root}/none: no such folder; give a folder that is there\n"


def test_options_may_come_from_the_environment(zddc, root, monkeypatch):
    monkeypatch.setenv("ZDDC_ROOT", str(root))
    monkeypatch.setenv("ZDDC_AS", "kim@acme.example")
    assert "as: kim@acme.example\n" in zddc("serve", "--print-config")[1]
    monkeypatch.setenv("ZDDC_LISTN", "127.0.0.1:1")
    status, _, err = zddc("serve", "--print-config")
    assert (status, err) == (1, "ZDDC_LISTN: no such environment variable; did you mean ZDDC_LISTEN\n")


@pytest.mark.parametrize("option", ["--workers", "--rescans", "--opa-url"])
def test_what_is_not_there_is_unknown(zddc, root, option):
    status, _, err = zddc("serve", root, option, "1", "--print-config")
    assert status == 1
    assert f"no such option: {option}" in err


@pytest.mark.slow
def test_alone_it_serves_until_it_is_told_to_end(root):
    """The command of the manual; nothing is written below the root."""
    command = [sys.executable, "-m", "zddc", "serve", root, "--as", "kim@acme.example", "--listen", "127.0.0.1:0"]
    with started(["sh", "-c", 'exec "$@" 2>&1', "sh", *command], stdout=subprocess.PIPE, text=True) as process:
        found = (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in process.stdout)
        address = next(filter(None, found))[0]
        wait_for(f"{address}.health")
        with urllib.request.urlopen(f"{address}a.txt") as answer:
            assert answer.read() == b"hello"
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read()
        assert process.wait() == 0
    assert '"path": "/a.txt"' in said
    assert "Traceback" not in said
    assert sorted(file.name for file in root.iterdir()) == [".zddc", "a.txt"]
