"""The pages of a workspace behind a real port, and a client that is no browser."""

import asyncio
import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import urlencode, urlsplit

import pytest

from weakspot.config import Config
from weakspot.ui import server
from weakspot.workspace import Workspace


@dataclass
class Answer:
    """What came back: no redirect is followed."""

    status: int
    headers: Message
    text: str


@dataclass
class Client:
    """Asks one server; cookies are kept."""

    address: Callable[[], str]
    """The address that opens the pages now."""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.address()).netloc

    @property
    def base(self) -> str:
        """The path below which the pages are."""
        return urlsplit(self.address()).path.rstrip("/")

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        """Ask for a path below that of the pages."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(http.client.HTTPConnection(self.host, timeout=120)) as connection:
            connection.request(method, f"{self.base}{path}", body, sent)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value
            return Answer(answer.status, answer.headers, answer.read().decode())

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def post(self, path: str, form: dict[str, str], **headers: str) -> Answer:
        headers = {"Content_Type": "application/x-www-form-urlencoded"} | headers
        return self.request("POST", path, urlencode(form), **headers)

    def open(self) -> "Client":
        """Come in with the token, as a browser that is given the address."""
        split = urlsplit(self.address())
        assert self.get(f"/?{split.query}").status == 303
        return self


@contextlib.contextmanager
def served(workspace: Workspace, config: Config) -> Iterator[Client]:
    """Serve the pages from a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        start = server.start_server(workspace, config, "127.0.0.1:0")
        runner, address = asyncio.run_coroutine_threadsafe(start, loop).result(120)
        try:
            yield Client(address)
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(120)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def outside(workspace, config) -> Iterator[Client]:
    """A client that knows the address, and has not come in."""
    with served(workspace, config) as client:
        yield client


@pytest.fixture
def client(outside) -> Client:
    """A client that came in."""
    return outside.open()
