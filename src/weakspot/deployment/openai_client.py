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
ForcedText = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""Token ids of a prompt and of the answer behind it, and the places of the answer at which it is to be scored."""

_NO_THINKING = {"enable_thinking": False}
_CONNECT_SECONDS = 10.0
# Loading the adapter of a large model from a slow disk, or the first answer on a CPU, takes this long.
_ANSWER_SECONDS = 300.0
_PROMPTS_PER_REQUEST = 32


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
        self.sleeps = False
        """Whether it is to sleep while an adapter is trained on its GPU."""

    @classmethod
    def of(cls, config: Config, url: str = "", answer_seconds: float = _ANSWER_SECONDS) -> "OpenAIClient":
        """Return a client of ``url``, or of the local model's server, with the key that the settings name."""
        address = config.address_of(url) if url else config.gateway.upstream
        found = cls(address, key_from(config.gateway.upstream_api_key_env), answer_seconds)
        found.sleeps = config.watch.sleep_vllm
        return found

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
        body = {"prompt": list(prompt), "max_tokens": max_tokens, "return_token_ids": True, "cache_prompt": False}
        with contextlib.suppress(ServerError, TypeError, KeyError, IndexError, AttributeError, ValueError):
            return _parse_completion(self._complete(model, body)[0], prompt)
        return None

    def score(self, model: str, texts: Sequence[ForcedText]) -> list[list[float]] | None:
        """Return the log-probabilities of the tokens at the places of each answer; None if the server cannot tell.

        The server is made to write these tokens, and reports how likely the model itself found them.
        """
        for score in (self._score_with_vllm, self._score_with_llama):
            with contextlib.suppress(ServerError, TypeError, KeyError, IndexError, AttributeError, ValueError):
                return score(model, texts)
        return None

    def _score_with_vllm(self, model: str, texts: Sequence[ForcedText]) -> list[list[float]]:
        """Ask for one token behind a beginning of each text, with no other token allowed: one token in one request.

        vLLM also reports the log-probabilities of a prompt; with adapters those are wrong, or end the server:
        https://github.com/vllm-project/vllm/issues/16668 and 51594.
        """
        by_token: dict[int, list[tuple[int, int]]] = {}
        for number, (_, answer, places) in enumerate(texts):
            for place in places:
                by_token.setdefault(answer[place], []).append((number, place))
        found: list[dict[int, float]] = [{} for _ in texts]
        for token, where in by_token.items():
            for start in range(0, len(where), _PROMPTS_PER_REQUEST):
                part = where[start : start + _PROMPTS_PER_REQUEST]
                prompts = [[*texts[number][0], *texts[number][1][:place]] for number, place in part]
                body = {"prompt": prompts, "max_tokens": 1, "allowed_token_ids": [token], "return_token_ids": True}
                choices = self._complete(model, body)
                for (number, place), choice in zip(part, choices, strict=True):
                    _require_tokens([token], choice["token_ids"])
                    found[number][place] = float(choice["logprobs"]["token_logprobs"][0])
        return [[one[place] for place in places] for one, (_, _, places) in zip(found, texts, strict=True)]

    def _score_with_llama(self, model: str, texts: Sequence[ForcedText]) -> list[list[float]]:
        """Ask for the whole answer, with a grammar of token ids that allows nothing else."""
        found = []
        for prompt, answer, places in texts:
            grammar = "root ::= " + " ".join(f"<[{token}]>" for token in answer)
            body = {"prompt": list(prompt), "max_tokens": len(answer), "grammar": grammar, "cache_prompt": False}
            written = self._complete(model, body)[0]["logprobs"]["content"][: len(answer)]
            _require_tokens(answer, [one["id"] for one in written])
            found.append([float(written[place]["logprob"]) for place in places])
        return found

    def _complete(self, model: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        common = {"model": model, "temperature": 0, "logprobs": 1}
        answer = self.call("POST", "/completions", common | body)
        return sorted(answer["choices"], key=lambda choice: int(choice["index"]))

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


def _require_tokens(expected: Sequence[int], written: Sequence[int]) -> None:
    if list(expected) != list(written):
        raise ValueError("the server wrote other tokens than it was allowed to")
