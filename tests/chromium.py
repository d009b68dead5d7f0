"""A real Chromium: one in a process, whichever modules drive it, and a whole one where that makes a difference."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests import waiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType, Playwright


WHOLE = ("chromium", "chromium-browser", "google-chrome")
SHELL = "chromium-headless-shell"


def program(*, whole: bool = True) -> str:
    """Return the browser of this machine; a test without one is left out.

    Where it need not be the ``whole`` one, it is its shell, if that is there: the same engine without what is around a
    page in a window, which takes two thirds of the time to open one.
    """
    found = map(shutil.which, WHOLE if whole else (SHELL, *WHOLE))
    return next(filter(None, found), None) or pytest.skip("there is no chromium on this machine")


def launched(kind: "BrowserType", *arguments: str, whole: bool = True, **options: Any) -> "Browser":
    """Start a browser; root, as in a container, has no sandbox of Chromium's own.

    What it draws it draws by itself: a GPU that is not there, and is imitated, took a tenth of the tests' time. It and
    its pages are waited for as everything is: Playwright's own half minute may be too short on a busy machine.
    """
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    patience_ms = 1000 * waiting.PATIENCE_SECONDS
    flags = ["--disable-gpu", *sandbox, *arguments]
    browser = kind.launch(executable_path=program(whole=whole), args=flags, timeout=patience_ms, **options)
    browser.on("context", lambda context: context.set_default_timeout(patience_ms))
    return browser


class Driver:
    """Playwright, and what it drives: a Chromium, and another that is the ``whole`` of it.

    Between its calls Playwright leaves its event loop as the one that runs in this thread, where no other could be run
    then. Modules that drive no browser come between those that do, so it is put aside in the meantime.
    """

    def __init__(self, playwright: "Playwright") -> None:
        self._kind = playwright.chromium
        self._browsers: dict[bool, Browser] = {}
        self._loop = asyncio.get_running_loop()

    def browser(self, *, whole: bool) -> "Browser":
        """Return the Chromium, a new one where it has ended."""
        found = self._browsers.get(whole)
        if found is None or not found.is_connected():
            found = self._browsers[whole] = launched(self._kind, whole=whole)
        return found

    def close(self) -> None:
        self.take_up()
        for browser in self._browsers.values():
            browser.close()

    def put_aside(self) -> None:
        asyncio._set_running_loop(None)

    def take_up(self) -> None:
        asyncio._set_running_loop(self._loop)


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """Playwright, put aside."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program()
    with playwright.sync_playwright() as running:
        driver = Driver(running)
        driver.put_aside()
        yield driver
        driver.close()


@pytest.fixture(scope="module")
def chromium(driver: Driver) -> "Iterator[Browser]":
    """The Chromium of this process, for the tests of a module; what they leave open is closed."""
    yield from _of_a_module(driver, whole=False)


@pytest.fixture(scope="module")
def whole_chromium(driver: Driver) -> "Iterator[Browser]":
    """As ``chromium``, with what only the whole of it has: it shows PDF, say."""
    yield from _of_a_module(driver, whole=True)


def _of_a_module(driver: Driver, *, whole: bool) -> "Iterator[Browser]":
    driver.take_up()
    browser = driver.browser(whole=whole)
    yield browser
    for context in browser.contexts:
        context.close()
    driver.put_aside()
