"""The way to the local model: requests passed on, answers passed back byte for byte."""

import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from weakspot.config import Config

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, web

# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1, and what each side of a proxy says for itself.
_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "transfer-encoding", "upgrade", "host", "expect"),
    }
)
_CREDENTIALS = frozenset({"authorization", "x-api-key", "cookie"})
_TRACED = frozenset({"user-agent", "x-request-id", "traceparent"})
_OURS = "x-weakspot-"
_MODELS_SECONDS = 60.0


class UpstreamError(Exception):
    """The local server cannot be reached, or broke off: a status for the client and one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Upstream:
    """The local model's server; one pool of connections until :meth:`close`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session: ClientSession | None = None
        self._models: tuple[float, list[str]] = (-_MODELS_SECONDS, [])

    @asynccontextmanager
    async def request(
        self, method: str, path: str, headers: Mapping[str, str], data: Any = None
    ) -> AsyncIterator["ClientResponse"]:
        """Send a request and give the answer, undecoded; leaving the block early breaks the connection off.

        Raises :class:`UpstreamError` where there is no answer.
        """
        import aiohttp
        from yarl import URL

        url = URL(self.url(path), encoded=True)
        try:
            async with self._connections().request(
                method, url, headers=headers, data=data, allow_redirects=False
            ) as response:
                yield response
        except aiohttp.ClientConnectorError:
            raise UpstreamError(502, f"the local model's server {self._config.gateway.upstream} is down") from None
        except TimeoutError:
            raise UpstreamError(504, "the local model's server did not answer in time") from None
        except aiohttp.ClientError as error:
            raise UpstreamError(502, f"the local model's server broke off ({type(error).__name__})") from None

    async def completion(self, chat: dict[str, Any], headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Ask for a chat completion in one piece; return status and body."""
        request = {**chat, "stream": False}
        request.pop("stream_options", None)
        data = json.dumps(request, ensure_ascii=False).encode()
        async with self.request("POST", "/v1/chat/completions", headers, data) as response:
            return response.status, await response.read()

    async def models(self, headers: Mapping[str, str]) -> list[str]:
        """Return the names of the models that the server has; those of a minute ago will do."""
        since, names = self._models
        if time.monotonic() - since < _MODELS_SECONDS and names:
            return names
        async with self.request("GET", "/v1/models", headers) as response:
            body = json.loads(await response.read())
        names = [str(model.get("id")) for model in body.get("data") or ()] if isinstance(body, dict) else []
        self._models = (time.monotonic(), names)
        return names

    def url(self, path: str) -> str:
        """Return where ``path`` of the gateway is at the server, whose own prefix may be another than /v1."""
        root = self._config.gateway.upstream.rstrip("/")
        return root + path.removeprefix("/v1") if path.startswith("/v1/") else root.removesuffix("/v1") + path

    def headers(self, request: "web.BaseRequest") -> dict[str, str]:
        """Return the client's headers that go on to the server; a key of the settings replaces the client's."""
        named = {name.strip().lower() for name in request.headers.get("Connection", "").split(",")}
        found = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _HOP_BY_HOP | named and not name.lower().startswith(_OURS)
        }
        key = self._key()
        return {**{n: v for n, v in found.items() if not key or n.lower() not in _CREDENTIALS}, **key}

    def json_headers(self, request: "web.BaseRequest") -> dict[str, str]:
        """Return the headers of a request that the gateway itself writes for a client.

        Only what traces a request goes along: the client's key may be meant for a provider elsewhere.
        """
        traced = {name: value for name, value in request.headers.items() if name.lower() in _TRACED}
        return {**traced, "Content-Type": "application/json", "Accept-Encoding": "identity", **self._key()}

    def _key(self) -> dict[str, str]:
        key = os.environ.get(self._config.gateway.upstream_api_key_env or " ", "").strip()
        return {"Authorization": f"Bearer {key}"} if key else {}

    async def close(self) -> None:
        """Give back the connections."""
        if self._session is not None:
            await self._session.close()

    def _connections(self) -> "ClientSession":
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._config.gateway.connect_timeout_seconds),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def returned_headers(response: "ClientResponse") -> list[tuple[str, str]]:
    """Return the headers of an answer that go back to the client, repeated ones repeated."""
    return [(name, value) for name, value in response.headers.items() if name.lower() not in _HOP_BY_HOP]
