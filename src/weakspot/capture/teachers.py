"""The stronger models that can be consulted: each asked by the official client of its protocol."""

import contextlib
import importlib
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from weakspot.capture.scrub import scrub_text
from weakspot.config import Config, Teacher
from weakspot.protocols import anthropic_messages, openai_chat
from weakspot.protocols.parts import Call, Finished, Part, StopReason, Text

# Never the environment's: there ANTHROPIC_BASE_URL may well be this gateway.
_ADDRESSES = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
_NO_KEY = "none"
_STOPS: dict[str, StopReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}


class TeacherError(Exception):
    """A teacher that could not answer: an HTTP ``status`` for the client, and one line that names no secret."""

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
    return sorted({value for name in names if name and (value := os.environ.get(name))})


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
        self._clients: dict[str, Any] = {}
        # Importing a client takes a second: now, and not while other requests wait.
        for kind in {teacher.kind for teacher in config.teachers.values()}:
            importlib.import_module(kind)

    async def ask(self, name: str, question: Question) -> AsyncGenerator[Part]:
        """Yield the teacher's answer as it comes; the last part is :class:`Finished`.

        Closing the iterator gives up the answer. Raises :class:`TeacherError` for whatever goes wrong,
        also in the middle.
        """
        import httpx2

        teacher = self._config.teachers[name]
        try:
            client = self._client(name, teacher)
            asked = _of_anthropic if teacher.kind == "anthropic" else _of_openai
            async with contextlib.aclosing(asked(client, teacher, question)) as parts:
                async for part in parts:
                    yield part
        except TeacherError:
            raise
        except httpx2.HTTPError as error:
            raise TeacherError(502, f"{name}: the answer broke off ({type(error).__name__})") from None
        except Exception as error:
            if not _from_a_client(error):
                raise
            raise self._explained(name, teacher, error) from None

    async def close(self) -> None:
        """Give back the connections."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    def _client(self, name: str, teacher: Teacher) -> Any:
        key = os.environ.get(teacher.api_key_env, "").strip() if teacher.api_key_env else _NO_KEY
        if not key:
            raise TeacherError(401, f"teacher {name}: {teacher.api_key_env} is not set where the gateway runs")
        if name not in self._clients:
            options: dict[str, Any] = {
                "api_key": key,
                "base_url": teacher.base_url or _ADDRESSES[teacher.kind],
                "timeout": teacher.timeout_seconds,
                "max_retries": 1,
            }
            # A redirection would take the key to a server that it was not given for.
            if teacher.kind == "anthropic":
                import anthropic

                http = anthropic.DefaultAsyncHttpxClient(follow_redirects=False)
                self._clients[name] = anthropic.AsyncAnthropic(**options, http_client=http)
            else:
                import openai

                http_ = openai.DefaultAsyncHttpxClient(follow_redirects=False)
                self._clients[name] = openai.AsyncOpenAI(**options, http_client=http_)
        return self._clients[name]

    def _explained(self, name: str, teacher: Teacher, error: Exception) -> TeacherError:
        status = getattr(error, "status_code", None)
        if not isinstance(status, int):
            return TeacherError(502, f"teacher {name}: cannot be reached ({type(error).__name__})")
        text = str(getattr(error, "message", error))
        for secret in known_secrets(self._config):
            text = text.replace(secret, "<SECRET>")
        response = getattr(error, "response", None)
        retry_after = response.headers.get("retry-after") if response is not None else None
        # A key that the teacher refuses is not the client's: a 401 of ours would send the user looking there.
        return TeacherError(
            429 if status in (429, 529) else status if status in (400, 413) else 502,
            f"teacher {name}: HTTP {status}: {scrub_text(text)[:500]}",
            retry_after,
        )


def _from_a_client(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in ("anthropic", "openai")


async def _of_anthropic(client: Any, teacher: Teacher, question: Question) -> AsyncGenerator[Part]:
    request = anthropic_messages.messages_request(question.messages, question.tools)
    read = written = None
    model, reason = teacher.model, ""
    blocks: dict[int, int] = {}
    limit = min(question.max_tokens or teacher.max_tokens, teacher.max_tokens)
    async with await client.messages.create(model=teacher.model, max_tokens=limit, stream=True, **request) as events:
        async for event in events:
            if event.type == "message_start":
                usage = event.message.usage
                model = event.message.model
                read = sum(
                    getattr(usage, key, None) or 0
                    for key in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
                )
            elif event.type == "content_block_start" and event.content_block.type == "tool_use":
                blocks[event.index] = len(blocks)
                yield Call(blocks[event.index], "", event.content_block.id, event.content_block.name)
            elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                yield Text(event.delta.text)
            elif event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                yield Call(blocks[event.index], event.delta.partial_json)
            elif event.type == "message_delta":
                reason, written = event.delta.stop_reason or "", event.usage.output_tokens
    if not reason:
        raise TeacherError(502, "the teacher's answer broke off")
    yield Finished(_STOPS.get(reason, "refused"), model, read, written)


async def _of_openai(client: Any, teacher: Teacher, question: Question) -> AsyncGenerator[Part]:
    reader = openai_chat.StreamReader()
    more: dict[str, Any] = {"tools": question.tools} if question.tools else {}
    stream = await client.chat.completions.create(
        model=teacher.model,
        messages=question.messages,
        max_tokens=min(question.max_tokens or teacher.max_tokens, teacher.max_tokens),
        stream=True,
        stream_options={"include_usage": True},
        **more,
    )
    async with stream:
        async for chunk in stream:
            for part in reader.chunk(chunk.model_dump(exclude_none=True)):
                yield part
    ended = list(reader.end())
    if not ended:
        raise TeacherError(502, "the teacher's answer broke off")
    for part in ended:
        yield part
