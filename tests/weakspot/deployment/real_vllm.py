"""A real vLLM that serves a base on the CPU, in processes of its own, which depend on nothing that this CPU has."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import pytest
from tests.processes import started
from tests.weakspot.deployment.conftest import DEMO_DOMAIN

from weakspot.config import Config
from weakspot.deployment.openai_client import OpenAIClient
from weakspot.deployment.types import Destination
from weakspot.pipeline.deploy import deploy
from weakspot.records import Release
from weakspot.workspace import Workspace

PYTHON = Path(__file__).parents[3] / "build" / "vllm" / "bin" / "python"
BASE = "smollm2-135m"
_STARTS_WITHIN_SECONDS = 600
_ENVIRONMENT = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "HF_HUB_OFFLINE": "1",
    # One thread, on whichever core is free: by itself it takes all but one, and stays on them beside others' work.
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # What is compiled would ask for a C++ compiler, and takes longer than it saves.
    "TORCHDYNAMO_DISABLE": "1",
    # As on one GPU, the engine computes in its own process: one process less to start.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}


@contextlib.contextmanager
def served(model: object, *options: object, rank: int = 16) -> Iterator[str]:
    """Serve a base, as docs/serving.md starts it; yield the server's address."""
    if not PYTHON.exists():
        pytest.fail("no vLLM in build/vllm: make test-serving")
    with socket.socket() as kept:  # nobody else is given the port until the server listens
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        port = kept.getsockname()[1]
        command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", BASE]
        command += ["--enable-lora", "--max-lora-rank", rank, "--max-loras", 2, "--host", "127.0.0.1", "--port", port]
        command += ["--enforce-eager", "--dtype", "float32", "--max-model-len", 1024, *options]
        with started(command, stdout=subprocess.DEVNULL, env=os.environ | _ENVIRONMENT) as process:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process)
            yield f"{url}/v1"


def _wait_for(url: str, process: subprocess.Popen) -> None:
    begun = time.monotonic()
    while process.poll() is None:
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(f"{url}/health").status_code == 200:
                return
        assert time.monotonic() - begun < _STARTS_WITHIN_SECONDS, "vLLM does not answer"
        time.sleep(0.2)
    raise AssertionError(f"vLLM ended with {process.returncode} before it answered")


def put(workspace: Workspace, config: Config, url: str) -> Release:
    """Deploy the demo's newest adapter to a vLLM."""
    return deploy(workspace, config, DEMO_DOMAIN, Destination("vllm", url), allow_unproven=True)


def names(url: str) -> set[str]:
    """Return the names of what a server serves."""
    return {one.name for one in OpenAIClient(url).models()}


def said(url: str, model: str, question: str, max_tokens: int = 40) -> str:
    """Return the greedy answer that OpenAI's own client is given."""
    with openai.OpenAI(base_url=url, api_key="none") as client:
        asked = [{"role": "user", "content": question}]
        answer = client.chat.completions.create(model=model, messages=asked, max_tokens=max_tokens, temperature=0)
        return answer.choices[0].message.content
