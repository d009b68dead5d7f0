"""Hands the GPU of a server over to a training and back: by commands of the settings, and by vLLM's sleep mode."""

import contextlib
import shlex
import subprocess
from collections.abc import Iterator

from weakspot.config import Config
from weakspot.deployment import vllm_sleep
from zddc.errors import UserError


@contextlib.contextmanager
def hand_over_gpu(config: Config) -> Iterator[None]:
    """Context manager: the GPU is free inside of the block, and the server answers again behind it, whatever happens.

    ``[watch] before_training`` runs first and ``after_training`` last; between them the vLLM sleeps, if
    ``sleep_vllm`` is set. Raises :class:`UserError` for a command that fails, and for a server that does not follow;
    if the GPU could not be freed, the block does not run.
    """
    with contextlib.ExitStack() as back:
        if config.watch.after_training:
            back.callback(_run, "after_training", config.watch.after_training)
        if config.watch.before_training:
            _run("before_training", config.watch.before_training)
        if config.watch.sleep_vllm:
            back.callback(vllm_sleep.wake_up, config)
            vllm_sleep.sleep(config)
        yield


def _run(key: str, command: str) -> None:
    """Run a command of the settings without a shell; raise :class:`UserError` with what it said last if it fails."""
    thing = f"[watch] {key} = {command!r}"
    try:
        done = subprocess.run(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except (OSError, ValueError) as error:
        raise UserError(thing, f"cannot be run: {error}", "correct the command") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:] or "it said nothing"
        raise UserError(thing, f"ended with status {done.returncode}: {said}", "correct the command")
