"""A real llama.cpp serves a base with an adapter: which answers it writes exactly, token by token."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
import torch

from weakspot.deployment.gguf import writer
from weakspot.models import loading
from weakspot.models.tokenization import Tokens
from weakspot.settings import Quantisation

SLOTS, ROOM = 16, 512
"""Answers that are written at once, and the tokens of each with its prompt."""
_SERVER = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_parallel, params.n_ctx = sys.argv[1], 0, int(sys.argv[3]), int(sys.argv[4])
params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
adapter = xllamacpp.CommonAdapterLoraInfo()
adapter.path, adapter.scale = sys.argv[2], 1.0
params.lora_adapters = [adapter]
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(sys.argv[5])
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


def base_file(base: loading.Base, kind: Quantisation, folder: Path) -> Path:
    """Return the base as a GGUF file, which is written if it is not there."""
    file = folder / f"base-{kind}.gguf"
    if not file.exists():
        writer.write_model(loading.fetch_folder(base), file, kind)
    return file


def exact(model: Path, adapter: Path, lessons: Sequence[Tokens]) -> list[int]:
    """Tell of each answer whether the server writes it by greedy decoding; a wrong answer is broken off."""
    with _served(model, adapter) as address:
        return asyncio.run(_ask_all(address, lessons))


async def _ask_all(address: str, lessons: Sequence[Tokens]) -> list[int]:
    free = asyncio.Semaphore(SLOTS)
    # A connection for each: the server closes one that is not used for five seconds, maybe while it is used again.
    each = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(address, connector=each, timeout=aiohttp.ClientTimeout(None)) as session:

        async def ask(one: Tokens) -> int:
            async with free:
                return int(await _writes(session, list(one.ids[: one.start]), list(one.ids[one.start :])))

        return await asyncio.gather(*map(ask, lessons))


async def _writes(session: aiohttp.ClientSession, prompt: list[int], wanted: list[int]) -> bool:
    """Tell whether the server writes these tokens, the last of which ends the turn, and no others."""
    asked = {"prompt": prompt, "temperature": 0, "n_predict": len(wanted), "stream": True, "return_tokens": True}
    written: list[int] = []
    async with session.post("/completion", json=asked) as answer:
        answer.raise_for_status()
        async for line in answer.content:
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line.removeprefix(b"data: "))
            written += event["tokens"]
            if written != wanted[: len(written)]:
                return False
            if event["stop"]:
                return written in (wanted, wanted[:-1]) and event["stop_type"] == "eos"
    raise ConnectionError("llama.cpp broke off")


@contextlib.contextmanager
def _served(model: Path, adapter: Path) -> Iterator[str]:
    """Serve a model with an adapter in a process of its own; yield its address."""
    settings = map(str, (model, adapter, SLOTS, SLOTS * ROOM, torch.get_num_threads()))
    command = [sys.executable, "-c", _SERVER, *settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        if not address:
            sys.exit(f"llama.cpp does not load {model}")
        yield address
        process.stdin.close()
