"""HTTP client of the local model's server."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from weakspot.access.adapters import client_of
from weakspot.access.client_keys import holds_key
from weakspot.access.token import needs_token
from weakspot.config import Config
from weakspot.gateway.content_encoding import EncodingError, read_body
from weakspot.protocols.media import has_media, refuses_media, without_media
from weakspot.protocols.openai_chat import media_behind_results
from weakspot.protocols.reading import error_text
from weakspot.teachers import key_from
from zddc.addresses import hide_password

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, web
    from multidict import CIMultiDict, CIMultiDictProxy

# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1, and what each side of a proxy sends for itself.
_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "transfer-encoding", "upgrade", "host", "expect"),
    }
)
CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "cookie"})
_NEVER = frozenset({"content-length", "cookie"})
_WITHHELD = CREDENTIALS | _NEVER
# What clients of Anthropic's protocol send, and nobody else.
_PROVIDER_HEADERS, _PROVIDER_KEY = frozenset({"x-api-key", "anthropic-version"}), "sk-ant-"
_TRACED = frozenset({"user-agent", "x-request-id", "traceparent"})
_OURS = "x-weakspot-"
# Headers that aiohttp would add to a request that must go on unchanged.
_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
# A body is sent in pieces of this size, so that a long one holds up nobody.
_PIECE_BYTES = 262_144
# Common servers close an idle connection after 5 s: an older one may be closing while it is used again.
_IDLE_SECONDS = 4.0


class GatewayError(Exception):
    """A request that cannot be answered: an HTTP status for the client, and one line.

    ``code`` is for programs, and ``param`` the field of the request that is wrong.
    """

    def __init__(self, status: int, message: str, code: str = "", param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param


class _UnseenError(Exception):
    """A server's model cannot see the pictures of a request."""


class Upstream:
    """The local model's server; one pool of connections until :meth:`close`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        address, listen = config.gateway.upstream, config.gateway.listen
        self._withholds_keys = hide_password(address) != address or needs_token(config.gateway, listen)
        self._session: ClientSession | None = None
        self._names: tuple[float, list[str]] = (0.0, [])

    @asynccontextmanager
    async def request(
        self, method: str, path: str, headers: Mapping[str, str], data: bytes | None = None
    ) -> AsyncIterator["ClientResponse"]:
        """Send a request and yield the response, still compressed; leaving the block early closes the connection.

        Raises :class:`GatewayError` where there is no response, or it ends early.
        """
        import aiohttp
        from multidict import CIMultiDict
        from yarl import URL

        url = URL(self._url(path), encoded=True)
        sent: bytes | AsyncIterator[bytes] | None = data or None
        if data is not None and len(data) > _PIECE_BYTES:
            sent, headers = _in_pieces(data), CIMultiDict(headers)
            headers["Content-Length"] = str(len(data))
        try:
            async with self._connections().request(
                method,
                url,
                headers=headers,
                data=sent,
                allow_redirects=False,
                skip_auto_headers=_ADDED,
            ) as response:
                yield response
        except aiohttp.ClientConnectorError:
            down = f"the local model's server {hide_password(self._config.gateway.upstream)} is down"
            raise GatewayError(502, f"{down}; start it, or give its address as --upstream") from None
        except EncodingError as error:
            raise self.server_error(str(error)) from None
        except aiohttp.ClientConnectionResetError:
            raise  # not the server: the client went away while it was written to
        except TimeoutError:
            raise GatewayError(504, "the local model's server did not answer in time") from None
        except aiohttp.ClientError as error:
            raise GatewayError(502, f"the local model's server broke off ({type(error).__name__})") from None

    async def completion(self, chat: dict[str, Any], headers: Mapping[str, str]) -> bytes:
        """Return the body of a chat completion in one piece; raise :class:`GatewayError` for any other answer."""
        asked = {key: value for key, value in chat.items() if key not in ("stream", "stream_options")}
        async with self.chat(asked, headers) as response:
            return await read_body(response)

    @asynccontextmanager
    async def chat(self, chat: dict[str, Any], headers: Mapping[str, str]) -> AsyncIterator["ClientResponse"]:
        """Ask for a chat completion and yield the response; raise :class:`GatewayError` for any status but 200.

        A model that cannot see is asked once more, with a text that says so in place of each picture.
        """
        messages = media_behind_results(chat["messages"])
        try:
            async with self._ask_once({**chat, "messages": messages}, headers) as response:
                yield response
            return
        except _UnseenError:
            pass
        async with self._ask_once({**chat, "messages": without_media(messages)}, headers) as response:
            yield response

    @asynccontextmanager
    async def _ask_once(self, chat: dict[str, Any], headers: Mapping[str, str]) -> AsyncIterator["ClientResponse"]:
        async with self.request("POST", "/v1/chat/completions", headers, json.dumps(chat).encode()) as response:
            if response.status != 200:
                data = await read_body(response)
                if has_media(chat["messages"]) and refuses_media(response.status, data.decode("utf-8", "replace")):
                    raise _UnseenError
                self.require_success(response.status, data)
            yield response

    async def models(self, headers: Mapping[str, str], *, oldest_seconds: float = 60.0) -> list[str]:
        """Return the names of the server's models, empty where it gives none; an older list is fetched again."""
        since, names = self._names
        if names and time.monotonic() - since < oldest_seconds:
            return names
        async with self.request("GET", "/v1/models", headers) as response:
            data = await read_body(response)
        try:
            names = [str(model["id"]) for model in json.loads(data)["data"]]
        except (ValueError, TypeError, KeyError):
            names = []
        self._names = (time.monotonic(), names)
        return names

    async def model_or_default(self, wanted: str, headers: Mapping[str, str]) -> str:
        """Return ``wanted`` if the server has that model, else the model of the settings, or the server's first."""
        names = await self.models(headers)
        return wanted if wanted in names or not names else self._config.gateway.model or names[0]

    def require_success(self, status: int, data: bytes) -> None:
        """Raise :class:`GatewayError` with the server's own message for any status but 200."""
        if status == 200:
            return
        try:
            text = error_text(json.loads(data)["error"])
        except (ValueError, TypeError, KeyError):
            text = data[:300].decode("utf-8", "replace")
        raise self.server_error(text, status if status >= 400 else 502)

    def server_error(self, text: str, status: int = 502) -> GatewayError:
        """Return an error with the server's own message as one line, without our key."""
        message = " ".join(self.without_key(text.encode("utf-8", "replace")).decode().split())
        return GatewayError(status, f"the local model's server: {message}")

    def without_key(self, data: bytes) -> bytes:
        """Return the body of a server's error without our key."""
        key = self.key.encode()
        return data.replace(key, b"<API_KEY>") if key else data

    def headers(self, request: "web.BaseRequest") -> "CIMultiDict[str]":
        """Return the client's headers that go on to the server; a key of the settings replaces the client's.

        The key of a client that talks to its provider, or to the gateway itself, is not meant for the server. Cookies
        are for pages: none goes on.
        """
        from multidict import CIMultiDict

        kept = [(name, value, name.lower()) for name, value in end_to_end(request.headers).items()]
        is_for_others = self._has_login or client_of(request) is not None or _is_for_provider(kept)
        withheld = _WITHHELD if is_for_others else _NEVER
        found = CIMultiDict(
            (name, value)
            for name, value, lower in kept
            if lower not in withheld and not lower.startswith(_OURS) and not _holds_withheld_key(value)
        )
        return _with_key(found, self.key)

    @property
    def _has_login(self) -> bool:
        """Whether the gateway itself has a login at the server, or the client's key is one for the gateway."""
        return bool(self.key) or self._withholds_keys

    def json_headers(self, request: "web.BaseRequest") -> "CIMultiDict[str]":
        """Return the headers of a request that the gateway itself writes for a client.

        Only headers that trace a request are copied: the client's key may be meant for another provider.
        """
        from multidict import CIMultiDict

        found = CIMultiDict((n, v) for n, v in request.headers.items() if n.lower() in _TRACED)
        found.update({"Content-Type": "application/json", "Accept-Encoding": "identity"})
        return _with_key(found, self.key)

    @property
    def key(self) -> str:
        """The server's API key from the settings, empty where it needs none."""
        return key_from(self._config.gateway.upstream_api_key_env)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _url(self, path: str) -> str:
        """Return the server's URL for a path of the gateway; the server's own prefix may differ from /v1."""
        if not path.startswith("/"):
            raise GatewayError(400, "the request's target is not a path")  # another host's name could hide in it
        root = self._config.gateway.upstream.rstrip("/")
        return root + path.removeprefix("/v1") if path.startswith("/v1/") else root.removesuffix("/v1") + path

    def _connections(self) -> "ClientSession":
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._config.gateway.connect_timeout_seconds),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]


def _is_for_provider(headers: list[tuple[str, str, str]]) -> bool:
    """Whether a client shows itself as one of Anthropic's: by a header of its protocol, or by its key."""
    return any(lower in _PROVIDER_HEADERS or _PROVIDER_KEY in value for _, value, lower in headers)


def _holds_withheld_key(value: str) -> bool:
    return _PROVIDER_KEY in value or holds_key(value)


def _with_key(headers: "CIMultiDict[str]", key: str) -> "CIMultiDict[str]":
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return headers


def headers_of_new_body(headers: "CIMultiDictProxy[str]") -> "CIMultiDict[str]":
    """Return the headers that a proxy passes on with a body of its own, whose size and encoding are others."""
    kept = end_to_end(headers)
    for name in ("Content-Length", "Content-Encoding"):
        kept.popall(name, None)
    return kept


def end_to_end(headers: "CIMultiDictProxy[str]") -> "CIMultiDict[str]":
    """Return the headers that a proxy passes on; a header that occurs twice stays twice."""
    from multidict import CIMultiDict

    named = {name.strip().lower() for value in headers.getall("Connection", ()) for name in value.split(",")}
    dropped = _HOP_BY_HOP | named
    return CIMultiDict((n, v) for n, v in headers.items() if n.lower() not in dropped)
