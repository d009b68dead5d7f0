"""Clients of the teachers, the stronger models: Anthropic's official client, and OpenAI's protocol for all others."""

import asyncio
import contextlib
import io
import json
import logging
import math
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from weakspot.access.client_keys import Client, without_keys
from weakspot.config import Config
from weakspot.protocols import anthropic_messages, anthropic_requests, openai_chat
from weakspot.protocols.media import has_media, refuses_media, without_media
from weakspot.protocols.parts import Call, Finished, Part, StreamError
from weakspot.protocols.reading import error_text, read_parts
from weakspot.protocols.tools import SafeNames, function_tools, tools_of_calls
from weakspot.redaction.redact import scrub_text
from weakspot.settings import Teacher
from weakspot.storage.ledger import Ledger, Limits, OverLimitError

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from anthropic import AsyncAnthropic

# Not from the environment: there, ANTHROPIC_BASE_URL may be this gateway.
_ADDRESSES = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
_CONNECT_SECONDS = 20.0
_NO_KEY = "none"
_SHORTEST_SECRET = 8
# Providers scale a picture down, and a document has pages: no more than this is usual.
_MEDIA_TOKENS = 20_000
# Wishes that some models refuse: an answer without them is better than none.
# https://platform.claude.com/docs/en/about-claude/models/migration-guide, and OpenAI's reasoning models.
_REFUSABLE = (
    *("temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty", "parallel_tool_calls"),
)
_SAMPLING = ("temperature", "top_p")
# The official client logs whole requests.
_TALKATIVE = ("anthropic", "httpx2", "httpcore2")


class TeacherError(Exception):
    """A teacher that could not answer: an HTTP ``status`` for the client, and one line that names no secret.

    ``retry_after`` is the number of seconds after which a retry may succeed; None where none will. ``free`` is true
    where the question reached no model, and costs nothing.
    """

    def __init__(self, status: int, message: str, retry_after: str | None = None, *, free: bool = False) -> None:
        super().__init__(message)
        self.status, self.retry_after, self.free = status, retry_after, free


class OverBudgetError(TeacherError):
    """A question that was not asked, since a limit of the settings is reached."""


class _RefusedError(TeacherError):
    """A question that a teacher's server did not take: ``refusal`` is the server's own status."""

    def __init__(self, refusal: int, message: str, retry_after: str | None = None) -> None:
        super().__init__(refusal if refusal in (400, 413) else 502, message, retry_after, free=True)
        self.refusal = refusal


@dataclass(frozen=True)
class Question:
    """A question to a teacher: chat messages, the tools it may call, the most tokens it may write.

    ``secrets`` are removed from the messages before they are sent, as the keys of the settings are. ``options`` are
    what the client asks of the answer, under the names of chat completions: see ``openai_chat.answer_options``. They
    reach a teacher where its protocol knows them, and those of ``_REFUSABLE`` where its model takes them, too.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)
    max_tokens: int | None = None
    secrets: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def api_keys(config: Config) -> list[str]:
    """Return the API keys that the settings name, so that they can be removed from all that is stored or sent."""
    names = [config.gateway.upstream_api_key_env, *(teacher.api_key_env for teacher in config.teachers.values())]
    return sorted({value for name in names if (value := key_from(name))})


def key_from(variable: str) -> str:
    """Return the key in an environment variable; empty where it is not set, or no variable is named."""
    return os.environ.get(variable, "").strip() if variable else ""


def cost(teacher: Teacher, finished: Finished) -> float | None:
    """Return the US dollars that an answer cost, None where a price or a count is not known."""
    prices = (teacher.input_price, teacher.output_price)
    counts = (finished.input_tokens, finished.output_tokens)
    if None in prices or None in counts:
        return None
    return sum((price or 0) * (count or 0) for price, count in zip(prices, counts, strict=True)) / 1e6


def limits(teacher: Teacher) -> Limits:
    """Return what may be spent on a teacher: the limits that it has by default are those of one with a price."""
    priced = bool(teacher.input_price or teacher.output_price)
    counted = priced or "consultations_per_hour" in teacher.model_fields_set
    return Limits(teacher.budget_usd_per_day if priced else None, teacher.consultations_per_hour if counted else None)


def highest_cost(teacher: Teacher, question: Question) -> float:
    """Return the most US dollars that a question may cost: a token has at least one byte, and a picture is a page."""
    asked = json.dumps([without_media(question.messages), question.tools], ensure_ascii=False)
    read = len(asked.encode("utf-8", "replace")) + _MEDIA_TOKENS * has_media(question.messages)
    written = _limit(teacher, question)
    return (read * (teacher.input_price or 0) + written * (teacher.output_price or 0)) / 1e6


class Teachers:
    """Asks the teachers of the settings; keeps their connections until :meth:`close`.

    What is asked is reserved in ``ledger`` before and settled after, within the limits of the settings; only without a
    ledger there are none.
    """

    def __init__(self, config: Config, ledger: Ledger | None = None) -> None:
        self._config, self._ledger = config, ledger
        self._session: ClientSession | None = None
        self._clients: dict[tuple[str, str], AsyncAnthropic] = {}
        self._refused: dict[str, frozenset[str]] = {}
        if any(teacher.kind == "anthropic" for teacher in config.teachers.values()):
            import anthropic  # noqa: F401  # takes a second: now, and not while other requests wait
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)

    async def ask(self, name: str, question: Question, client: Client | None = None) -> AsyncGenerator[Part]:
        """Yield the teacher's answer as it comes; the last part is :class:`Finished`.

        Closing the iterator cancels the answer. Raises :class:`OverBudgetError` over a limit of the settings or of the
        named ``client`` that asks, :class:`TeacherError` for whatever else goes wrong, also in the middle.
        """
        teacher = self._config.teachers[name]
        key = key_from(teacher.api_key_env)
        if teacher.api_key_env and not key:
            unset = f"{teacher.api_key_env} is not set where weakspot runs"
            raise TeacherError(502, f"teacher {name}: {unset}; set it and start weakspot again")
        question = self._without_keys(question)
        reserved = await self._reserve(name, teacher, question, client)
        try:
            async with contextlib.aclosing(self._answer_or_ask_again(name, teacher, key, question)) as parts:
                async for part in parts:
                    if isinstance(part, Finished) and (paid := cost(teacher, part)) is not None:
                        await self._settle(reserved, paid)
                    yield part
        except TeacherError as error:
            if error.free:
                await self._settle(reserved, None)
            raise

    async def _answer_or_ask_again(
        self, name: str, teacher: Teacher, key: str, question: Question
    ) -> AsyncGenerator[Part]:
        deadline = asyncio.get_running_loop().time() + teacher.timeout_seconds
        while True:
            asked = _without_options(question, self._refused.get(name, frozenset()))
            try:
                async with contextlib.aclosing(self._answer(name, teacher, key, asked, deadline)) as parts:
                    async for part in parts:
                        yield part
                return
            except _RefusedError as error:
                # Nothing of an answer has come: it is asked again without what the model does not take.
                if refused := _refused_options(asked, str(error)):
                    self._refused[name] = self._refused.get(name, frozenset()) | refused
                elif has_media(asked.messages) and refuses_media(error.refusal, str(error)):
                    question = replace(question, messages=without_media(question.messages))
                else:
                    raise

    async def _answer(
        self, name: str, teacher: Teacher, key: str, question: Question, deadline: float
    ) -> AsyncGenerator[Part]:
        protocol = anthropic_requests if teacher.kind == "anthropic" else openai_chat
        names = SafeNames(protocol.LONGEST_NAME)
        reader = anthropic_messages.Reader() if teacher.kind == "anthropic" else openai_chat.Reader()
        sent = self._from_anthropic if teacher.kind == "anthropic" else self._from_openai
        finished = False
        try:
            async with (
                contextlib.aclosing(sent(name, teacher, key, question, names)) as answer,
                contextlib.aclosing(_until(deadline, answer)) as pieces,
                contextlib.aclosing(read_parts(reader, pieces)) as parts,
            ):
                async for part in parts:
                    finished = isinstance(part, Finished)
                    yield replace(part, name=names.original(part.name)) if isinstance(part, Call) else part
            if not finished:
                raise StreamError("the answer broke off")
        except StreamError as error:
            raise TeacherError(502, f"teacher {name}: {self._one_line(str(error))}", "5") from None
        except TimeoutError:
            raise TeacherError(504, f"teacher {name}: no answer in time", "5") from None

    async def _reserve(self, name: str, teacher: Teacher, question: Question, client: Client | None) -> list[str]:
        """Reserve the price on the client's account and on the teacher's, or on none; return the reservations."""
        if self._ledger is None:
            return []
        accounts, reserved = [], list[str]()
        if client is not None:
            accounts.append(
                (client.account, client.limits, f"client {client.client}", "ask for a key with higher limits")
            )
        if limits(teacher):
            accounts.append((name, limits(teacher), f"teacher {name}", f"raise the limits of [teachers.{name}]"))
        for account, most, whose, remedy in accounts:
            try:
                price = highest_cost(teacher, question)
                reserved.append(await asyncio.to_thread(self._ledger.reserve, account, price, most))
            except OverLimitError as error:
                await self._settle(reserved, None)
                seconds = None if error.seconds is None else str(max(1, math.ceil(error.seconds)))
                wait = f"wait {seconds} seconds, or " if seconds else ""
                message = f"{whose}: not asked, {error}; {wait}{remedy}"
                raise OverBudgetError(429, message, seconds, free=True) from None
        return reserved

    async def _settle(self, reserved: Iterable[str], usd: float | None) -> None:
        if self._ledger is not None:
            for one in reserved:
                await asyncio.to_thread(self._ledger.settle, one, usd)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
        for client in self._clients.values():
            await client.close()

    async def _from_openai(
        self, name: str, teacher: Teacher, key: str, question: Question, names: SafeNames
    ) -> AsyncGenerator[bytes]:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        address = f"{address_of(teacher)}/chat/completions"
        try:
            async with self._session.post(
                address,
                data=io.BytesIO(json.dumps(_chat_body(teacher, question, names)).encode()),
                headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                # A redirect would send the key to a server that it is not meant for.
                allow_redirects=False,
                proxy=_proxy(address),
            ) as response:
                if response.status != 200:
                    raise self._http_error(name, response.status, response.headers, await response.read())
                async for data in response.content.iter_any():
                    yield data
        except aiohttp.ClientConnectorError as error:
            raise _unreachable(name, error) from None
        except aiohttp.ClientError as error:
            raise TeacherError(502, f"teacher {name}: the answer broke off ({type(error).__name__})", "5") from None

    async def _from_anthropic(
        self, name: str, teacher: Teacher, key: str, question: Question, names: SafeNames
    ) -> AsyncGenerator[bytes]:
        import anthropic
        import httpx2

        if (name, key) not in self._clients:
            self._clients[name, key] = _official_client(teacher, key)
        create = self._clients[name, key].messages.with_streaming_response.create
        try:
            body = _messages_body(teacher, question, names)
            # The client no longer knows them, but older models and other servers do.
            sampling = {name: body.pop(name) for name in _SAMPLING if name in body}
            async with create(**body, stream=True, extra_body=sampling) as response:
                async for data in response.iter_bytes():
                    yield data
        except anthropic.APIStatusError as error:
            raise self._http_error(name, error.status_code, error.response.headers, error.response.content) from None
        except anthropic.APITimeoutError:
            raise TimeoutError from None
        except anthropic.APIConnectionError as error:
            raise _unreachable(name, error) from None
        except httpx2.TimeoutException:
            raise TimeoutError from None
        except httpx2.HTTPError as error:
            raise TeacherError(502, f"teacher {name}: the answer broke off ({type(error).__name__})", "5") from None

    def _without_keys(self, question: Question) -> Question:
        """Return the question without keys, which somebody may have shown to an agent by mistake."""
        text = json.dumps(question.messages)
        for secret in (*api_keys(self._config), *question.secrets):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(json.dumps(secret)[1:-1], "<API_KEY>")
        return replace(question, messages=json.loads(without_keys(text)))

    def _http_error(self, name: str, status: int, headers: Mapping[str, str], data: bytes) -> TeacherError:
        try:
            text = error_text(json.loads(data)["error"])
        except (ValueError, TypeError, KeyError):
            text = data.decode("utf-8", "replace")
        message = f"teacher {name}: HTTP {status}: {self._one_line(text)}"
        if status in (429, 529):
            return TeacherError(429, message, headers.get("Retry-After", "5"), free=True)
        if status >= 500:
            return _RefusedError(status, message, headers.get("Retry-After", "5"))
        # The teacher refuses our key, not the client's: a 401 would make the user check the wrong one.
        return _RefusedError(status, message)

    def _one_line(self, text: str) -> str:
        """Return a server's message as one line without secrets."""
        return " ".join(scrub_text(text, api_keys(self._config)).split())[:500]


def address_of(teacher: Teacher) -> str:
    """Return the address of a teacher's API, without a last slash."""
    return (teacher.base_url or _ADDRESSES[teacher.kind]).rstrip("/")


def _official_client(teacher: Teacher, key: str) -> "AsyncAnthropic":
    """Return the provider's official client, without settings of the environment that are meant for another server."""
    import anthropic

    # The client would send these headers to any server, and they may hold another key.
    custom = os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "")
    names = [line.partition(":")[0].strip() for line in custom.splitlines() if ":" in line]
    omitted: dict[str, Any] = {} if not teacher.base_url else dict.fromkeys(names, anthropic.omit)
    return anthropic.AsyncAnthropic(
        api_key=key or _NO_KEY,
        base_url=address_of(teacher).removesuffix("/v1"),
        timeout=teacher.timeout_seconds,
        # Without retries the client sees an error at once, and may ask again.
        max_retries=0,
        open_telemetry=False,
        default_headers=omitted,
        http_client=anthropic.DefaultAsyncHttpxClient(follow_redirects=False),
    )


def _limit(teacher: Teacher, question: Question) -> int:
    return min(question.max_tokens or teacher.max_tokens, teacher.max_tokens)


def _messages_body(teacher: Teacher, question: Question, names: SafeNames) -> dict[str, Any]:
    # The provider itself refuses these in its present version, whatever the model.
    refused = frozenset() if teacher.base_url else frozenset(_SAMPLING)
    options, tools = _without_options(question, refused).options, function_tools(question.tools)
    if not tools:
        # Servers of this protocol refuse calls in a conversation without tools: LiteLLM and Bedrock.
        options, tools = {**options, "tool_choice": "none"}, tools_of_calls(question.messages)
    asked = anthropic_requests.request(question.messages, tools, options, names)
    return {"model": teacher.model, **asked, "max_tokens": _limit(teacher, question)}


def _chat_body(teacher: Teacher, question: Question, names: SafeNames) -> dict[str, Any]:
    # OpenAI's newer models refuse the older name, other servers may not know the newer one.
    limit_key = "max_tokens" if teacher.base_url else "max_completion_tokens"
    asked = openai_chat.request(question.messages, question.tools, question.options, names)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": teacher.model, **asked, limit_key: _limit(teacher, question), **options}


def _without_options(question: Question, refused: frozenset[str]) -> Question:
    return replace(question, options={key: value for key, value in question.options.items() if key not in refused})


def _refused_options(question: Question, message: str) -> frozenset[str]:
    """Return the options that a server's error names, as far as the question can do without them."""
    named = (key for key in _REFUSABLE if key in question.options)
    return frozenset(key for key in named if re.search(rf"\b{key}(?:_sequences)?\b", message))


async def _until(deadline: float, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the pieces that come until the deadline; raise TimeoutError behind it."""
    while True:
        async with asyncio.timeout_at(deadline):
            data = await anext(pieces, None)
        if data is None:
            return
        yield data


def _unreachable(name: str, error: Exception) -> TeacherError:
    what = f"teacher {name}: cannot be reached ({type(error).__name__})"
    return TeacherError(502, f"{what}; check its server, and [teachers.{name}] base_url", "5", free=True)


def _proxy(address: str) -> str | None:
    parts = urlsplit(address)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
