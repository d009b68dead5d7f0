"""The server listens where only this machine connects, says where, and ends when it is told to."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from tests.processes import started

from weakspot.config import Config
from weakspot.ui import server
from zddc.errors import UserError

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "weakspot", "ui", "--no-open", "--listen", "127.0.0.1:0"]


def start(workspace, listen: str, **more: bool) -> str:
    """Start and stop the server; return the address that it had."""

    async def run() -> str:
        runner, address = await server.start_server(workspace, Config(), listen, **more)
        await runner.cleanup()
        return address()

    return asyncio.run(run())


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "example.org:0", ":0", "10.0.0.1:8789"])
def test_where_others_could_connect_it_does_not_listen_unasked(workspace, listen):
    with pytest.raises(UserError, match=r"can be reached from other machines; .*--allow-remote"):
        start(workspace, listen)


def test_asked_to_it_listens_there(workspace):
    assert start(workspace, "0.0.0.0:0", allow_remote=True).startswith("http://0.0.0.0:")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_loopback_has_several_names(workspace, host):
    assert "/?token=" in start(workspace, f"{host}:0")


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:web"])
def test_what_is_no_address_is_told_in_one_line(workspace, listen):
    with pytest.raises(UserError, match=listen):
        start(workspace, listen)


def test_a_port_that_is_taken_is_told_in_one_line(workspace, outside):
    with pytest.raises(UserError, match=r"address already in use; choose another with --listen"):
        start(workspace, outside.host)


def test_script_and_style_are_served_as_such_and_nothing_else(client):
    assert client.get("/keys.js").headers["Content-Type"].startswith("text/javascript")
    assert client.get("/style.css").headers["Content-Type"].startswith("text/css")
    assert {client.get(path).status for path in ("/layout.html", "/templates/style.css", "/server.py")} == {404}


def test_a_form_may_be_as_large_as_two_long_texts(client, workspace, interaction, capture):
    capture(workspace, [one := interaction()])
    page = client.get("/review").text
    read = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("token", "digest")}
    form = {**read, "id": one.id, "action": "edit", "query": "ä" * 200_000, "expert": "ö" * 200_000}
    assert client.post("/review", form).status == 303
    assert "ö" * 1000 in client.get(f"/review?id={one.id}").text


def test_the_command_says_where_as_json_and_ends_at_a_signal(workspace, example, capture):
    capture(workspace, [example(1)])
    command = [*COMMAND, "--json", "-w", str(workspace.root)]
    with started(command, stdout=subprocess.PIPE, text=True) as running:
        address = json.loads(running.stdout.readline())["listening"]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(address, timeout=120) as answer:
            page = answer.read().decode()
        assert "weakspot: overview" in page
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address, timeout=120)
        os.kill(running.pid, signal.SIGTERM)
        assert running.wait(120) == 0
