"""A page of elsewhere in a real Chromium reads nothing, spends nothing and changes nothing at any of the servers."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from tests.chromium import launched
from tests.conftest import append_raw, make_example
from tests.processes import started
from tests.weakspot.test_mcp_server import KEY, Teacher, listening, teaching

from weakspot.config import Config
from weakspot.pipeline.process import process
from weakspot.workspace import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
SECRET = "the crown jewels are in the third drawer"
FORMS = ("application/json", "text/plain", *(("application/x-www-form-urlencoded", "") if SOAK else ()))
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CONSULTATION = {
    "model": "expert/fable",
    "max_tokens": 20,
    "messages": [{"role": "user", "content": "Which revision follows A1?"}],
}
TOOL_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "consult_expert", "arguments": {"query": "Which revision follows A1?", "attempt": "A10?"}},
}
# What the page does to each address: every method with every form of a body, and all that needs no script's leave.
ATTACK = """
async ({targets, methods, bodies, few}) => {
  const read = [], sleep = ms => new Promise(done => setTimeout(done, ms));
  const attempt = async (url, options) => {
    for (const credentials of options.mode === "cors" ? ["omit", "include"] : ["include"])
      try {
        const answer = await fetch(url, {...options, credentials});
        if (answer.type !== "opaque") read.push([options.method, url, answer.status, await answer.text()]);
      } catch (error) { /* the browser kept the answer from the page */ }
  };
  const frame = html => {
    const made = document.createElement("iframe");
    made.srcdoc = html;
    document.body.append(made);
  };
  for (const url of targets) {
    const all = [];
    for (const method of methods) {
      if (["GET", "HEAD"].includes(method)) {
        for (const mode of ["cors", "no-cors"]) all.push(attempt(url, {method, mode}));
        continue;
      }
      for (const {type, text} of method === "POST" ? bodies : few)
        for (const mode of method === "POST" ? ["cors", "no-cors"] : ["cors"])
          all.push(attempt(url, {method, mode, body: text, headers: type ? {"Content-Type": type} : {}}));
    }
    await Promise.all(all);
    for (const {text} of bodies) navigator.sendBeacon(url, new Blob([text], {type: "text/plain"}));
    for (const tag of ["img", "script", "iframe"]) {
      const made = document.createElement(tag);
      made.src = url;
      document.body.append(made);
    }
    new EventSource(url);
    try { new WebSocket(url.replace("http", "ws")); } catch (error) { /* refused at once */ }
    const field = (name, value) => `<input name='${name}' value='${value.replaceAll("'", "&#39;")}'>`;
    for (const type of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
      frame(`<form method=post enctype='${type}' action='${url}'>${field("decision", "allow")}`
            + `${field(bodies[0].text, "")}</form><script>document.forms[0].submit()</script>`);
  }
  await sleep(300);
  return read;
}
"""
# One guard stands before all paths of a server: every path in `make soak`, one of each kind otherwise.
PATHS = (
    *("health", "v1/models", "v1/chat/completions", "v1/load_lora_adapter"),
    *(("", "metrics", "v1/models/local", "v1/messages", "v1/messages/count_tokens") if SOAK else ()),
    *(("v1/responses", "v1/embeddings") if SOAK else ()),
)
PAGES = ("", "review", *(("adapters", "releases") if SOAK else ()))
FRIEND = "http://friend.example:9"


@dataclass
class Servers:
    """Addresses of the three servers of one workspace, and who would be paid."""

    gateway: str
    mcp: str
    pages: str
    workspace: Workspace
    teacher: Teacher

    def targets(self, name: str) -> list[str]:
        """Return addresses that answer something, by this name of the machine."""
        pages = urlsplit(self.pages)
        known = [
            *(f"{self.gateway}/{path}" for path in PATHS),
            self.mcp,
            f"http://{pages.netloc}/",
            *(f"http://{pages.netloc}{pages.path}{path}" for path in PAGES),
        ]
        return [re.sub("//[^:/]+:", f"//{name}:", one) for one in known]

    def state(self) -> dict[str, bytes]:
        """Return every file of the workspace, and what the teacher was asked."""
        root = self.workspace.root
        files = {str(one): one.read_bytes() for one in sorted(root.rglob("*")) if one.is_file()}
        return {**files, "asked": json.dumps(self.teacher.asked).encode()}


@pytest.fixture(scope="module")
def browser(chromium):
    """A Chromium for which every name of .example is this machine.

    Not every browser keeps pages of elsewhere from addresses of this machine, as this one would by itself.
    """
    arguments = ["--host-resolver-rules=MAP *.example 127.0.0.1", "--disable-features=LocalNetworkAccessChecks"]
    with contextlib.closing(launched(chromium.browser_type, *arguments)) as found:
        yield found


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Servers]:
    workspace = Workspace(tmp_path_factory.mktemp("attacked") / "training-data")
    with teaching() as teacher, contextlib.ExitStack() as running:
        workspace.root.mkdir()
        workspace.config_file.write_text(
            f'[gateway]\nupstream = "{teacher.url}/v1"\nlisten = "127.0.0.1:0"\norigins = ["{FRIEND}"]\n'
            f'[escalation]\ndefault_teacher = "fable"\n'
            f'[teachers.fable]\nkind = "anthropic"\nmodel = "wise-1"\nbase_url = "{teacher.url}"\n'
            f'api_key_env = "TEST_TEACHER_KEY"\npolicy = "ask"\ninput_price = 2.0\noutput_price = 10.0\n'
        )
        append_raw(workspace, [make_example(n, SECRET) for n in range(6)])
        process(workspace, Config())

        def listen(name: str, *arguments: str) -> str:
            command = [sys.executable, "-m", "weakspot", name, *arguments, "--json", "-w", workspace.root]
            options = {"env": {**os.environ, "TEST_TEACHER_KEY": KEY}, "stdout": subprocess.PIPE, "text": True}
            process = running.enter_context(started(command, **options))
            return str(json.loads(process.stdout.readline())["listening"])

        mcp = running.enter_context(listening(workspace))
        yield Servers(listen("gateway"), mcp, listen("ui", "--listen", "127.0.0.1:0"), workspace, teacher)


def attack(browser, servers: Servers, origin: str, targets: list[str]) -> list[list]:
    """Attack from a page of ``origin`` in a browser whose user has the review pages open; return what it could read.

    An empty origin is that of a page which has none, such as a file.

    Only the page itself comes from elsewhere. All that it asks for goes to the servers, as after a name was rebound.
    """
    with contextlib.closing(browser.new_context()) as context:
        context.new_page().goto(servers.pages)
        page = context.new_page()
        page.route(f"{origin}/start", lambda route: route.fulfill(body="<body>hello", content_type="text/html"))
        page.goto(f"{origin}/start" if origin else "about:blank")
        bodies = [{"type": form, "text": json.dumps(body)} for body in (CONSULTATION, TOOL_CALL) for form in FORMS]
        few = bodies if SOAK else bodies[:: len(FORMS) + 1]  # each text, and each form, once
        return page.evaluate(ATTACK, {"targets": targets, "methods": METHODS, "bodies": bodies, "few": few})


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("http://evil.example:9", "127.0.0.1"),
        ("http://127.0.0.1:9", "localhost"),
        ("", "127.0.0.1"),
        *((("http://localhost:9", "localhost"), ("http://127.0.0.1:9", "127.0.0.1")) if SOAK else ()),
    ],
)
def test_a_page_of_elsewhere_or_of_another_port_gets_nothing(browser, servers, origin, name):
    before = servers.state()
    assert attack(browser, servers, origin, servers.targets(name)) == []
    assert servers.state() == before


def test_a_page_whose_name_was_rebound_reads_refusals_only(browser, servers):
    before, answers = servers.state(), []
    for address in (servers.gateway, servers.mcp, servers.pages):
        origin = f"http://rebound.example:{urlsplit(address).port}"
        own = [one for one in servers.targets("rebound.example") if one.startswith(f"{origin}/")]
        answers += attack(browser, servers, origin, own)
    assert {status for _, _, status, _ in answers} == {421}
    assert all(SECRET not in text and "wise-1" not in text for _, _, _, text in answers)
    # Each server was asked by every method, as its own page may ask.
    assert {(urlsplit(url).port, method) for method, url, _, _ in answers} == {
        (urlsplit(address).port, method)
        for address in (servers.gateway, servers.mcp, servers.pages)
        for method in METHODS
    }
    assert servers.state() == before


def test_a_listed_page_asks_and_is_answered(browser, servers):
    answers = attack(browser, servers, FRIEND, servers.targets("127.0.0.1"))
    gateway = urlsplit(servers.gateway).port
    assert {urlsplit(url).path for _, url, status, _ in answers if status == 200} >= {"/health", "/v1/chat/completions"}
    assert {urlsplit(url).port for _, url, _, _ in answers} <= {gateway, urlsplit(servers.mcp).port}
    assert servers.teacher.asked
