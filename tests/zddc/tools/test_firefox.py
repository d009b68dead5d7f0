"""Every page opens from the disk in Firefox, offers another way where no folder can be picked, and reads single files.

A transmittal goes from a person with Chromium to one with Firefox, and its acknowledgement comes back.

Playwright drives only a Firefox of its own. This is the one of the system, by WebDriver BiDi.
"""

import asyncio
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests import waiting
from tests.processes import started
from tests.zddc.tools.conftest import TOOLS
from tests.zddc.tools.transmittal_folders import PASSWORD, Tool, known_keys, write_key
from tests.zddc.transmittal import made

from zddc.transmittal.publishing import publish

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = ("archive", "landing", "classifier", "transmittal", "mdedit")
NAME = "ACME-CIV-DWG-0001_A (IFC) - Site layout.pdf"
MINUTES = "ACME-MGT-MOM-0001_A (IFI) - Kick-off.md"
SAYS = """words => [...document.querySelectorAll(".sheet-row")].map(one => one.textContent)
    .concat(document.body.innerText).some(text => text.includes(words))"""
# What each page offers to somebody whose browser cannot pick a folder.
FALLBACKS = {
    "archive": "Firefox and Safari can only choose one",
    "landing": "In Firefox and Safari drop the files",
    "classifier": "Open a folder to read",
    "transmittal": "This browser cannot choose folders",
    "mdedit": "Open files to read",
}
# What a drop of files does, where the browser gives no handles of folders: a name, its content, and so on.
DROP = """(...given) => {
  const data = new DataTransfer();
  for (let at = 0; at < given.length; at += 2) data.items.add(new File([given[at + 1]], given[at]));
  const place = document.querySelector(".drop-zone") ?? document.querySelector("main");
  for (const kind of ["dragenter", "dragover", "drop"]) {
    place.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
  }
}"""


# A click on the button of this name, in the dialog if one is open, once it is there and can be pressed.
CLICK = """name => {
  const place = document.querySelector("dialog[open]") ?? document;
  const found = [...place.querySelectorAll("button")].find(one => one.textContent.trim() === name);
  if (!found || found.disabled) return false;
  found.click();
  return true;
}"""
TYPE = """(selector, text) => {
  const field = document.querySelector(selector);
  if (!field) return false;
  field.value = text;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  return true;
}"""


class Firefox:
    """A Firefox with one tab, and all that went wrong in it."""

    def __init__(self, socket):
        self.faults, self.requests = [], []
        self._socket, self._numbers, self._waiting = socket, itertools.count(1), {}
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self):
        async for message in self._socket:
            told = json.loads(message.data)
            if told["type"] == "event":
                self._note(told["method"], told["params"])
            else:
                self._waiting.pop(told["id"]).set_result(told)

    def _note(self, method, told):
        if method == "log.entryAdded" and told["level"] in ("error", "warn"):
            self.faults.append(told["text"])
        elif method == "network.beforeRequestSent":
            self.requests.append(told["request"]["url"])

    async def ask(self, method, **parameters):
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        told = await answer
        assert told["type"] == "success", told
        return told["result"]

    async def begin(self):
        await self.ask("session.new", capabilities={})
        await self.ask("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.tab = (await self.ask("browsingContext.getTree"))["contexts"][0]["context"]

    async def open(self, name):
        address = (TOOLS / f"{name}.html").as_uri()
        await self.ask("browsingContext.navigate", context=self.tab, url=address, wait="complete")
        # On a busy machine it says so of the empty page before it.
        await self.wait("one => location.href.startsWith(one) && document.readyState === 'complete'", address)

    async def call(self, function, *given):
        told = await self.ask(
            "script.callFunction",
            functionDeclaration=function,
            arguments=[{"type": "string", "value": one} for one in given],
            target={"context": self.tab},
            awaitPromise=True,
        )
        assert told["type"] == "success", told
        return told["result"].get("value")

    async def wait(self, function, *given):
        try:
            await waiting.happens(lambda: self.call(function, *given))
        except AssertionError:
            print(f"{given}: not in {await self.call('() => document.body.innerText')}")
            raise

    async def choose(self, selector, *files):
        """Give files to an input, as its dialog would."""
        await self.wait("one => document.querySelector(one) !== null", selector)  # as its dialog comes after a click
        locator = {"type": "css", "value": selector}
        found = await self.ask("browsingContext.locateNodes", context=self.tab, locator=locator)
        await self.ask("input.setFiles", context=self.tab, element=found["nodes"][0], files=[str(one) for one in files])


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    """Drive a Firefox by a coroutine function that gets it."""
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("there is no firefox on this machine")
    profile = tmp_path_factory.mktemp("profile")
    wishes = {"browser.download.folderList": 2, "browser.download.dir": str(profile / "Downloads")}
    preferences = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in wishes.items()]
    (profile / "user.js").write_text("\n".join(preferences))
    command = [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
    joined = ["sh", "-c", 'exec "$@" 2>&1', "sh", *command]
    environment = {**os.environ, "HOME": str(profile), "MOZ_DISABLE_AUTO_SAFE_MODE": "1"}
    with started(joined, stdout=subprocess.PIPE, text=True, env=environment) as process:
        told = (re.search(r"WebDriver BiDi listening on (ws://\S+)", line) for line in process.stdout)
        address = next(filter(None, told))[1]

        def drive(act):
            async def connected():
                async with (
                    aiohttp.ClientSession() as session,
                    session.ws_connect(f"{address}/session", max_msg_size=0) as socket,
                ):
                    browser = Firefox(socket)
                    await browser.begin()
                    try:
                        await act(browser)
                    finally:
                        await browser.ask("session.end")

            # Where a Chromium is driven too, this thread has a loop of its own.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, connected()).result()

        drive.downloads = profile / "Downloads"
        yield drive
        process.terminate()


def test_every_page_opens_from_the_disk_and_offers_another_way(firefox):
    async def act(browser):
        for name in PAGES:
            browser.faults.clear()
            browser.requests.clear()
            await browser.open(name)
            assert await browser.call("() => !('showDirectoryPicker' in window)"), "then nothing is to be offered"
            await browser.wait(SAYS, FALLBACKS[name])
            assert [one for one in browser.requests if not one.startswith(("file:", "data:", "blob:"))] == []
            assert browser.faults == [], name

    firefox(act)


def test_single_files_are_chosen_and_dropped(firefox, tmp_path):
    sent = publish(tmp_path, made.signed())
    zipped = tmp_path / "archive.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(f"2025-10-31_ACME-TRN-0007 (IFC) - Civil package/{NAME}", "%PDF-1.4\n")
    page = TOOLS / "archive.html"

    async def act(browser):
        await browser.open("archive")
        await browser.choose("#pick-file", zipped)
        await browser.wait(SAYS, "ACME-CIV-DWG-0001")
        await browser.open("landing")
        await browser.choose("#verify-zone input", page)
        await browser.wait(SAYS, hashlib.sha256(page.read_bytes()).hexdigest())
        await browser.open("classifier")
        await browser.call(DROP, "scan 1.pdf", "%PDF-1.4")
        await browser.wait(SAYS, "scan 1.pdf")
        await browser.open("mdedit")
        await browser.call(DROP, MINUTES, "# Agreed on Monday")
        await browser.wait(SAYS, "Agreed on Monday")
        await browser.open("transmittal")
        await browser.call(DROP, sent.name, sent.read_text(encoding="utf-8"))
        await browser.wait(SAYS, "The transmittal itself is intact")
        assert browser.faults == []

    firefox(act)


def test_what_one_sends_with_chromium_another_checks_and_acknowledges_with_firefox(firefox, open_page, tmp_path):
    # Acme: a folder is dropped, the header filled in, and a signed transmittal downloaded.
    acme, pipe_co = tmp_path / "acme", tmp_path / "pipe-co"
    pipe_co.mkdir()
    folder = made.write_files(acme / made.FOLDER, {name.rpartition("/")[2]: data for name, data in made.FILES.items()})
    sender = Tool(open_page("transmittal", accept_downloads=True))
    sender.drop(folder)
    sender.page.locator(".files tbody tr").first.wait_for()
    sender.fill(**{"from": "Acme", "to": "Pipe-Co"})
    sender.open_key(write_key(acme), PASSWORD)
    sender.button("Publish", ".ready").click()
    dialog = sender.page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Only the HTML").check()
    with sender.page.expect_download() as download:
        dialog.get_by_role("button", name="Publish", exact=True).click()
    page = folder / download.value.suggested_filename
    download.value.save_as(page)

    # Pipe-Co: the files came by mail, and are dropped together, with the fingerprint that was told by phone.
    came = [text for one in sorted(folder.iterdir()) for text in (one.name, one.read_text(encoding="utf-8"))]
    known = known_keys(pipe_co, Acme=made.THUMBPRINTS[0])
    key = write_key(pipe_co, made.RECEIVER)

    async def act(browser):
        await browser.open("transmittal")
        await browser.call(DROP, *came)
        await browser.wait(SAYS, "Intact and complete. Signed, but you do not know the key yet.")
        await browser.call(DROP, known.name, known.read_text())
        await browser.wait(SAYS, "Intact, complete, and signed with a key that you know.")
        await browser.wait(CLICK, "Open a signing key")
        await browser.choose("dialog[open] input[type=file]", key)
        await browser.wait(TYPE, "dialog[open] input[type=password]", PASSWORD)
        await browser.wait(CLICK, "Open")
        await browser.wait(CLICK, "Acknowledge receipt")
        await browser.wait(CLICK, "Acknowledge")
        assert browser.faults == []

    firefox(act)

    # Acme: what came back lies beside what was sent, and says who took it. Firefox saves under a name of its own, and
    # gives the file its name when it is whole; what has that name before is empty.
    def acknowledgement():
        return [one for one in firefox.downloads.glob("* - Acknowledgement of receipt.html") if one.read_bytes()]

    waiting.until(acknowledgement)
    shutil.copy(*acknowledgement(), folder)
    sender.drop(known_keys(acme, **{"Pipe-Co": made.THUMBPRINTS[1]}))
    sender.drop(folder)
    sender.page.locator("#acknowledged-head").wait_for()
    assert "valid, known key" in sender.page.locator("section:has(> #acknowledged-head)").inner_text()
