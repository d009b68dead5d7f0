"""A model's server that speaks OpenAI's protocol, asked so that its answers can be compared."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weakspot.config import Config
from weakspot.protocols.reading import error_text
from weakspot.teachers import key_from
from zddc.errors import UserError

if TYPE_CHECKING:
    import httpx2

Messages = Sequence[dict[str, str]]

_CONNECT_SECONDS = 10.0
# An adapter of a large model is read from a slow disk, and the first answer on a CPU takes a while.
_ANSWER_SECONDS = 300.0


class ServerError(Exception):
    """What a server said instead of doing as asked: an HTTP status, and its own words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True)
class ServedModel:
    """A model that a server lists: its name there, where its weights are, and the model that it is an adapter of."""

    name: str
    root: str | None
    parent: str | None


@dataclass(frozen=True)
class Answer:
    """A greedy answer. What a server does not tell is None: token ids, log-probabilities, the prompt's own ids."""

    text: str
    ids: list[int] | None
    logprobs: list[float] | None
    prompt_tokens: int | None
    prompt_ids: list[int] | None


class Server:
    """A server at ``url``, which ends in ``/v1``; ``key`` is sent if there is one, and shown in no error."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url, self._key = url.rstrip("/"), key

    @classmethod
    def of(cls, config: Config, url: str = "") -> "Server":
        """Return the server at ``url``, or the local model's of the settings; its key is theirs."""
        return cls(url or config.gateway.upstream, key_from(config.gateway.upstream_api_key_env))

    def models(self) -> list[ServedModel]:
        """Return what the server lists; raise :class:`UserError` where it does not answer as one."""
        try:
            found = self.call("GET", "/models")["data"]
            return [ServedModel(str(one["id"]), one.get("root"), one.get("parent")) for one in found]
        except ServerError as error:
            raise self.failed(error) from None
        except (TypeError, KeyError, AttributeError):
            raise UserError(self.url, "lists no models", "give the address of an OpenAI-compatible server") from None

    def chat(self, model: str, messages: Messages, max_tokens: int) -> Answer:
        """Return the greedy answer of ``model``, with whatever the server tells of it.

        Raises :class:`UserError` for anything else than an answer.
        """
        body = {
            "model": model,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 0,
            "logprobs": True,
            # vLLM's, llama.cpp's and the templates' own; a server that does not know them passes over them.
            "return_token_ids": True,
            "cache_prompt": False,
            "chat_template_kwargs": {"enable_thinking": False},
        }
        try:
            return _answer(self.call("POST", "/chat/completions", body))
        except ServerError as error:
            raise self.failed(error) from None
        except (TypeError, KeyError, IndexError, AttributeError, ValueError):
            raise UserError(self.url, f"gave no answer for {model}", "see the server's log") from None

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON that the server answers, or its text where that is none.

        Raises :class:`ServerError` for an error of its own, :class:`UserError` where it cannot be reached.
        """
        import httpx2

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        try:
            answer = httpx2.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=timeout)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise UserError(
                self.url, f"cannot be asked ({type(error).__name__})", "start the server, or give --server"
            ) from None
        if answer.status_code != 200:
            raise ServerError(answer.status_code, self._shown(answer))
        try:
            return answer.json()
        except ValueError:
            return answer.text

    def failed(self, error: ServerError) -> UserError:
        """Return the one line for a server's error."""
        return UserError(self.url, f"HTTP {error.status}: {error.text}", "see the server's log")

    def _shown(self, answer: "httpx2.Response") -> str:
        try:
            text = error_text(answer.json()["error"])
        except (ValueError, TypeError, KeyError):
            text = answer.text
        text = text.replace(self._key, "<API_KEY>") if self._key else text
        return " ".join(text.split())[:500]


def _answer(body: dict[str, Any]) -> Answer:
    choice = body["choices"][0]
    tokens = (choice.get("logprobs") or {}).get("content") or None
    ids = choice.get("token_ids")
    if ids is None and tokens and all("id" in one for one in tokens):
        ids = [one["id"] for one in tokens]  # llama.cpp's
    logprobs = [float(one["logprob"]) for one in tokens] if tokens else None
    if ids is not None and logprobs is not None and len(ids) != len(logprobs):
        raise ValueError(json.dumps([len(ids), len(logprobs)]))
    return Answer(
        text=choice["message"].get("content") or "",
        ids=ids,
        logprobs=logprobs,
        prompt_tokens=(body.get("usage") or {}).get("prompt_tokens"),
        prompt_ids=body.get("prompt_token_ids"),
    )
