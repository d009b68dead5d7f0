"""The pages as a person has them: built, in a real Chromium, from the disk or from a server, with all they do watched.

A test asks for ``open_page`` and gets a :class:`ToolPage`. When the test ends, nothing may have gone wrong that nobody
expected: a request that is not for the page's own files, a message in the console, a dialog, or ``pwned``.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest
from tests import waiting
from tests.chromium import launched

import zddc

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

ROOT = Path(__file__).parents[3]
WEB = ROOT / "web"
TOOLS = Path(zddc.__file__).parent / "tools"

# Texts that would run, load or ask something if anything took them for markup, or for code.
EVIL = (
    "<script>pwned=1</script>",
    "</script><script>pwned=1</script>",
    "<img src=x onerror=pwned=1>",
    "<svg onload=pwned=1>",
    "<svg><script>pwned=1</script></svg>",
    "</textarea><script>pwned=1</script>",
    "</title><script>pwned=1</script>",
    "</style><script>pwned=1</script>",
    "'\"><iframe srcdoc='<script>parent.pwned=1</script>'>",
    '" onmouseover=pwned=1 autofocus onfocus=pwned=1 x="',
    "' onclick='pwned=1",
    "<a href=javascript:pwned=1>x</a>",
    "javascript:pwned=1",
    "[x](javascript:pwned=1)",
    "![x](http://evil.example/x.png)",
    "<base href=//evil.example><meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css><style>@import '//evil.example'</style>",
    "<form action=//evil.example><button autofocus>x</button></form>",
    "<math><mi//xlink:href='data:x,<script>pwned=1</script>'>",
    "{{constructor.constructor('pwned=1')()}}${pwned=1}`${pwned=1}`",
    "__proto__",
    "constructor",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe\u2066 \u200b\ufeff",
    "$& $1 $` $' \u2028 \u2029 \x07 %s %00 \\u003cscript\\u003epwned=1",
)


@dataclass
class ToolPage:
    """A page of ours in the browser, all that it asked for, and all that went wrong in it."""

    page: "Page"
    name: str
    address: str
    requests: list[str] = field(default_factory=list)
    """The addresses that were asked for, the page itself among them."""
    complaints: list[str] = field(default_factory=list)
    """Messages of the console, errors, dialogs and requests to elsewhere, in order."""
    # Only a note: what should have the focus first was drawn when the person had given it to something else.
    _expected: list[str] = field(default_factory=lambda: ["Autofocus processing was blocked"])

    def expect_complaint(self, pattern: str) -> None:
        """Let a complaint pass that a test causes on purpose; ``pattern`` is searched for in it."""
        self._expected.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        return [one for one in self.complaints if not any(re.search(known, one) for known in self._expected)]

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, as Playwright names them: ``Control+k``."""
        for key in keys:
            self.page.keyboard.press(key)

    def focused_at_once(self, key: str, *, inside: str, **modifiers: bool) -> bool:
        """Whether the focus is inside what a selector finds before any other key could come after this one."""
        return self.page.evaluate(
            """async ([key, inside, modifiers]) => {
              const event = new KeyboardEvent("keydown", {key, ...modifiers, bubbles: true, cancelable: true});
              document.activeElement.dispatchEvent(event);
              for (let turn = 0; turn < 20; turn++) await null;  // what is to be done in this task is done
              return Boolean(document.activeElement.closest(inside));
            }""",
            [key, inside, modifiers],
        )

    def drop(self, *paths: Path, at: str = "body") -> None:
        """Drag files and folders of this machine onto what a selector finds, as from a file manager.

        The page gets real handles: what it reads of a folder is what is on the disk.
        """
        target = self.page.locator(at).first
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box, f"{at} is not shown"
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        session = self.page.context.new_cdp_session(self.page)
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
        session.detach()

    def check_accessibility(self, within: str = "html", *, in_dark: bool = False) -> None:
        """Fail with every violation that axe-core finds in what is shown now; ``in_dark`` in its dark colours too."""
        source = WEB / "node_modules" / "axe-core" / "axe.min.js"
        if not source.is_file():
            pytest.skip("axe-core is not installed: make web-libraries")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(source.read_text(encoding="utf-8"))
        assert self._violations(within) == []
        if in_dark:
            self.page.emulate_media(color_scheme="dark")
            # The colours are all that differs.
            assert self._violations(within, runOnly=["color-contrast", "link-in-text-block"]) == []
            self.page.emulate_media(color_scheme="light")

    def _violations(self, within: str, **options: Any) -> list[str]:
        # What moves is looked at when it stands still.
        self.page.evaluate("Promise.all(document.getAnimations().map(one => one.finished.catch(() => 0)))")
        found = self.page.evaluate(
            "([within, options]) => axe.run(within, {resultTypes: ['violations'], ...options})", [within, options]
        )
        return [
            f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:5]}"
            for one in found["violations"]
        ]

    def screenshot(self, name: str, scheme: Literal["light", "dark"] | None = None) -> None:
        """Write a picture of the window, in the colours of a scheme, where ZDDC_SCREENSHOTS names a folder for it."""
        if folder := os.environ.get("ZDDC_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            if scheme:
                self.page.emulate_media(color_scheme=scheme)
            self.page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")


# What the page was asked by its browser, and whether that was answered. Keys for the question are none for the page.
TELL_OF_QUESTION = """
const ask = FileSystemHandle.prototype.requestPermission;
FileSystemHandle.prototype.requestPermission = function (options) {
  const answer = ask.call(this, options);
  if (options?.mode !== "readwrite") return answer;
  window.question = "open";
  const tell = () => { window.question = "answered"; };
  answer.then(tell, tell);
  return answer;
};
for (const kind of ["keydown", "keyup"]) {
  addEventListener(kind, (event) => {
    if (!window.isAllowing) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
}
"""


class Windows:
    """Pages from the disk in a browser that has a window, in which it asks before a page writes."""

    def __init__(self, browser: "Browser", screen: str) -> None:
        self._browser, self._screen = browser, screen

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[ToolPage]:
        """Open a page in a profile of its own, until the block ends."""
        with contextlib.closing(self._browser.new_context(viewport={"width": 1280, "height": 800})) as context:
            tool = ToolPage(context.new_page(), name, (TOOLS / f"{name}.html").as_uri())
            _watch(tool)
            tool.page.add_init_script(TELL_OF_QUESTION)
            tool.page.goto(tool.address)
            yield tool
            assert tool.unexpected == []

    def allow(self, seen: "Locator") -> None:
        """Answer the browser's question with Tab and Enter, and wait for what shows that the page went on."""
        page = seen.page
        page.evaluate("() => { window.isAllowing = true; }")
        page.wait_for_function("() => window.question")
        command = [str(shutil.which("xdotool")), "key", "Tab", "Return"]

        def is_answered() -> bool:
            # It heeds no key in its first moments.
            with contextlib.suppress(_timeout_error()):
                page.wait_for_function("() => window.question === 'answered'", timeout=3000)
                return True
            subprocess.run(command, env={**os.environ, "DISPLAY": self._screen}, check=True)
            return False

        waiting.until(is_answered)
        seen.wait_for()
        page.evaluate("() => { window.isAllowing = false; }")


def _timeout_error() -> type[Exception]:
    from playwright.sync_api import TimeoutError as NotInTimeError

    return NotInTimeError


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A screen that nobody sees, since the browser asks in a window of its own."""
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} on this machine")
    reader, writer = os.pipe()
    server = subprocess.Popen(
        [str(shutil.which("Xvfb")), "-displayfd", str(writer), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"],
        pass_fds=(writer,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as stream:
        number = stream.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def open_window(chromium: "Browser", display: str) -> Iterator[Windows]:
    """Open pages from the disk in a browser that has a window."""
    environment = {**os.environ, "DISPLAY": display}
    with contextlib.closing(launched(chromium.browser_type, headless=False, env=environment)) as browser:
        yield Windows(browser, display)


OpenPage = Callable[..., ToolPage]


@pytest.fixture
def open_page(chromium: "Browser") -> Iterator[OpenPage]:
    """Open a page of ours from the disk, or from ``address``, in a profile of its own.

    ``width`` and ``height`` are those of the window, ``scheme`` is ``light`` or ``dark``, ``fragment`` stands behind
    the ``#``. ``before`` is a script that runs before the page's own, and
    ``prepare`` is called with the context before there is a page. More options are those of a browser context.
    """
    opened: list[ToolPage] = []
    contexts: list[BrowserContext] = []

    def make(
        name: str,
        *,
        address: str | None = None,
        fragment: str = "",
        width: int = 1280,
        height: int = 900,
        scheme: str = "light",
        before: str | None = None,
        prepare: "Callable[[BrowserContext], None] | None" = None,
        **options: Any,
    ) -> ToolPage:
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        contexts.append(context)
        if before is not None:
            context.add_init_script(before)
        if prepare is not None:
            prepare(context)
        page = context.new_page()
        whole = (address or (TOOLS / f"{name}.html").as_uri()) + (f"#{fragment}" if fragment else "")
        tool = ToolPage(page, name, whole)
        _watch(tool)
        if address is None:
            context.set_offline(True)
        page.goto(whole)
        opened.append(tool)
        return tool

    yield make
    found = []
    for tool in opened:
        if not tool.page.is_closed():
            with contextlib.suppress(Exception):  # a page that is on its way to another one
                if tool.page.evaluate("'pwned' in window"):
                    found.append(f"{tool.name}: pwned")
        found += [f"{tool.name}: {one}" for one in tool.unexpected]
    for context in contexts:
        context.close()
    assert found == []


def _watch(tool: ToolPage) -> None:
    own = urlsplit(tool.address)

    def note_request(request: Any) -> None:
        asked = urlsplit(request.url)
        # The browser's own viewer of PDF is made of files of the browser.
        if asked.scheme in ("data", "blob", "about", "chrome", "chrome-extension"):
            return
        tool.requests.append(request.url)
        if own.scheme == "file":
            allowed = request.is_navigation_request() and asked.scheme == "file"
        else:
            allowed = (asked.scheme, asked.netloc) == (own.scheme, own.netloc)
        if not allowed:
            tool.complaints.append(f"asks {request.url}")

    def note_dialog(dialog: Any) -> None:
        tool.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    context = tool.page.context
    context.on("request", note_request)
    context.on("console", lambda message: tool.complaints.append(f"console {message.type}: {message.text}"))
    context.on("weberror", lambda error: tool.complaints.append(f"error: {error.error}"))
    tool.page.on("dialog", note_dialog)


@pytest.fixture(scope="session")
def pages() -> dict[str, str]:
    """The built pages by name."""
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(TOOLS.glob("*.html"))}


@pytest.fixture(scope="session")
def node() -> str:
    """The Node that builds the pages, with their libraries installed."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no node on this machine")
    if not (WEB / "node_modules" / ".package-lock.json").is_file():
        pytest.skip("the libraries of the pages are not installed: make web-libraries")
    return program


@pytest.fixture(scope="session")
def evil() -> tuple[str, ...]:
    """Texts that nothing may run, load or hide."""
    return EVIL
