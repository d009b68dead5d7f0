"""A real Chromium: one in a process, whichever modules drive it."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests import waiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType, Playwright


def program() -> str:
    """Return the browser of this machine; a test without one is left out."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or pytest.skip("there is no chromium on this machine")


def launched(kind: "BrowserType", *arguments: str, **options: Any) -> "Browser":
    """Start a browser; root, as in a container, has no sandbox of Chromium's own.

    What it draws it draws by itself: a GPU that is not there, and is imitated, took a tenth of the tests' time. It and
    its pages are waited for as everything is: Playwright's own half minute may be too short on a busy machine.
    """
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    patience_ms = 1000 * waiting.PATIENCE_SECONDS
    flags = ["--disable-gpu", *sandbox, *arguments]
    browser = kind.launch(executable_path=program(), args=flags, timeout=patience_ms, **options)
    browser.on("context", lambda context: context.set_default_timeout(patience_ms))
    return browser


class Driver:
    """Playwright, and the Chromium that it drives.

    Between its calls Playwright leaves its event loop as the one that runs in this thread, where no other could be run
    then. Modules that drive no browser come between those that do, so it is put aside in the meantime.
    """

    def __init__(self, playwright: "Playwright") -> None:
        self._kind = playwright.chromium
        self._browser = launched(self._kind)
        self._loop = asyncio.get_running_loop()

    def browser(self) -> "Browser":
        """Return the Chromium, a new one where it has ended."""
        if not self._browser.is_connected():
            self._browser = launched(self._kind)
        return self._browser

    def put_aside(self) -> None:
        asyncio._set_running_loop(None)

    def take_up(self) -> None:
        asyncio._set_running_loop(self._loop)


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """Playwright with a Chromium, put aside."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program()
    with playwright.sync_playwright() as running:
        driver = Driver(running)
        driver.put_aside()
        yield driver
        driver.take_up()
        driver.browser().close()


@pytest.fixture(scope="module")
def chromium(driver: Driver) -> "Iterator[Browser]":
    """The Chromium of this process, for the tests of a module; what they leave open is closed."""
    driver.take_up()
    browser = driver.browser()
    yield browser
    for context in browser.contexts:
        context.close()
    driver.put_aside()
