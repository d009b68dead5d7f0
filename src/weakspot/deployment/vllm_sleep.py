"""Puts a vLLM to sleep, so that its GPU is free for a training, and wakes it up again.

At level 1 vLLM moves its weights to the machine's memory and drops its cache. It has these endpoints beside ``/v1``, if
it was started with ``--enable-sleep-mode`` and ``VLLM_SERVER_DEV_MODE=1``.
"""

from weakspot.config import Config
from weakspot.deployment.openai_client import OpenAIClient, ServerError
from zddc.errors import UserError

# Requests that are running are answered first.
_SLEEP, _WAKE, _STATE = "/sleep?level=1&mode=wait", "/wake_up", "/is_sleeping"


def sleep(config: Config) -> None:
    """Put the vLLM of the settings to sleep; raise :class:`UserError` if it does not say that it sleeps."""
    _call(config, _SLEEP, sleeping=True)


def wake_up(config: Config) -> None:
    """Wake the vLLM of the settings up; raise :class:`UserError` if it does not say that it is awake."""
    _call(config, _WAKE, sleeping=False)


def _call(config: Config, path: str, *, sleeping: bool) -> None:
    address = (config.deploy.server or config.gateway.upstream).rstrip("/").removesuffix("/v1")
    server = OpenAIClient.of(config, address)
    try:
        server.call("POST", path)
        answer = server.call("GET", _STATE)
    except ServerError as error:
        if error.status != 404:
            raise server.to_user_error(error) from None
        problem = "has no sleep mode"
        raise UserError(server.url, problem, "start vLLM with VLLM_SERVER_DEV_MODE=1 and --enable-sleep-mode") from None
    if not isinstance(answer, dict) or answer.get("is_sleeping") is not sleeping:
        raise UserError(server.url, f"does not {'sleep' if sleeping else 'wake up'}", "see the server's log")
