"""The stronger models that can be consulted, each in its own protocol, over HTTP."""

import json
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from weakspot.capture.scrub import scrub_text
from weakspot.config import Config, Teacher
from weakspot.protocols import anthropic_messages, anthropic_requests, openai_chat
from weakspot.protocols.parts import Finished, Part, StreamError
from weakspot.protocols.reading import error_text

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

# Never the environment's: there ANTHROPIC_BASE_URL may well be this gateway.
_ADDRESSES = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
_CONNECT_SECONDS = 20.0


class TeacherError(Exception):
    """A teacher that could not answer: an HTTP ``status`` for the client, and one line that names no secret.

    ``retry_after`` says in how many seconds another try may do; it is None where none will.
    """

    def __init__(self, status: int, message: str, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


@dataclass(frozen=True)
class Question:
    """What a teacher is asked: chat messages, the tools it may call, the most tokens it may write."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)
    max_tokens: int | None = None


def known_secrets(config: Config) -> list[str]:
    """Return the keys that this process was given, so that they can be kept out of everything."""
    names = [config.gateway.upstream_api_key_env, *(teacher.api_key_env for teacher in config.teachers.values())]
    return sorted({value for name in names if (value := key_from(name))})


def key_from(variable: str) -> str:
    """Return the key that an environment variable holds; empty where there is none, or no variable."""
    return os.environ.get(variable, "").strip() if variable else ""


def cost(teacher: Teacher, finished: Finished) -> float | None:
    """Return the US dollars that an answer cost, None where a price or a count is not known."""
    prices = (teacher.input_price, teacher.output_price)
    counts = (finished.input_tokens, finished.output_tokens)
    if None in prices or None in counts:
        return None
    return sum((price or 0) * (count or 0) for price, count in zip(prices, counts, strict=True)) / 1e6


class Teachers:
    """Asks the teachers of the settings; keeps their connections until :meth:`close`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session: ClientSession | None = None

    async def ask(self, name: str, question: Question) -> AsyncGenerator[Part]:
        """Yield the teacher's answer as it comes; the last part is :class:`Finished`.

        Closing the iterator gives up the answer. Raises :class:`TeacherError` for whatever goes wrong,
        also in the middle.
        """
        import aiohttp

        teacher = self._config.teachers[name]
        address, headers = _address(teacher), _headers(name, teacher)
        try:
            async with self._connections().post(
                address,
                json=_body(teacher, question),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=teacher.timeout_seconds, sock_connect=_CONNECT_SECONDS),
                # A redirection would take the key to a server that it was not given for.
                allow_redirects=False,
                proxy=_proxy(address),
            ) as response:
                if response.status != 200:
                    raise await self._refused(name, response)
                reader = anthropic_messages.Reader() if teacher.kind == "anthropic" else openai_chat.Reader()
                async for data in response.content.iter_any():
                    for part in reader.feed(data):
                        yield part
                ended = list(reader.end())
                if not any(isinstance(part, Finished) for part in ended):
                    raise StreamError("the answer broke off")
                for part in ended:
                    yield part
        except StreamError as error:
            raise TeacherError(502, f"teacher {name}: {self._shown(str(error))}", "5") from None
        except TimeoutError:
            raise TeacherError(504, f"teacher {name}: no answer in time", "5") from None
        except aiohttp.ClientConnectorError as error:
            raise TeacherError(502, f"teacher {name}: cannot be reached ({type(error).__name__})", "5") from None
        except aiohttp.ClientError as error:
            raise TeacherError(502, f"teacher {name}: the answer broke off ({type(error).__name__})", "5") from None

    async def close(self) -> None:
        """Give back the connections."""
        if self._session is not None:
            await self._session.close()

    def _connections(self) -> "ClientSession":
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def _refused(self, name: str, response: "ClientResponse") -> TeacherError:
        data = await response.read()
        try:
            text = error_text(json.loads(data)["error"])
        except (ValueError, TypeError, KeyError):
            text = data.decode("utf-8", "replace")
        message = f"teacher {name}: HTTP {response.status}: {self._shown(text)}"
        if response.status in (429, 529):
            return TeacherError(429, message, response.headers.get("Retry-After", "5"))
        if response.status >= 500:
            return TeacherError(502, message, response.headers.get("Retry-After", "5"))
        # A key that the teacher refuses is not the client's: a 401 would send the user looking there.
        return TeacherError(response.status if response.status in (400, 413) else 502, message)

    def _shown(self, text: str) -> str:
        """Return the words of a server as one line that names no secret."""
        return " ".join(scrub_text(text, known_secrets(self._config)).split())[:500]


def _address(teacher: Teacher) -> str:
    root = (teacher.base_url or _ADDRESSES[teacher.kind]).rstrip("/")
    return f"{root.removesuffix('/v1')}/v1/messages" if teacher.kind == "anthropic" else f"{root}/chat/completions"


def _headers(name: str, teacher: Teacher) -> dict[str, str]:
    key = key_from(teacher.api_key_env)
    if teacher.api_key_env and not key:
        raise TeacherError(502, f"teacher {name}: {teacher.api_key_env} is not set where weakspot runs")
    if teacher.kind == "anthropic":
        return {"anthropic-version": anthropic_messages.VERSION, **({"x-api-key": key} if key else {})}
    return {"Authorization": f"Bearer {key}"} if key else {}


def _body(teacher: Teacher, question: Question) -> dict[str, Any]:
    limit = min(question.max_tokens or teacher.max_tokens, teacher.max_tokens)
    if teacher.kind == "anthropic":
        asked = anthropic_requests.request(question.messages, question.tools)
        return {"model": teacher.model, **asked, "max_tokens": limit, "stream": True}
    # OpenAI's newer models refuse the older name, other servers may not know the newer one.
    limit_key = "max_tokens" if teacher.base_url else "max_completion_tokens"
    asked = openai_chat.request(question.messages, question.tools)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": teacher.model, **asked, limit_key: limit, **options}


def _proxy(address: str) -> str | None:
    parts = urlsplit(address)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
