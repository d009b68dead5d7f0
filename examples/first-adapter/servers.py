"""The two servers of the demo's second act: llama.cpp with the local model, and the parser as a teacher."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import xllamacpp

_THREADS = 2


@contextlib.contextmanager
def llama(weights: Path, name: str) -> Iterator[str]:
    """Serve a GGUF file under a name; yield the address of its OpenAI-compatible API."""
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = str(weights), {name}
    params.port, params.n_ctx, params.n_parallel, params.verbosity = 0, 1024, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _THREADS
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


class _Teacher(BaseHTTPRequestHandler):
    """Answers a chat, as a stream, with what its server's expert says to it."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = [message["content"] for message in asked["messages"] if message["role"] == "user"]
        delta = {"role": "assistant", "content": self.server.expert(said)}  # type: ignore[attr-defined]
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": asked["model"]}
        event = {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing: the gateway keeps what is worth keeping."""


@contextlib.contextmanager
def teacher(expert: Callable[[list[str]], str]) -> Iterator[str]:
    """Serve an expert, which is given what the user said, as a teacher; yield its OpenAI-compatible API's address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Teacher) as server:
        server.expert = expert  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
