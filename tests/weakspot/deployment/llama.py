"""A real llama.cpp that serves a GGUF file, in a process of its own.

What it keeps of the context is in 32 bits here, as in transformers: a model of random weights has near ties.
"""

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.processes import started
from tests.waiting import PATIENCE_SECONDS

from weakspot.deployment.openai_client import OpenAIClient

_SERVER = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_ctx, params.n_parallel = sys.argv[1], 0, 1024, 1
params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.model_alias = {sys.argv[2]} if sys.argv[2] else set()
if len(sys.argv) > 3:
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path, adapter.scale = sys.argv[3], 1.0
    params.lora_adapters = [adapter]
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


class Llama(OpenAIClient):
    """The server at an address, with what llama.cpp has beside OpenAI's protocol."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address}/v1")
        self.address = address

    def tokens(self, text: str, *, special: bool = True) -> list[int]:
        """Cut a text into tokens; ``special`` ones are seen in it where asked."""
        return self.post("/tokenize", {"content": text, "parse_special": special})["tokens"]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)


@contextlib.contextmanager
def served(model: Path, *adapter: Path, name: str = "") -> Iterator[Llama]:
    """Serve a model's file by a name, and an adapter's on it."""
    command = [sys.executable, "-c", _SERVER, str(model), name, *map(str, adapter)]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        address = process.stdout.readline().decode().strip()
        assert address, f"llama.cpp does not load {model}"
        yield Llama(address)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
