"""Client of an OpenAI-compatible server: asks for greedy answers with token ids and log-probabilities, to compare."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weakspot.config import Config
from weakspot.protocols.reading import error_text
from weakspot.teachers import key_from
from zddc.addresses import hide_password
from zddc.errors import UserError

if TYPE_CHECKING:
    import httpx2

Messages = Sequence[dict[str, str]]

_NO_THINKING = {"enable_thinking": False}
_CONNECT_SECONDS = 10.0
# Loading the adapter of a large model from a slow disk, or the first answer on a CPU, takes this long.
_ANSWER_SECONDS = 300.0


class ServerError(Exception):
    """An error answer of a server: its HTTP status and its message."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True)
class ServedModel:
    """A model that a server lists: its name, ``root`` (where its weights are), ``parent`` (the base of an adapter)."""

    name: str
    root: str | None
    parent: str | None


@dataclass(frozen=True)
class ServedAnswer:
    """A greedy answer; token ids, log-probabilities and the prompt's ids are None if the server reports none.

    ``expert`` and ``expert_base`` are the log-probabilities of the expert's answer under the served model and under the
    base that is served beside it.
    """

    text: str
    ids: list[int] | None
    logprobs: list[float] | None
    prompt_tokens: int | None
    prompt_ids: list[int] | None
    expert: list[float] | None = None
    expert_base: list[float] | None = None


class OpenAIClient:
    """A client of the server at ``url``, which ends in ``/v1``; errors never show the ``key``, nor a password in it."""

    def __init__(self, url: str, key: str = "", answer_seconds: float = _ANSWER_SECONDS) -> None:
        self._address, self._key, self._answer_seconds = url.rstrip("/"), key, answer_seconds
        self.url = hide_password(self._address)

    @classmethod
    def of(cls, config: Config, url: str = "", answer_seconds: float = _ANSWER_SECONDS) -> "OpenAIClient":
        """Return a client of ``url``, or of the local model's server, with the key that the settings name."""
        address = config.address_of(url) if url else config.gateway.upstream
        return cls(address, key_from(config.gateway.upstream_api_key_env), answer_seconds)

    def models(self) -> list[ServedModel]:
        """Return the models that the server lists; raise :class:`UserError` if it does not answer with such a list."""
        try:
            found = self.call("GET", "/models")["data"]
            return [ServedModel(str(one["id"]), one.get("root"), one.get("parent")) for one in found]
        except ServerError as error:
            raise self.to_user_error(error) from None
        except (TypeError, KeyError, AttributeError):
            raise UserError(self.url, "lists no models", "give the address of an OpenAI-compatible server") from None

    def chat(
        self, model: str, messages: Messages, max_tokens: int, template_arguments: Mapping[str, Any] = _NO_THINKING
    ) -> ServedAnswer:
        """Return the greedy answer of ``model``, with the details that the server reports.

        ``template_arguments`` are for the chat template. Raises :class:`UserError` if the server does not answer.
        """
        body = {
            "model": model,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 0,
            "logprobs": True,
            # Options of vLLM, of llama.cpp and of chat templates; a server that does not know them ignores them.
            "return_token_ids": True,
            "cache_prompt": False,
            "chat_template_kwargs": dict(template_arguments),
        }
        try:
            return _parse_answer(self.call("POST", "/chat/completions", body))
        except ServerError as error:
            raise self.to_user_error(error) from None
        except (TypeError, KeyError, IndexError, AttributeError, ValueError):
            raise UserError(self.url, f"gave no answer for {model}", "see the server's log") from None

    def complete(self, model: str, prompt: Sequence[int], max_tokens: int) -> ServedAnswer | None:
        """Return the greedy continuation of token ids; None if the server takes none, or reports no ids."""
        body = {
            "model": model,
            "prompt": list(prompt),
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 0,
            "logprobs": 1,
            "return_token_ids": True,
            "cache_prompt": False,
        }
        with contextlib.suppress(ServerError, TypeError, KeyError, IndexError, AttributeError, ValueError):
            return _parse_completion(self.call("POST", "/completions", body)["choices"][0], prompt)
        return None

    def score(self, model: str, prompt: Sequence[int], answer: Sequence[int]) -> list[float] | None:
        """Return the log-probability of each token of ``answer`` behind ``prompt``; None if the server cannot tell.

        vLLM reports those of a prompt. llama.cpp reports those of the tokens that it writes, as the model gives them,
        and a grammar lets it write these tokens only.
        """
        behind = [*prompt, *answer]
        grammar = "root ::= " + " ".join(f"<[{token}]>" for token in answer)
        common = {"model": model, "temperature": 0, "cache_prompt": False}
        prompt_body = {"prompt": behind, "max_tokens": 1, "prompt_logprobs": 0}
        forced_body = {"prompt": list(prompt), "max_tokens": len(answer), "logprobs": 1, "grammar": grammar}
        for body, parse in ((prompt_body, _parse_prompt_logprobs), (forced_body, _parse_forced_logprobs)):
            with contextlib.suppress(ServerError, TypeError, KeyError, IndexError, AttributeError, ValueError):
                return parse(self.call("POST", "/completions", common | body)["choices"][0], answer)
        return None

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the server's answer as JSON, or as text if it is not JSON.

        Raises :class:`ServerError` for a status other than 200, and :class:`UserError` if it cannot be reached.
        """
        import httpx2

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = httpx2.Timeout(self._answer_seconds, connect=min(_CONNECT_SECONDS, self._answer_seconds))
        try:
            answer = httpx2.request(method, f"{self._address}{path}", json=body, headers=headers, timeout=timeout)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise UserError(
                self.url, f"cannot be reached ({type(error).__name__})", "start the server, or give --server"
            ) from None
        if answer.status_code != 200:
            raise ServerError(answer.status_code, self._safe_error_text(answer))
        try:
            return answer.json()
        except ValueError:
            return answer.text

    def to_user_error(self, error: ServerError) -> UserError:
        """Return the error to show to the user for a server's error."""
        return UserError(self.url, f"HTTP {error.status}: {error.text}", "see the server's log")

    def _safe_error_text(self, answer: "httpx2.Response") -> str:
        try:
            text = error_text(answer.json()["error"])
        except (ValueError, TypeError, KeyError):
            text = answer.text
        text = text.replace(self._key, "<API_KEY>") if self._key else text
        return " ".join(text.split())[:500]


def _parse_answer(body: dict[str, Any]) -> ServedAnswer:
    choice = body["choices"][0]
    tokens = (choice.get("logprobs") or {}).get("content") or None
    ids = choice.get("token_ids")
    if ids is None and tokens and all("id" in one for one in tokens):
        ids = [one["id"] for one in tokens]  # llama.cpp's
    logprobs = [float(one["logprob"]) for one in tokens] if tokens else None
    if ids is not None and logprobs is not None and len(ids) != len(logprobs):
        raise ValueError(json.dumps([len(ids), len(logprobs)]))
    return ServedAnswer(
        text=choice["message"].get("content") or "",
        ids=ids,
        logprobs=logprobs,
        prompt_tokens=(body.get("usage") or {}).get("prompt_tokens"),
        prompt_ids=body.get("prompt_token_ids"),
    )


def _parse_completion(choice: dict[str, Any], prompt: Sequence[int]) -> ServedAnswer:
    """Parse a completion of vLLM, or of llama.cpp, which tells ids and log-probabilities token by token."""
    told = choice["logprobs"]
    if "content" in told:
        ids, logprobs = [one["id"] for one in told["content"]], [float(one["logprob"]) for one in told["content"]]
    else:
        ids, logprobs = choice["token_ids"], [float(one) for one in told["token_logprobs"]]
    return ServedAnswer(choice["text"], [int(one) for one in ids], logprobs, len(prompt), list(prompt))


def _parse_prompt_logprobs(choice: dict[str, Any], answer: Sequence[int]) -> list[float]:
    last = choice["prompt_logprobs"][-len(answer) :]
    return [float(found[str(token)]["logprob"]) for found, token in zip(last, answer, strict=True)]


def _parse_forced_logprobs(choice: dict[str, Any], answer: Sequence[int]) -> list[float]:
    written = choice["logprobs"]["content"][: len(answer)]
    if [one["id"] for one in written] != list(answer):
        raise ValueError("the server wrote another text than the grammar allows")
    return [float(one["logprob"]) for one in written]
